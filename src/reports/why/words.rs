//! The sentence that names a cause, and the commands that mend it.

use super::cause::{Cause, Decision, Evidence};
use super::evidence::{PodView, RuleView, SecretState, TriedCredential};
use super::texts::{self, PullText};
use crate::kubelet::image::Image;
use crate::text::excerpt::clean;
use jiff::Timestamp;

/// The longest pause between two attempts of the kubelet, in seconds (`MaxContainerBackOff` in `pkg/kubelet/kubelet.go`).
const LONGEST_BACK_OFF: u32 = 300;

/// What to tell about a cause.
#[derive(Debug, Default)]
pub(super) struct Advice {
    /// One sentence.
    pub(super) message: String,
    /// Commands to paste.
    pub(super) fix: Vec<String>,
    /// Seconds after which the pull works without a change, where it will.
    pub(super) heals: Option<u32>,
}

/// Returns the sentence and the commands for a decision.
pub(super) fn advise(evidence: &Evidence<'_>, decision: &Decision) -> Advice {
    let host = &*host_of(&evidence.image.image);
    match decision.cause {
        Cause::Harmless => harmless(evidence),
        Cause::SecretUnreadable => unreadable(evidence),
        Cause::RateLimited => rate_limited(evidence, host),
        Cause::SecretCameLater => came_later(evidence, host),
        Cause::InjectionMissed => injection_missed(evidence),
        Cause::SecretMissing => secret_missing(evidence, host),
        Cause::SecretWrongType => wrong_type(evidence, host),
        Cause::NoKeyForRegistry => no_key(evidence, host),
        Cause::NoSecret => no_secret(evidence, host),
        Cause::CredentialExpired => expired(evidence, host),
        Cause::CredentialRefused => credential_refused(evidence, host),
        Cause::NoRightOrNoRepository => no_right(evidence, host).into(),
        Cause::IdentityRefused => identity_refused(evidence, host).into(),
        Cause::InvalidName => invalid_name(&evidence.image.image).into(),
        Cause::Network => network(evidence, host).into(),
        Cause::None
        | Cause::NeverPullAbsent
        | Cause::NeverPullNoAccess
        | Cause::Tls
        | Cause::NoPlatform
        | Cause::Disk
        | Cause::NoProgress
        | Cause::Runtime
        | Cause::MountFailed
        | Cause::NotFound
        | Cause::NodePolicy
        | Cause::NodeSide
        | Cause::Unscheduled
        | Cause::Unknown => fixed(evidence, decision.cause, host).into(),
    }
}

/// Returns the sentence for a cause that depends on image, host and node alone.
fn fixed(evidence: &Evidence<'_>, cause: Cause, host: &str) -> String {
    let image = clean(&evidence.image.image);
    let node = evidence.pod.node.as_deref().unwrap_or("of the pod");
    let asked = asked(evidence, host);
    let text = match cause {
        Cause::None => "node NODE is pulling IMAGE; no attempt has failed so far",
        Cause::NeverPullAbsent => {
            "the pull policy is Never, and node NODE has no copy of IMAGE: change imagePullPolicy, or load the image onto the node"
        }
        Cause::NeverPullNoAccess => {
            "the pull policy is Never; IMAGE is on node NODE, but no credential of this pod ever pulled it: give the pod a pull secret \
             and the policy IfNotPresent"
        }
        Cause::Tls => {
            "node NODE does not accept the TLS certificate of HOST, or that host speaks plain HTTP: this is not about credentials"
        }
        Cause::NoPlatform => {
            "IMAGE has no variant for the platform of node NODE: build one, or set a nodeSelector"
        }
        Cause::Disk => "the disk of node NODE is full, or fails: this is not about credentials",
        Cause::NoProgress => {
            "the pull of IMAGE was ended because no data came for minutes: check the network between node NODE and HOST"
        }
        Cause::MountFailed => "IMAGE was pulled, but cannot be mounted as a volume on node NODE",
        Cause::NotFound => "HOST has no such image: IMAGE; check repository, tag and digest",
        Cause::NodePolicy => "a policy of node NODE refuses IMAGE: this is not about credentials",
        Cause::NodeSide => {
            "the pull works from here with the same credential: look at mirrors, proxy and clock of node NODE"
        }
        Cause::Unscheduled => "the pod has no node yet: this is not about images",
        Cause::Runtime => "the container runtime of node NODE fails: this is not about credentials",
        _ => "the text of the node is not known here; it is shown below as it came",
    };
    let asked = if cause == Cause::NotFound {
        host
    } else {
        asked
    };
    text.replace("NODE", node)
        .replace("HOST", asked)
        .replace("IMAGE", &image)
}

impl From<String> for Advice {
    fn from(message: String) -> Self {
        Self {
            message,
            ..Self::default()
        }
    }
}

fn harmless(evidence: &Evidence<'_>) -> Advice {
    let absent: Vec<_> = names_in(evidence, |state| *state == SecretState::Absent);
    Advice {
        message: format!(
            "nothing waits; the pod lists {}, which does not exist: remove it from the list",
            absent.join(", ")
        ),
        ..Advice::default()
    }
}

