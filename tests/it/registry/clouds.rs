//! Registries of clouds answer each in its own way, and get the right verdict.

use super::rows::{hold, last_text, tokens};
use super::server::{Asked, Place, Reply, User};
use pullgate::kubelet::registry::verdict::Verdict::{
    BadCredential, Good, Limited, Missing, NoRightOrMissing, Public, Refused, Unknown,
};

#[tokio::test]
async fn docker_hub() {
    let script = |asked: &Asked| {
        if asked.has_tag("busy") && !asked.is_bare() {
            return Reply::error(429, "TOOMANYREQUESTS", "rate limit").with("retry-after", "60");
        }
        if asked.is_in("library/nginx") && !asked.is_bare() {
            return Reply::ok();
        }
        tokens(asked, "https://auth.docker.io/token")
    };
    let lines = [
        ("team/app:1", User::Good, Good),
        ("team/app:1", User::Wrong, BadCredential),
        ("team/app:1", User::Stranger, NoRightOrMissing),
        ("other/app:1", User::Good, NoRightOrMissing),
        ("team/app:2", User::Good, Missing),
        ("team/app:busy", User::Good, Limited),
        ("nginx", User::Good, Public),
        ("nginx", User::Anonymous, Public),
        // A wrong password breaks pulls of public images too.
        ("nginx", User::Wrong, BadCredential),
    ];
    let reports = hold(&["registry-1.docker.io", "auth.docker.io"], script, &lines).await;
    assert_eq!(
        last_text(&reports[1]),
        "UNAUTHORIZED: wrong password; you sent Basic …"
    );
    let limited = reports[5].probes.pull.as_ref().expect("a pull");
    assert_eq!(limited.retry_after, Some(60));
}

/// GHCR answers 403 without a challenge to every bad credential, and to a missing right.
#[tokio::test]
async fn ghcr() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Manifest, _) if asked.is_bare() => Reply::bearer("https://ghcr.io/token"),
        (Place::Manifest, User::Anonymous) => Reply::ok(),
        (Place::Manifest, User::Good) if asked.is_in("team/app") => Reply::ok(),
        (Place::Manifest, _) => Reply::error(403, "DENIED", "denied"),
        // Anonymous tokens are for public images alone.
        (Place::Token, User::Anonymous) if !asked.query.contains("public") => {
            Reply::error(401, "UNAUTHORIZED", "authentication required")
        }
        (_, user) => Reply::token(user),
    };
    let public = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Manifest, User::Anonymous | User::Good) if !asked.is_bare() => Reply::ok(),
        (Place::Manifest, _) if asked.is_bare() => Reply::bearer("https://ghcr.io/token"),
        (Place::Manifest, _) => Reply::error(403, "DENIED", "denied"),
        (_, user) => Reply::token(user),
    };
    let lines = [
        ("ghcr.io/team/app:1", User::Good, Good),
        // The fault is not clear from the answers.
        ("ghcr.io/team/app:1", User::Wrong, Refused),
        ("ghcr.io/team/app:1", User::Stranger, Refused),
        ("ghcr.io/team/gone:1", User::Good, Refused),
        ("ghcr.io/team/app:1", User::Anonymous, Refused),
    ];
    hold(&["ghcr.io"], script, &lines).await;
    let lines = [
        ("ghcr.io/team/app:1", User::Good, Public),
        ("ghcr.io/team/app:1", User::Wrong, BadCredential),
    ];
    hold(&["ghcr.io"], public, &lines).await;
}

const ECR: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

/// An expired token gets 403 and a text that is not JSON; so does, without that text, a missing right.
#[tokio::test]
async fn ecr_private() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (_, User::Anonymous) => {
            Reply::challenge("Basic realm=\"https://ecr.aws/\",service=\"ecr.amazonaws.com\"")
        }
        (_, User::Wrong) if asked.has_tag("expired") || asked.place() == Place::Api => Reply::text(
            403,
            "Your Authorization Token has expired. Please run 'aws ecr get-login'",
        ),
        (_, User::Wrong) => Reply::status(401),
        (Place::Manifest, User::Stranger) => Reply::status(403),
        (Place::Manifest, _) if !asked.is_in("team/app") => {
            Reply::error(404, "NAME_UNKNOWN", "no repository")
        }
        _ => Reply::ok(),
    };
    let image = format!("{ECR}/team/app:1");
    let expired = format!("{ECR}/team/app:expired");
    let gone = format!("{ECR}/team/gone:1");
    let lines = [
        (image.as_str(), User::Good, Good),
        (&expired, User::Wrong, BadCredential),
        (&image, User::Wrong, BadCredential),
        (&image, User::Stranger, NoRightOrMissing),
        (&gone, User::Good, Missing),
    ];
    let reports = hold(&[ECR], script, &lines).await;
    assert!(last_text(&reports[1]).starts_with("Your Authorization Token has expired."));
}

/// An invalid bearer token gets 400, without a challenge.
#[tokio::test]
async fn ecr_public() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Manifest, _) if asked.is_bare() => Reply::bearer("https://public.ecr.aws/token/"),
        (Place::Manifest, User::Wrong) => Reply::error(400, "UNKNOWN", "bad token"),
        (Place::Manifest, _) if !asked.is_in("team/app") => Reply::status(404),
        (Place::Manifest, _) => Reply::ok(),
        (Place::Login, User::Wrong) => Reply::status(400),
        (_, user) => Reply::token(user),
    };
    let lines = [
        ("public.ecr.aws/team/app:1", User::Good, Public),
        ("public.ecr.aws/team/app:1", User::Wrong, BadCredential),
        ("public.ecr.aws/team/gone:1", User::Good, Missing),
    ];
    hold(&["public.ecr.aws"], script, &lines).await;
    // Elsewhere a 400 says nothing.
    let elsewhere = |asked: &Asked| match asked.place() {
        Place::Manifest if asked.is_bare() => Reply::bearer("https://registry.test/token"),
        Place::Manifest => Reply::status(400),
        _ => Reply::token(asked.user()),
    };
    let lines = [("registry.test/team/app:1", User::Wrong, Unknown)];
    hold(&["registry.test"], elsewhere, &lines).await;
}

