//! The kind of account that a credential belongs to, by its host, its user name and the form of its password.
//!
//! The hosts of large providers show the product that runs there; for other hosts the policy may name it
//! (`registries[].product`). If the product is not known, user names that several products have in common count, with
//! less confidence. Each rule names its sources. The claims of a token are not verified here, so they can only count
//! against a credential.

mod class;
mod password;

use Confidence::{High, Low, Medium};

pub use class::{AccountClass, Product};
pub use password::{Shape, expiry};

/// The account of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The kind of account.
    pub class: AccountClass,
    /// The confidence in the class.
    pub confidence: Confidence,
    /// The reason for the class. A message has it in parentheses, after the class and the registry.
    pub reason: &'static str,
    /// The lifetime of its credentials if they are not changed.
    pub life: Life,
}

/// The confidence in a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A guess; never reason enough to refuse anything.
    Low,
    /// A strong convention.
    Medium,
    /// A documented identity.
    High,
}

/// The lifetime of credentials of an account if they are not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The lifetime is not known.
    Unknown,
    /// The credentials do not expire.
    Endless,
    /// The credentials last some hours, so a Secret is the wrong place for them.
    Hours,
}

/// The product at a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registry {
    Product(Product),
    DockerHub,
    Ghcr,
    Ecr,
    Gcp,
    DigitalOcean,
    Other,
}

/// Returns the account of a credential: `host` as a Docker configuration has it, without its path; `product` as the
/// policy says.
#[must_use]
pub fn classify(host: &str, username: &str, shape: Shape, product: Option<Product>) -> Account {
    if shape == Shape::Empty {
        return NO_PASSWORD;
    }
    let host = host.to_ascii_lowercase();
    let host = split_port(&host);
    let registry = product.map_or_else(|| Registry::of(host), Registry::Product);
    let own = match registry {
        Registry::Product(Product::Acr) => acr(host, username),
        Registry::Product(Product::Harbor) => harbor(username),
        Registry::Product(Product::Nexus) => (username == "admin").then_some(ADMIN_BY_NAME),
        Registry::Product(Product::Artifactory) => artifactory(username),
        Registry::Product(Product::Gitlab) => (username == "root").then_some(ROOT_OF_GITLAB),
        Registry::Product(Product::Quay) => quay(username),
        Registry::DockerHub => Some(docker_hub(shape)),
        Registry::Ecr => (username == "AWS").then_some(ECR),
        Registry::Gcp => gcp(username),
        Registry::Ghcr | Registry::DigitalOcean | Registry::Other => None,
    };
    own.or_else(|| by_shape(shape))
        .or_else(|| by_name(username, registry == Registry::Other))
        .unwrap_or(UNKNOWN)
}

const UNKNOWN: Account = account(
    AccountClass::Unknown,
    Medium,
    "host, user and password do not show the kind of account",
);
/// No registry lets in a user without a password, so the name of the user proves nothing.
const NO_PASSWORD: Account = account(AccountClass::Unknown, Medium, "it has no password");
/// The administrator of Nexus: sonatype/docker-nexus3.
const ADMIN_BY_NAME: Account = endless(account(
    AccountClass::Admin,
    Medium,
    "the user is `admin`, the administrator that comes with the registry",
));
/// GitLab documentation: the first administrator.
const ROOT_OF_GITLAB: Account = account(
    AccountClass::Admin,
    Medium,
    "the user is `root`, GitLab's first administrator",
);
/// `aws ecr get-authorization-token`: 12 hours, for all registries of the IAM principal.
const ECR: Account = hours(account(
    AccountClass::NodeIdentity,
    High,
    "an ECR token, which expires after 12 hours",
));

const fn account(class: AccountClass, confidence: Confidence, reason: &'static str) -> Account {
    Account {
        class,
        confidence,
        reason,
        life: Life::Unknown,
    }
}

const fn endless(account: Account) -> Account {
    Account {
        life: Life::Endless,
        ..account
    }
}

const fn hours(account: Account) -> Account {
    Account {
        life: Life::Hours,
        ..account
    }
}

