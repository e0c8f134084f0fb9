//! The requests that a probe sends, and those that it never sends.

use super::server::{Asked, Place, Reply, ScriptedRegistry, User};
use super::{probe, probe_with};
use pullgate::kubelet::registry::url::MANIFEST_TYPES;
use pullgate::kubelet::registry::verdict::{Ending, Failure, Step, Verdict};

const IMAGE: &str = "registry.test/team/app:1";

/// A registry with this challenge, and a token endpoint that grants everything.
fn with_realm(realm: &'static str) -> impl Fn(&Asked) -> Reply {
    move |asked| match (asked.place(), asked.user()) {
        (Place::Manifest, User::Good) => Reply::ok(),
        (Place::Manifest, _) => Reply::bearer(realm),
        (_, User::Anonymous) => Reply::status(401),
        (_, user) => Reply::token(user),
    }
}

#[tokio::test]
async fn a_good_credential_costs_one_request_with_the_password() {
    let script = with_realm("https://registry.test/token?tenant=7");
    let registry = ScriptedRegistry::start(&["registry.test"], script).await;
    let report = probe(&registry, IMAGE, User::Good).await;
    let asked = registry.asked();
    let lines: Vec<_> = asked.iter().map(Asked::line).collect();
    assert_eq!(
        lines,
        [
            "HEAD registry.test/v2/team/app/manifests/1",
            "GET registry.test/token",
            "GET registry.test/token +",
            "HEAD registry.test/v2/team/app/manifests/1 +",
        ]
    );
    let query = "tenant=7&service=scripted&scope=repository%3Ateam%2Fapp%3Apull";
    assert_eq!(asked[2].query, query);
    assert_eq!(asked[0].accept, MANIFEST_TYPES);
    assert_eq!(asked[2].accept, "application/json");
    assert_eq!(
        serde_json::to_value(&report).expect("JSON"),
        serde_json::json!({
            "verdict": "good",
            "anonymous": {
                "step": "token", "status": 401, "url": "https://registry.test/token",
                "text": "DENIED: scripted refusal; you sent nothing",
            },
            "pull": {"step": "manifest", "status": 200, "url": "https://registry.test/v2/team/app/manifests/1"},
            "login": null,
        })
    );
}

#[tokio::test]
async fn a_refused_credential_is_sent_twice_and_no_more() {
    for (challenge, expected) in [
        (
            "Bearer realm=\"https://registry.test/token\"",
            vec![
                "HEAD registry.test/v2/team/app/manifests/1",
                "GET registry.test/token",
                "GET registry.test/token +",
                "GET registry.test/token +",
            ],
        ),
        (
            "Basic realm=\"x\"",
            vec![
                "HEAD registry.test/v2/team/app/manifests/1",
                "HEAD registry.test/v2/team/app/manifests/1 +",
                "GET registry.test/v2/ +",
            ],
        ),
    ] {
        let script = move |_: &Asked| Reply::challenge(challenge);
        let registry = ScriptedRegistry::start(&["registry.test"], script).await;
        let report = probe(&registry, IMAGE, User::Wrong).await;
        assert_eq!(report.verdict, Verdict::BadCredential);
        let asked = registry.asked();
        assert_eq!(asked.iter().map(Asked::line).collect::<Vec<_>>(), expected);
        // The scope is that of the image where the registry names none.
        let scopes: Vec<_> = asked
            .iter()
            .filter(|asked| asked.place() == Place::Token)
            .collect();
        assert!(
            scopes
                .iter()
                .all(|asked| asked.query == "scope=repository%3Ateam%2Fapp%3Apull")
        );
    }
}

#[tokio::test]
async fn a_failing_registry_is_asked_once() {
    for status in [400, 408, 429, 500, 503] {
        let script = move |_: &Asked| Reply::status(status);
        let registry = ScriptedRegistry::start(&["registry.test"], script).await;
        let report = probe(&registry, IMAGE, User::Good).await;
        let expected = if status == 429 {
            Verdict::Limited
        } else {
            Verdict::Unknown
        };
        assert_eq!(report.verdict, expected);
        assert_eq!(
            registry.lines(),
            ["HEAD registry.test/v2/team/app/manifests/1"]
        );
    }
}

/// Where the control fails, a pull that succeeds proves nothing: the image may be public.
#[tokio::test]
async fn a_good_pull_without_a_control_proves_nothing() {
    let script = |asked: &Asked| match (asked.place(), asked.user()) {
        (Place::Token, User::Anonymous) => Reply::status(503),
        _ => with_realm("https://registry.test/token")(asked),
    };
    let registry = ScriptedRegistry::start(&["registry.test"], script).await;
    assert_eq!(
        probe(&registry, IMAGE, User::Good).await.verdict,
        Verdict::Unknown
    );
}

