//! Tests with pods that a real kubelet reported (`tests/tables/pull_failures.json`).

use super::{Scene, credential, docker};
use pullgate::kubelet::docker_config::Form;
use pullgate::reports::why::evidence::SecretState;
use serde_json::{Value, json};

/// The Secrets of the recording, by their names.
fn secret(name: &str) -> SecretState {
    match name {
        "good" | "wrongpw" => credential("registry.test:5000", "a password"),
        "otherhost" => credential("ghcr.io", "a password"),
        "wrongpath" => credential("registry.test:5000/other", "a password"),
        "notdocker" => SecretState::OtherType("Opaque".to_owned()),
        "malformed" => docker(
            Form::Config,
            &json!({"registry.test:5000": {"auth": "!!!"}}).to_string(),
        ),
        "nosuch" => SecretState::Absent,
        _ => unreachable!("{name} is not in the recording"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn each_recorded_pod_gets_its_cause() {
    let table = include_str!("../../tables/pull_failures.json");
    let table: Value = serde_json::from_str(table).expect("JSON");
    let cases = table["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 20);
    for case in cases {
        let image = text(&case["image"]);
        let mut scene = Scene::waiting(
            image,
            text(&case["waiting_reason"]),
            text(&case["waiting_message"]),
        );
        if case["state"] == "running" {
            scene.pod["status"]["containerStatuses"][0]["state"] = json!({"running": {}});
        }
        for name in case["imagePullSecrets"].as_array().expect("a list") {
            let name = text(name);
            scene = scene.listing(name, secret(name));
        }
        for warning in case["warnings"].as_array().expect("a list") {
            let (reason, message) = (text(&warning["reason"]), text(&warning["message"]));
            scene = scene.with_event(reason, message, "spec.containers{app}", "1");
        }
        let is_present = text(&case["case"]).starts_with("never-none");
        scene.node_images = Some(if is_present {
            vec![image.to_owned()]
        } else {
            Vec::new()
        });
        let explained = scene.explain();
        assert_eq!(super::cause(&explained), case["expected"], "{case:#}");
        assert!(!explained.message.is_empty());
        let written = serde_json::to_string(&explained).expect("JSON");
        assert!(!written.contains("a password"), "{written}");
    }
}