fn invalid_name(image: &str) -> String {
    let shown = clean(image);
    match Image::parse(image) {
        Ok(_) => format!("{shown:?} is not a valid image reference"),
        Err(error) => format!("{shown:?} is not a valid image reference: {error}"),
    }
}

fn unreadable(evidence: &Evidence<'_>) -> Advice {
    let namespace = &evidence.pod.namespace;
    match &evidence.simulation.unreadable {
        Some(name) => Advice {
            message: format!(
                "Secret {name} cannot be decoded: it stops every pull of this pod, also those that another Secret would serve"
            ),
            fix: recreate(namespace, name, &host_of(&evidence.image.image)),
            heals: None,
        },
        None => Advice {
            message: "a listed pull secret cannot be decoded: it stops every pull of this pod"
                .to_owned(),
            fix: vec![format!(
                "kubectl -n {namespace} get secret {} -o yaml",
                evidence.pod.listed.join(" ")
            )],
            heals: None,
        },
    }
}

fn network(evidence: &Evidence<'_>, host: &str) -> String {
    let asked = asked(evidence, host);
    let mirror = if asked == host {
        String::new()
    } else {
        format!(", a mirror of {host},")
    };
    let node = evidence.pod.node.as_deref().unwrap_or("of the pod");
    format!(
        "node {node} cannot reach {asked}{mirror}: this is not about credentials; check DNS, firewall and proxy of the node"
    )
}

fn rate_limited(evidence: &Evidence<'_>, host: &str) -> Advice {
    if texts::meaning("", &evidence.image.message) == Some(PullText::Throttled) {
        return Advice {
            message:
                "the kubelet starts no more pulls at once on this node; it tries again by itself"
                    .to_owned(),
            heals: Some(LONGEST_BACK_OFF),
            ..Advice::default()
        };
    }
    let by = match evidence.simulation.tried.first() {
        Some(tried) => format!("the account {}", clean(&tried.username)),
        None if evidence.simulation.is_complete => "anonymous pulls".to_owned(),
        None => "pulls of this node".to_owned(),
    };
    Advice {
        message: format!("{host} limits the rate of {by}; it works again when the limit resets"),
        heals: Some(LONGEST_BACK_OFF),
        ..Advice::default()
    }
}

fn came_later(evidence: &Evidence<'_>, host: &str) -> Advice {
    let secret = evidence.simulation.tried.first();
    let secret = secret.map_or("", |tried| &tried.secret);
    Advice {
        message: format!(
            "Secret {secret} has a credential for {host}, but was not there at the last attempt: the next one uses it"
        ),
        fix: vec![delete_pod(evidence)],
        heals: Some(LONGEST_BACK_OFF),
    }
}

fn injection_missed(evidence: &Evidence<'_>) -> Advice {
    let RuleView::Secrets { rule, missing } = evidence.rule else {
        return Advice::default();
    };
    let missing = missing.join(", ");
    Advice {
        message: format!(
            "rule {rule} gives pods of this namespace {missing}, and this pod was created without: the webhook was away; recreate the pod"
        ),
        fix: vec![delete_pod(evidence)],
        heals: None,
    }
}

fn secret_missing(evidence: &Evidence<'_>, host: &str) -> Advice {
    let namespace = &evidence.pod.namespace;
    let absent = names_in(evidence, |state| *state == SecretState::Absent);
    let names = absent.join(", ");
    Advice {
        message: format!("the pod lists {names}, which does not exist in namespace {namespace}"),
        fix: absent
            .iter()
            .map(|name| create(namespace, name, host))
            .collect(),
        heals: None,
    }
}

fn no_key(evidence: &Evidence<'_>, host: &str) -> Advice {
    let image = clean(&evidence.image.image);
    let listed = evidence.pod.listed.join(", ");
    Advice {
        message: format!("no pull secret of the pod has a key for {image}: it lists {listed}"),
        fix: vec![create(&evidence.pod.namespace, "NAME", host)],
        heals: None,
    }
}

fn no_secret(evidence: &Evidence<'_>, host: &str) -> Advice {
    let PodView {
        namespace, listed, ..
    } = evidence.pod;
    if listed.is_empty() {
        let rule = by_rule(evidence);
        return Advice {
            message: format!(
                "{host} asks for a credential, and the pod lists no pull secret{rule}"
            ),
            fix: vec![create(namespace, "NAME", host)],
            heals: None,
        };
    }
    let listed = listed.join(", ");
    Advice {
        message: format!(
            "the node sent no credential to {host}: none of {listed} serves the image; the right to read Secrets would say why"
        ),
        fix: vec![format!("kubectl auth can-i get secrets -n {namespace}")],
        heals: None,
    }
}

fn by_rule(evidence: &Evidence<'_>) -> String {
    match evidence.rule {
        RuleView::None => "; no rule of the policy covers the image".to_owned(),
        RuleView::Public { rule } => format!("; rule {rule} says that the image is public"),
        RuleView::Secrets { rule, .. } | RuleView::Node { rule } => {
            format!("; rule {rule} covers the image")
        }
        RuleView::Unknown => String::new(),
    }
}