#[tokio::test]
async fn a_registry_that_asks_for_no_credential_gets_none() {
    for (status, expected) in [
        (200, Verdict::Public),
        (404, Verdict::Missing),
        (403, Verdict::Refused),
    ] {
        let script = move |_: &Asked| Reply::text(status, "");
        let registry = ScriptedRegistry::start(&["registry.test"], script).await;
        assert_eq!(probe(&registry, IMAGE, User::Good).await.verdict, expected);
        assert_eq!(
            registry.lines(),
            ["HEAD registry.test/v2/team/app/manifests/1"]
        );
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let hosts = &["registry.test", "evil.test"];
    for status in [301, 302, 307, 308] {
        let script = move |asked: &Asked| match asked.user() {
            User::Anonymous => Reply::challenge("Basic realm=\"x\""),
            _ => Reply::text(status, "").with("location", "https://evil.test/v2/?sig=abc"),
        };
        let registry = ScriptedRegistry::start(hosts, script).await;
        let report = probe(&registry, IMAGE, User::Good).await;
        assert_eq!(report.verdict, Verdict::Unknown);
        let pull = report.probes.pull.expect("a pull");
        assert_eq!(pull.ending, Ending::Status(status));
        assert_eq!(pull.text.as_deref(), Some("https://evil.test/v2/"));
        assert!(
            registry
                .asked()
                .iter()
                .all(|asked| asked.host == "registry.test")
        );
    }
}

#[tokio::test]
async fn a_token_endpoint_that_redirects_is_not_followed() {
    let script = |asked: &Asked| match asked.place() {
        Place::Manifest => Reply::bearer("https://registry.test/token"),
        _ => Reply::text(302, "").with("location", "https://evil.test/token"),
    };
    let registry = ScriptedRegistry::start(&["registry.test", "evil.test"], script).await;
    assert_eq!(
        probe(&registry, IMAGE, User::Good).await.verdict,
        Verdict::Unknown
    );
    assert!(
        registry
            .asked()
            .iter()
            .all(|asked| asked.host == "registry.test")
    );
}

#[tokio::test]
async fn a_foreign_realm_is_not_asked_at_all() {
    for realm in [
        "https://evil.test/token?key=abc",
        "http://registry.test/token?key=abc",
        "https://registry.test:8443/token?key=abc",
        "https://registry.test@evil.test/token?key=abc",
        "",
    ] {
        let registry =
            ScriptedRegistry::start(&["registry.test", "evil.test"], with_realm(realm)).await;
        let report = probe(&registry, IMAGE, User::Good).await;
        assert_eq!(report.verdict, Verdict::Unknown);
        let answer = report.probes.anonymous.expect("an answer");
        assert_eq!(answer.ending, Ending::Failure(Failure::ForeignRealm));
        let text = answer.text.unwrap_or_default();
        assert!(!text.contains("abc") && !text.contains('@'), "{text}");
        assert_eq!(
            registry.lines(),
            ["HEAD registry.test/v2/team/app/manifests/1"]
        );
    }
}

#[tokio::test]
async fn a_realm_that_the_caller_names_gets_the_credential() {
    let script = with_realm("https://auth.test/token");
    let registry = ScriptedRegistry::start(&["registry.test", "auth.test"], script).await;
    let report = probe_with(&registry, IMAGE, User::Good, &["auth.test"]).await;
    assert_eq!(report.verdict, Verdict::Good);
    assert!(
        registry
            .lines()
            .contains(&"GET auth.test/token +".to_owned())
    );
}

#[tokio::test]
async fn a_head_that_is_not_allowed_is_asked_as_get() {
    let script = |asked: &Asked| {
        if asked.method == "HEAD" {
            return Reply::status(405);
        }
        match asked.user() {
            User::Good => Reply::ok(),
            _ => Reply::challenge("Basic realm=\"x\""),
        }
    };
    let registry = ScriptedRegistry::start(&["registry.test"], script).await;
    assert_eq!(
        probe(&registry, IMAGE, User::Good).await.verdict,
        Verdict::Good
    );
    let methods = registry.asked();
    let methods: Vec<_> = methods.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(methods, ["HEAD", "GET", "HEAD", "GET"]);
}

/// containerd prefers tokens to Basic, in any order.
#[tokio::test]
async fn of_two_schemes_the_token_is_taken() {
    for challenge in [
        "Basic realm=\"x\", Bearer realm=\"https://registry.test/token\"",
        "Bearer realm=\"https://registry.test/token\", Basic realm=\"x\"",
    ] {
        let script = move |asked: &Asked| match asked.place() {
            Place::Manifest if asked.is_bare() => Reply::challenge(challenge),
            _ => with_realm("https://registry.test/token")(asked),
        };
        let registry = ScriptedRegistry::start(&["registry.test"], script).await;
        assert_eq!(
            probe(&registry, IMAGE, User::Good).await.verdict,
            Verdict::Good
        );
        let lines = registry.lines();
        assert_eq!(lines[2], "GET registry.test/token +", "{lines:?}");
    }
}

#[tokio::test]
async fn an_unknown_scheme_ends_the_probe() {
    for challenge in [
        "Negotiate",
        "Digest realm=\"x\",nonce=\"y\"",
        "garbage=\"1\"",
    ] {
        let script = move |_: &Asked| Reply::challenge(challenge);
        let registry = ScriptedRegistry::start(&["registry.test"], script).await;
        let report = probe(&registry, IMAGE, User::Good).await;
        assert_eq!(report.verdict, Verdict::Unknown);
        let answer = report.probes.anonymous.expect("an answer");
        assert_eq!(
            (answer.step, answer.ending),
            (Step::Manifest, Ending::Failure(Failure::NoScheme))
        );
        assert_eq!(registry.lines().len(), 1);
    }
}

/// A token endpoint that grants nothing is not a proof of anything.
#[tokio::test]
async fn an_empty_token_is_a_refusal() {
    for body in [
        "{\"token\": \"\"}",
        "{}",
        "[]",
        "",
        "{\"token\": \"line\\nbreak\"}",
    ] {
        let script = move |asked: &Asked| match asked.place() {
            Place::Manifest => Reply::bearer("https://registry.test/token"),
            _ => Reply::text(200, body),
        };
        let registry = ScriptedRegistry::start(&["registry.test"], script).await;
        let report = probe(&registry, IMAGE, User::Good).await;
        assert_eq!(report.verdict, Verdict::Refused);
        let pull = report.probes.pull.expect("a pull");
        assert_eq!(
            (pull.step, pull.ending),
            (Step::Token, Ending::Failure(Failure::NoToken))
        );
    }
}