/// The token endpoint refuses a right with 403, and names the permission and the repository.
#[tokio::test]
async fn google_artifact_registry() {
    const TEXT: &str = "Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \
                        \"projects/corp/locations/europe-west1/repositories/team\" (or it may not exist)";
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Manifest, _) if asked.is_bare() => {
            Reply::challenge("Bearer realm=\"https://europe-west1-docker.pkg.dev/v2/token\"")
        }
        (Place::Manifest, _) if !asked.has_tag("1") => Reply::status(404),
        (Place::Manifest, _) => Reply::ok(),
        (_, User::Wrong) => Reply::status(401),
        (Place::Token, User::Good) if asked.query.contains("corp%2Fteam%2Fapp") => {
            Reply::token(User::Good)
        }
        (Place::Token, _) => Reply::error(403, "DENIED", TEXT),
        (_, user) => Reply::token(user),
    };
    let host = "europe-west1-docker.pkg.dev";
    let lines = [
        (
            "europe-west1-docker.pkg.dev/corp/team/app:1",
            User::Good,
            Good,
        ),
        (
            "europe-west1-docker.pkg.dev/corp/team/app:1",
            User::Wrong,
            BadCredential,
        ),
        (
            "europe-west1-docker.pkg.dev/corp/team/app:1",
            User::Stranger,
            NoRightOrMissing,
        ),
        (
            "europe-west1-docker.pkg.dev/corp/gone/app:1",
            User::Good,
            NoRightOrMissing,
        ),
        (
            "europe-west1-docker.pkg.dev/corp/team/app:2",
            User::Good,
            Missing,
        ),
    ];
    let reports = hold(&[host], script, &lines).await;
    let pull = reports[2].probes.pull.as_ref().expect("a pull");
    let text = pull.text.as_deref().expect("a text");
    assert!(text.starts_with(&format!("DENIED: {TEXT}")), "{text}");
}

/// It offers both schemes, and its firewall answers 403 to everything.
#[tokio::test]
async fn azure() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Manifest, _) if asked.is_bare() => {
            Reply::challenge("Basic realm=\"https://corp.azurecr.io/\"").with(
                "www-authenticate",
                "Bearer realm=\"https://corp.azurecr.io/oauth2/token\",service=\"corp.azurecr.io\"",
            )
        }
        (Place::Manifest, User::Good) if asked.is_in("team/app") => Reply::ok(),
        (Place::Manifest, User::Good) => Reply::status(404),
        (Place::Manifest, _) => Reply::status(401),
        (_, User::Anonymous | User::Wrong) => {
            Reply::error(401, "UNAUTHORIZED", "authentication required")
        }
        (_, user) => Reply::token(user),
    };
    let lines = [
        ("corp.azurecr.io/team/app:1", User::Good, Good),
        ("corp.azurecr.io/team/app:1", User::Wrong, BadCredential),
        (
            "corp.azurecr.io/team/app:1",
            User::Stranger,
            NoRightOrMissing,
        ),
        ("corp.azurecr.io/team/gone:1", User::Good, Missing),
    ];
    hold(&["corp.azurecr.io"], script, &lines).await;
    let firewall = |asked: &Asked| match asked.place() {
        Place::Manifest if asked.is_bare() => Reply::bearer("https://corp.azurecr.io/oauth2/token"),
        _ => Reply::error(
            403,
            "DENIED",
            "client with IP '192.0.2.1' is not allowed access",
        ),
    };
    let lines = [("corp.azurecr.io/team/app:1", User::Good, Refused)];
    let reports = hold(&["corp.azurecr.io"], firewall, &lines).await;
    assert!(
        last_text(&reports[0])
            .starts_with("DENIED: client with IP '192.0.2.1' is not allowed access")
    );
    let closed = |_: &Asked| Reply::status(403);
    hold(&["corp.azurecr.io"], closed, &lines).await;
}

/// Its token endpoint names the cause.
#[tokio::test]
async fn quay() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Token | Place::Login, User::Wrong) => {
            Reply::error(401, "UNAUTHORIZED", "This robot account has been disabled")
        }
        (Place::Manifest, User::Good) if asked.has_tag("expired") => {
            Reply::error(404, "TAG_EXPIRED", "the tag has expired")
        }
        _ => tokens(asked, "https://quay.io/v2/auth"),
    };
    let lines = [
        ("quay.io/team/app:1", User::Good, Good),
        ("quay.io/team/app:1", User::Wrong, BadCredential),
        ("quay.io/team/app:1", User::Stranger, NoRightOrMissing),
        ("quay.io/team/gone:1", User::Good, NoRightOrMissing),
        ("quay.io/team/app:2", User::Good, Missing),
        ("quay.io/team/app:expired", User::Good, Missing),
    ];
    let reports = hold(&["quay.io"], script, &lines).await;
    assert!(
        last_text(&reports[1]).starts_with("UNAUTHORIZED: This robot account has been disabled")
    );
}
