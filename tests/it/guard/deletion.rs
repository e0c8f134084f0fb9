//! Tests of objects that are being deleted and that a finalizer keeps.

use super::object;
use crate::support::{Answer, POLICY, Setting, create, update};
use serde_json::{Value, json};

/// Returns an update of an object that is being deleted.
fn deleting(group: &str, kind: &str, old: Value, mut new: Value) -> Value {
    new["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    new["metadata"]["finalizers"] = json!(["example.com/keep"]);
    update(create(group, kind, new), old)
}

/// Returns an object of this kind with these pull secrets.
fn listing(kind: &str, secrets: &[&str]) -> Value {
    let named: Vec<_> = secrets.iter().map(|name| json!({"name": name})).collect();
    match kind {
        "ServiceAccount" => json!({"metadata": {"name": "web"}, "imagePullSecrets": named}),
        _ => object("spec.template.spec", json!({"imagePullSecrets": named})),
    }
}

/// Trap 22: a ServiceAccount that a finalizer keeps still passes its pull secrets on to pods, for as long as its owner
/// likes.
#[test]
fn trap_22_an_object_that_is_being_deleted_gets_no_banned_secret() {
    let setting = Setting::new(&format!("unmatched: deny\n{POLICY}"));
    for (group, kind) in [("", "ServiceAccount"), ("apps", "Deployment")] {
        let change = |old: &[&str], new: &[&str]| -> Answer {
            let (old, new) = (listing(kind, old), listing(kind, new));
            setting.validate(&deleting(group, kind, old, new))
        };
        for new in [&["legacy-b"][..], &["legacy-a", "legacy-b"]] {
            let answer = change(&["legacy-a"], new);
            assert!(!answer.allowed(), "{kind} {new:?}");
            assert!(answer.message().contains("\"legacy-b\""), "{answer:?}");
        }
        // A warning would not help a controller that removes its finalizer.
        let answer = change(&["legacy-a"], &["legacy-a"]);
        assert!(answer.allowed() && answer.warnings().is_empty(), "{kind}");
    }
    let with = |image: &str| {
        object(
            "spec.template.spec",
            json!({"containers": [{"name": "c", "image": image}]}),
        )
    };
    let change = |old, new| {
        let review = deleting("apps", "Deployment", with(old), with(new));
        setting.validate(&review)
    };
    assert!(change("quay.io/a", "quay.io/a").warnings().is_empty());
    assert!(!change("quay.io/a", "quay.io/b").allowed());
}

/// A ConfigMap is read as the policy until it is gone.
#[test]
fn trap_22_a_policy_that_is_being_deleted_is_judged() {
    let setting = Setting::new(POLICY);
    let config_map = |data: Value| json!({"metadata": {"name": "pullgate-policy"}, "data": data});
    let good = || config_map(json!({"policy.yaml": "kind: PullPolicy"}));
    let bad = || config_map(json!({"policy.yaml": "kind: Nonsense"}));
    let change = |old, new| {
        setting
            .validate(&deleting("", "ConfigMap", old, new))
            .allowed()
    };
    assert!(!change(good(), bad()) && !change(good(), config_map(json!({}))));
    assert!(change(bad(), bad()));
    assert!(change(config_map(json!({})), config_map(json!({}))));
}