fn wrong_type(evidence: &Evidence<'_>, host: &str) -> Advice {
    let namespace = &evidence.pod.namespace;
    let wrong = evidence
        .secrets
        .iter()
        .find_map(|secret| match &secret.state {
            SecretState::OtherType(of_type) => Some((secret, format!("is of type {of_type}"))),
            SecretState::Empty => Some((secret, "holds no credentials".to_owned())),
            SecretState::Unread | SecretState::Absent | SecretState::Read(_) => None,
        });
    let Some((secret, what)) = wrong else {
        return Advice::default();
    };
    let name = &secret.name;
    Advice {
        message: format!(
            "Secret {name} {what}, so the kubelet ignores it: delete it and create it again, because its type cannot be changed"
        ),
        fix: vec![
            format!("kubectl -n {namespace} delete secret {name}"),
            create(namespace, name, host),
        ],
        heals: None,
    }
}

fn expired(evidence: &Evidence<'_>, host: &str) -> Advice {
    let tried = &evidence.simulation.tried;
    let ends = tried
        .iter()
        .filter_map(|tried| Some((tried, tried.expires?)));
    let ends: Vec<_> = ends
        .map(|(tried, end)| format!("{} expired {}", one(tried), day(end)))
        .collect();
    Advice {
        message: format!("the credential for {host} has expired: {}", ends.join("; ")),
        fix: renew(evidence, host),
        heals: None,
    }
}

fn credential_refused(evidence: &Evidence<'_>, host: &str) -> Advice {
    let tried = &evidence.simulation.tried;
    let message = if tried.is_empty() {
        format!(
            "{host} refuses the credential that the node sent; the right to read Secrets would say which one that is"
        )
    } else {
        format!("{host} refuses {}: renew the Secret", all(tried))
    };
    Advice {
        message,
        fix: renew(evidence, host),
        heals: None,
    }
}

fn no_right(evidence: &Evidence<'_>, host: &str) -> String {
    let image = clean(&evidence.image.image);
    let tried = &evidence.simulation.tried;
    let to = if tried.is_empty() {
        String::new()
    } else {
        format!(" to {}", all(tried))
    };
    format!(
        "{host} refuses to give {image}{to}: the account has no right to the repository, or it does not exist"
    )
}

fn identity_refused(evidence: &Evidence<'_>, host: &str) -> String {
    let image = clean(&evidence.image.image);
    format!(
        "the policy says that nodes pull {image} with their own identity, and {host} refuses it: grant that identity the right to pull"
    )
}

fn renew(evidence: &Evidence<'_>, host: &str) -> Vec<String> {
    let first = evidence.simulation.tried.first();
    let renew = first.map(|tried| replace(&evidence.pod.namespace, &tried.secret, host));
    renew.into_iter().collect()
}

fn names_in<'e>(evidence: &'e Evidence<'_>, is: impl Fn(&SecretState) -> bool) -> Vec<&'e str> {
    let secrets = evidence.secrets.iter();
    let named = secrets.filter(|secret| is(&secret.state));
    named.map(|secret| &*secret.name).collect()
}

fn all(tried: &[TriedCredential]) -> String {
    let all: Vec<_> = tried.iter().map(one).collect();
    all.join(" and ")
}

fn one(tried: &TriedCredential) -> String {
    format!("user {} of Secret {}", clean(&tried.username), tried.secret)
}

fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// The host in the text of the node; without one, that of the image.
fn asked<'e>(evidence: &'e Evidence<'_>, host: &'e str) -> &'e str {
    let asked = texts::asked_host(&evidence.image.message);
    asked
        .filter(|asked| !asked.contains('@') && !is_docker_hub(asked, host))
        .unwrap_or(host)
}

/// Docker Hub answers under another name than that of its images.
fn is_docker_hub(asked: &str, host: &str) -> bool {
    host == "docker.io" && asked == "registry-1.docker.io"
}

fn host_of(image: &str) -> String {
    match Image::parse(image) {
        Ok(image) if !image.registry().is_empty() => image.registry().to_owned(),
        Ok(_) | Err(_) => "the registry".to_owned(),
    }
}

fn delete_pod(evidence: &Evidence<'_>) -> String {
    format!(
        "kubectl -n {} delete pod {}",
        evidence.pod.namespace, evidence.pod.name
    )
}

fn create(namespace: &str, name: &str, host: &str) -> String {
    let server = if host == "docker.io" {
        "https://index.docker.io/v1/"
    } else {
        host
    };
    format!(
        "kubectl -n {namespace} create secret docker-registry {name} --docker-server={server} --docker-username=USER --docker-password=PASSWORD"
    )
}

fn replace(namespace: &str, name: &str, host: &str) -> String {
    format!(
        "{} --dry-run=client -o yaml | kubectl apply -f -",
        create(namespace, name, host)
    )
}

fn recreate(namespace: &str, name: &str, host: &str) -> Vec<String> {
    vec![
        format!("kubectl -n {namespace} delete secret {name}"),
        create(namespace, name, host),
    ]
}