/// Returns the account at an Azure Container Registry. Source: Microsoft, "Authenticate with an Azure container
/// registry"; Azure/acr docs/AAD-OAuth.md. The name of a registry is alphanumeric, so that a `-` in its host can only
/// begin the hash of a domain name label.
fn acr(host: &str, username: &str) -> Option<Account> {
    let label = host.split('.').next().unwrap_or_default();
    let name = label.split('-').next().unwrap_or_default();
    let is_azure = is_acr(host);
    // A key with a `*` is for many registries; `glob_key` tries the one that the user name tells.
    let is_user = |name: &str| !name.contains('*') && username.eq_ignore_ascii_case(name);
    Some(if is_azure && is_user(label) {
        endless(account(
            AccountClass::Admin,
            High,
            "the user has the name of the registry: its admin account",
        ))
    } else if is_azure && is_user(name) {
        endless(account(
            AccountClass::Admin,
            Medium,
            "the user has the name of the registry: its admin account",
        ))
    } else if username == "00000000-0000-0000-0000-000000000000" {
        hours(account(
            AccountClass::NodeIdentity,
            High,
            "a refresh token of Microsoft Entra, which expires after 3 hours",
        ))
    } else if password::is_uuid(username.as_bytes()) {
        account(
            AccountClass::ServicePrincipal,
            Medium,
            "the user is the id of a service principal",
        )
    } else if is_azure {
        let sure = if label.contains('*') { Low } else { Medium };
        account(AccountClass::Token, sure, "a token of the registry")
    } else {
        return None;
    })
}

/// Returns the account at a Harbor. Source: goharbor/harbor, `src/common/security`, and `robot_prefix` of its
/// configuration.
fn harbor(username: &str) -> Option<Account> {
    (username == "admin")
        .then(|| {
            endless(account(
                AccountClass::Admin,
                High,
                "the user is `admin`, Harbor's system administrator",
            ))
        })
        .or_else(|| harbor_robot(username))
}

fn harbor_robot(username: &str) -> Option<Account> {
    let name = username.strip_prefix("robot$")?;
    Some(if name.contains('+') {
        account(AccountClass::Robot, High, "a robot of a Harbor project")
    } else {
        account(
            AccountClass::Robot,
            Medium,
            "a system robot of Harbor, which may reach all projects",
        )
    })
}

/// Returns the account at an Artifactory. Source: CVE-2019-17444, about the default administrator.
fn artifactory(username: &str) -> Option<Account> {
    (username == "admin").then(|| {
        endless(account(
            AccountClass::Admin,
            High,
            "the user is `admin`, Artifactory's administrator",
        ))
    })
}

/// Returns the account at a Quay. Source: quay/quay, `auth/credential_consts.py`.
fn quay(username: &str) -> Option<Account> {
    Some(match username {
        "$oauthtoken" => account(
            AccountClass::Token,
            High,
            "an OAuth token of an application, with broad rights",
        ),
        "$app" => account(
            AccountClass::Personal,
            High,
            "an application token, with all rights of its user",
        ),
        "$token" => account(AccountClass::Token, High, "an access token of a repository"),
        robot if robot.contains('+') => account(AccountClass::Robot, High, "a robot of Quay"),
        "" => return None,
        _ => account(AccountClass::Personal, Medium, "the account of a user"),
    })
}

/// Returns the account at Docker Hub. Source: Docker documentation, "Access tokens". Another text is a password.
fn docker_hub(shape: Shape) -> Account {
    let personal = |confidence, reason| account(AccountClass::Personal, confidence, reason);
    match shape {
        Shape::DockerOrganization => {
            account(AccountClass::Token, High, "a token of an organization")
        }
        Shape::DockerPersonal => personal(High, "a personal access token"),
        Shape::Uuid => personal(Medium, "a personal access token of the older kind"),
        Shape::Empty => NO_PASSWORD,
        Shape::ArtifactoryKey
        | Shape::ArtifactoryAdmin
        | Shape::GitlabDeploy
        | Shape::GitlabPersonal
        | Shape::GitlabJob
        | Shape::GithubClassic
        | Shape::GithubFineGrained
        | Shape::GithubUser
        | Shape::GithubApp
        | Shape::DigitalOcean
        | Shape::AzureClientSecret
        | Shape::Other => personal(Medium, "the password of an account"),
    }
}

/// Returns the account at a registry of Google. Source: "Configure authentication to Artifact Registry for Docker",
/// which calls a key the least secure way.
fn gcp(username: &str) -> Option<Account> {
    Some(match username {
        "_json_key" | "_json_key_base64" => endless(account(
            AccountClass::ServicePrincipal,
            High,
            "the key of a Google service account, which does not expire",
        )),
        "oauth2accesstoken" => hours(account(
            AccountClass::NodeIdentity,
            High,
            "a Google access token, which expires after an hour",
        )),
        name if name.starts_with("_dcgcr_") && name.ends_with("_token") => hours(account(
            AccountClass::NodeIdentity,
            High,
            "a Google access token, which expires after an hour",
        )),
        _ => return None,
    })
}

