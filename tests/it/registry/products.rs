//! Registries that users run themselves answer each in its own way, and get the right verdict.

use super::rows::{hold, htpasswd, tokens};
use super::server::{Asked, Place, Reply, User};
use pullgate::kubelet::registry::verdict::Verdict::{
    BadCredential, Good, Missing, NoRightOrMissing, Refused,
};

#[tokio::test]
async fn distribution_with_htpasswd() {
    let lines = [
        ("registry.test/team/app:1", User::Good, Good),
        ("registry.test/team/app:1", User::Wrong, BadCredential),
        ("registry.test/team/app:2", User::Good, Missing),
        ("registry.test/team/gone:1", User::Good, Missing),
        ("registry.test/team/app:1", User::Anonymous, Refused),
    ];
    hold(&["registry.test"], htpasswd, &lines).await;
}

#[tokio::test]
async fn distribution_with_tokens() {
    let lines = [
        ("registry.test/team/app:1", User::Good, Good),
        ("registry.test/team/app:1", User::Wrong, BadCredential),
        ("registry.test/team/app:1", User::Stranger, NoRightOrMissing),
        ("registry.test/team/gone:1", User::Good, NoRightOrMissing),
        ("registry.test/team/app:2", User::Good, Missing),
    ];
    let script = |asked: &Asked| tokens(asked, "https://registry.test/token");
    hold(&["registry.test"], script, &lines).await;
}

/// Trap 30: Harbor grants a token without rights to a wrong password, and asks for Basic once a token was sent.
#[tokio::test]
async fn trap_30_harbor() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Login, User::Wrong) => Reply::error(401, "UNAUTHORIZED", "unauthorized"),
        (Place::Token | Place::Login, user) => Reply::token(user),
        (_, _) if asked.is_bare() => Reply::bearer("https://harbor.test/service/token"),
        (_, User::Good) if !asked.path.contains("/team/") => {
            Reply::challenge("Basic realm=\"harbor\"")
        }
        (_, User::Good) if !asked.is_in("team/app") || !asked.has_tag("1") => Reply::status(404),
        (_, User::Good) => Reply::ok(),
        _ => Reply::challenge("Basic realm=\"harbor\""),
    };
    let lines = [
        ("harbor.test/team/app:1", User::Good, Good),
        ("harbor.test/team/app:1", User::Wrong, BadCredential),
        ("harbor.test/team/app:1", User::Stranger, NoRightOrMissing),
        ("harbor.test/foreign/app:1", User::Good, NoRightOrMissing),
        ("harbor.test/team/gone:1", User::Good, Missing),
        ("harbor.test/team/app:2", User::Good, Missing),
    ];
    hold(&["harbor.test"], script, &lines).await;
}

/// Its token endpoint is on another host, and answers a wrong password with 403, newer versions with 401.
#[tokio::test]
async fn gitlab() {
    for status in [401, 403] {
        let script = move |asked: &Asked| match (asked.place(), asked.user()) {
            (Place::Token | Place::Login, User::Wrong) => Reply::status(status),
            _ => tokens(asked, "https://gitlab.com/jwt/auth"),
        };
        let lines = [
            ("registry.gitlab.com/team/app:1", User::Good, Good),
            ("registry.gitlab.com/team/app:1", User::Wrong, BadCredential),
            (
                "registry.gitlab.com/team/app:1",
                User::Stranger,
                NoRightOrMissing,
            ),
            (
                "registry.gitlab.com/team/gone:1",
                User::Good,
                NoRightOrMissing,
            ),
            ("registry.gitlab.com/team/app:2", User::Good, Missing),
        ];
        hold(&["registry.gitlab.com", "gitlab.com"], script, &lines).await;
    }
}

/// A tag that a virtual repository lacks gets 403 where one of the repositories behind it cannot be read.
#[tokio::test]
async fn artifactory() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (_, User::Anonymous | User::Wrong) => Reply::challenge("Basic realm=\"Artifactory Realm\""),
        (Place::Manifest, User::Stranger) => Reply::status(403),
        (Place::Manifest, _) if !asked.has_tag("1") => Reply::status(403),
        _ => Reply::ok(),
    };
    let lines = [
        ("corp.jfrog.io/team/app:1", User::Good, Good),
        ("corp.jfrog.io/team/app:1", User::Wrong, BadCredential),
        ("corp.jfrog.io/team/app:1", User::Stranger, NoRightOrMissing),
        ("corp.jfrog.io/team/app:2", User::Good, NoRightOrMissing),
    ];
    hold(&["corp.jfrog.io"], script, &lines).await;
}

#[tokio::test]
async fn nexus() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Manifest, User::Stranger) => Reply::status(403),
        _ => htpasswd(asked),
    };
    let lines = [
        ("nexus.test/team/app:1", User::Good, Good),
        ("nexus.test/team/app:1", User::Wrong, BadCredential),
        ("nexus.test/team/app:1", User::Stranger, NoRightOrMissing),
        ("nexus.test/team/app:2", User::Good, Missing),
    ];
    hold(&["nexus.test"], script, &lines).await;
}

/// It answers a POST for a token with 404; a probe sends none.
#[tokio::test]
async fn gitea() {
    let script = |asked: &Asked| {
        assert_ne!(asked.method, "POST");
        match (asked.place(), asked.user()) {
            (Place::Manifest, User::Good) if !asked.is_in("team/app") => Reply::status(404),
            _ => tokens(asked, "https://gitea.test/v2/token"),
        }
    };
    let lines = [
        ("gitea.test/team/app:1", User::Good, Good),
        ("gitea.test/team/app:1", User::Wrong, BadCredential),
        ("gitea.test/team/gone:1", User::Good, Missing),
    ];
    hold(&["gitea.test"], script, &lines).await;
}
