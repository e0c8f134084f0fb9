//! Tests of the decision: each state of Secrets and policy, with the same text of the node, has its own cause.

use super::{IMAGE, NO_CREDENTIAL, Scene, credential, docker, token};
use pullgate::kubelet::docker_config::Form;
use pullgate::reports::why::cause::Cause;
use pullgate::reports::why::evidence::{RuleView, SecretState};
use serde_json::json;

const HEAD_401: &str = "unexpected status from HEAD request to https://registry.test:5000/v2/payments/app/manifests/1: 401 Unauthorized";
const HEAD_403: &str = "unexpected status from HEAD request to https://registry.test:5000/v2/payments/app/manifests/1: 403 Forbidden";
const NO_SCOPE: &str = "server message: insufficient_scope: authorization failed";

fn rule(missing: &[&str]) -> RuleView {
    RuleView::Secrets {
        rule: "payments".to_owned(),
        all: vec!["payments-pull".to_owned()],
        missing: missing.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn without_a_credential_the_secrets_and_the_policy_decide() {
    let scene = || Scene::back_off(NO_CREDENTIAL);
    let opaque = || SecretState::OtherType("Opaque".to_owned());
    for (scene, expected) in [
        (scene(), "no-secret"),
        (scene().with_rule(RuleView::None), "no-secret"),
        (
            scene().with_rule(rule(&["payments-pull"])),
            "injection-missed",
        ),
        (
            scene().with_rule(RuleView::Node {
                rule: "nodes".to_owned(),
            }),
            "identity-refused",
        ),
        (scene().listing("a", SecretState::Absent), "secret-missing"),
        (scene().listing("a", opaque()), "secret-wrong-type"),
        (
            scene().listing("a", SecretState::Empty),
            "secret-wrong-type",
        ),
        (
            scene()
                .listing("a", opaque())
                .listing("b", SecretState::Absent),
            "secret-missing",
        ),
        (
            scene().listing("a", credential("ghcr.io", "p")),
            "no-key-for-registry",
        ),
        (
            scene().listing("a", credential("registry.test:5000", "p")),
            "secret-came-later",
        ),
    ] {
        assert_eq!(scene.cause(), expected, "{:#?}", scene.explain());
    }
    let mut injected = scene().with_rule(rule(&["payments-pull"]));
    injected.pod["metadata"]["annotations"] = json!({"pullgate.dev/injected": "other-pull"});
    assert_eq!(injected.cause(), "no-secret", "the webhook was not away");
}

#[test]
fn with_a_credential_the_status_and_its_end_decide() {
    let good = || credential("registry.test:5000", "p");
    let over = || credential("registry.test:5000", &token(1_700_000_000));
    let later = || credential("registry.test:5000", &token(4_000_000_000));
    for (text, secret, expected) in [
        (HEAD_401, good(), "credential-refused"),
        (HEAD_401, over(), "credential-expired"),
        (HEAD_401, later(), "credential-refused"),
        (HEAD_403, good(), "no-right-or-no-repository"),
        (NO_SCOPE, good(), "no-right-or-no-repository"),
        (NO_SCOPE, credential("ghcr.io", "p"), "no-key-for-registry"),
        (HEAD_403, credential("ghcr.io", "p"), "no-key-for-registry"),
    ] {
        let scene = Scene::back_off(text).listing("a", secret);
        assert_eq!(scene.cause(), expected, "{text}");
    }
    let both = Scene::back_off(HEAD_401)
        .listing("a", over())
        .listing("b", later());
    let explained = both.explain();
    assert_eq!(explained.cause, Cause::CredentialRefused);
    assert!(explained.candidates.contains(&Cause::CredentialExpired));
    assert_eq!(explained.credentials.len(), 2);
    let expired = Scene::back_off(HEAD_401).listing("a", over()).explain();
    let words = "the credential for registry.test:5000 has expired: user joe of Secret a expired 2023-11-14T22:13:20Z";
    assert_eq!(expired.message, words);
    assert!(expired.fix[0].starts_with("kubectl -n payments create secret docker-registry a "));
}

#[test]
fn a_secret_that_cannot_be_decoded_stops_every_pull() {
    let broken = docker(
        Form::ConfigJson,
        "{\"auths\": {\"x\": {\"auth\": \"!!!\"}}}",
    );
    let scene = Scene::back_off(NO_CREDENTIAL)
        .listing("broken", broken)
        .listing("good", credential("registry.test:5000", "p"));
    let explained = scene.explain();
    assert_eq!(explained.cause, Cause::SecretUnreadable);
    assert!(
        explained.message.contains("Secret broken"),
        "{}",
        explained.message
    );
}

#[test]
fn without_rights_the_cause_is_no_narrower_than_the_text() {
    let unread = || Scene::back_off(NO_CREDENTIAL).listing("a", SecretState::Unread);
    let explained = unread().explain();
    assert_eq!(explained.cause, Cause::NoSecret);
    let candidates = [
        Cause::SecretMissing,
        Cause::SecretWrongType,
        Cause::NoKeyForRegistry,
        Cause::SecretCameLater,
    ];
    assert_eq!(explained.candidates, candidates);
    let event = "Unable to retrieve some image pull secrets (a, b); attempting to pull the image may not succeed.";
    let named = |uid| unread().with_event("FailedToRetrieveImagePullSecret", event, "", uid);
    assert_eq!(named("1").cause(), "secret-missing", "the kubelet says so");
    assert_eq!(named("2").cause(), "no-secret", "an event of a former pod");
    let refused = Scene::back_off(HEAD_401)
        .listing("a", SecretState::Unread)
        .explain();
    assert_eq!(refused.cause, Cause::CredentialRefused);
    assert!(refused.candidates.contains(&Cause::CredentialExpired));
    let never = Scene::waiting(IMAGE, "ErrImageNeverPull", "").explain();
    assert_eq!(never.cause, Cause::NeverPullAbsent);
    assert_eq!(never.candidates, [Cause::NeverPullNoAccess]);
}

#[test]
fn where_the_state_has_no_text_the_last_event_has_it() {
    let field = "spec.containers{app}";
    let scene = || {
        Scene::waiting(
            IMAGE,
            "ImagePullBackOff",
            &format!("Back-off pulling image \"{IMAGE}\""),
        )
    };
    assert_eq!(scene().cause(), "unknown");
    let failed = format!(
        "Failed to pull image \"{IMAGE}\": rpc error: code = NotFound desc = {IMAGE}: not found"
    );
    let by_event = scene().with_event("Failed", &failed, field, "1");
    let explained = by_event.explain();
    assert_eq!(explained.cause, Cause::NotFound);
    assert_eq!(explained.evidence.event.as_deref(), Some("Failed"));
    let former = scene().with_event("Failed", &failed, field, "2");
    assert_eq!(former.cause(), "unknown", "an event of a former pod");
}

#[test]
fn init_containers_ephemeral_containers_and_image_volumes_wait_too() {
    let state = json!({"waiting": {"reason": "ErrImagePull", "message": format!(
        "Failed to pull image \"registry.test:5000/models/a:1\": {NO_CREDENTIAL}"
    )}});
    for (list, statuses) in [
        ("initContainers", "initContainerStatuses"),
        ("ephemeralContainers", "ephemeralContainerStatuses"),
    ] {
        let mut scene = Scene::waiting(IMAGE, "PodInitializing", "");
        scene.pod["spec"][list] = json!([{"name": "x", "image": "registry.test:5000/models/a:1"}]);
        scene.pod["status"][statuses] = json!([{"name": "x", "state": state}]);
        let explained = scene.explain();
        assert_eq!(explained.container.as_deref(), Some("x"));
        assert_eq!(explained.cause, Cause::NoSecret);
    }
    let mut scene = Scene::waiting(IMAGE, "x", "y");
    scene.pod["spec"]["volumes"] =
        json!([{"name": "v", "image": {"reference": "registry.test:5000/models/a:1"}}]);
    scene.pod["status"]["containerStatuses"][0]["state"] = state;
    let explained = scene.explain();
    assert_eq!(
        explained.image.as_deref(),
        Some("registry.test:5000/models/a:1")
    );
}

#[test]
fn a_pod_that_waits_for_no_image_says_so() {
    let running = || {
        let mut scene = Scene::waiting(IMAGE, "x", "y");
        scene.pod["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
        scene
    };
    assert_eq!(running().cause(), "none");
    assert_eq!(
        running().listing("a", SecretState::Absent).cause(),
        "harmless"
    );
    let mut unscheduled = running();
    unscheduled.pod["spec"]["nodeName"] = json!(null);
    assert_eq!(unscheduled.cause(), "unscheduled");
    let first = Scene::waiting(IMAGE, "ContainerCreating", "");
    let first = first.with_event("Pulling", "Pulling image", "spec.containers{app}", "1");
    assert_eq!(first.cause(), "none", "the first pull is under way");
}

/// Texts of the kubelet carry signed URLs of blobs.
#[test]
fn a_foreign_text_is_shown_without_the_parts_that_may_be_secret() {
    let url = "https://blobs.example.com/layer?sig=c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl&se=2026";
    let scene = Scene::back_off(&format!(
        "failed to copy: Get \"{url}\": dial tcp: i/o timeout"
    ));
    let shown = scene.explain().evidence.message;
    assert!(shown.contains("blobs.example.com/layer"), "{shown}");
    assert!(!shown.contains("c2lnbmF0dXJl"), "{shown}");
}