/// Returns the account for a password with a known beginning, at any registry.
fn by_shape(shape: Shape) -> Option<Account> {
    let personal = |reason| account(AccountClass::Personal, Medium, reason);
    Some(match shape {
        Shape::ArtifactoryAdmin => account(
            AccountClass::Admin,
            Medium,
            "an Artifactory token that says it is for administrators",
        ),
        Shape::ArtifactoryKey => account(
            AccountClass::Token,
            High,
            "a key or reference token of Artifactory",
        ),
        Shape::GitlabDeploy => account(AccountClass::Token, High, "a deploy token of GitLab"),
        Shape::GitlabPersonal => personal("a GitLab access token, with the rights of its user"),
        Shape::GitlabJob => hours(account(
            AccountClass::Token,
            High,
            "a token of a GitLab CI job, which ends with the job",
        )),
        Shape::GithubClassic => personal("a classic GitHub token, with the rights of its user"),
        Shape::GithubFineGrained => personal("a fine-grained GitHub token of a user"),
        Shape::GithubUser => personal("a GitHub token of a user"),
        Shape::GithubApp => hours(account(
            AccountClass::Token,
            High,
            "a GitHub token of an app or a workflow, which ends within hours",
        )),
        Shape::DigitalOcean => account(
            AccountClass::Personal,
            High,
            "a DigitalOcean API token, with all rights of its account",
        ),
        Shape::AzureClientSecret => account(
            AccountClass::ServicePrincipal,
            Medium,
            "the secret of a Microsoft Entra application",
        ),
        Shape::Empty
        | Shape::DockerPersonal
        | Shape::DockerOrganization
        | Shape::Uuid
        | Shape::Other => return None,
    })
}

/// Returns the account for a user name that several products have. The class is less certain if another product is
/// known to run there.
fn by_name(username: &str, is_anything: bool) -> Option<Account> {
    let deploy = username.strip_prefix("gitlab+deploy-token-");
    if deploy.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
        return Some(account(
            AccountClass::Token,
            High,
            "a deploy token of GitLab",
        ));
    }
    match username {
        "gitlab-ci-token" => by_shape(Shape::GitlabJob),
        "admin" if is_anything => Some(ADMIN_BY_NAME),
        "root" if is_anything => Some(account(AccountClass::Admin, Low, "the user is `root`")),
        _ => harbor_robot(username).filter(|_| is_anything),
    }
}

impl Registry {
    fn of(host: &str) -> Self {
        let is_below = |domain: &str| {
            let rest = host.strip_suffix(domain);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        match host {
            "docker.io" | "index.docker.io" | "registry-1.docker.io" => Self::DockerHub,
            "ghcr.io" => Self::Ghcr,
            "quay.io" => Self::Product(Product::Quay),
            "registry.gitlab.com" => Self::Product(Product::Gitlab),
            "registry.digitalocean.com" => Self::DigitalOcean,
            "public.ecr.aws" => Self::Ecr,
            _ if is_acr(host) => Self::Product(Product::Acr),
            _ if is_below("jfrog.io") => Self::Product(Product::Artifactory),
            _ if is_below("gcr.io") || host.ends_with("-docker.pkg.dev") => Self::Gcp,
            _ if is_ecr(host) => Self::Ecr,
            _ => Self::Other,
        }
    }
}

fn is_acr(host: &str) -> bool {
    let domains = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];
    domains.iter().any(|domain| host.ends_with(domain))
}

/// Returns whether a host is one of ECR: `ACCOUNT.dkr.ecr[-fips].REGION.DOMAIN`, or with a `-` for dual stack
/// (awslabs/amazon-ecr-credential-helper).
fn is_ecr(host: &str) -> bool {
    let Some((number, rest)) = host.split_once(".dkr") else {
        return false;
    };
    let is_number = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
    let prefixes = [".ecr.", "-ecr.", ".ecr-fips.", "-ecr-fips."];
    is_number && prefixes.iter().any(|prefix| rest.starts_with(prefix))
}

/// Returns the host without its port. An IPv6 address keeps its port: no rule is about such addresses.
pub(super) fn split_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
