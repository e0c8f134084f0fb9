//! Tests of the modes of bans and of `unmatched`, and of references from before a ban.

use super::{REPLICASET_CONTROLLER, banned_pod, object};
use crate::support::{POLICY, Setting, by_controller, create, create_pod, update};
use serde_json::{Value, json};

/// Trap 15.
#[test]
fn trap_15_old_references_pass_and_new_ones_do_not() {
    let setting = Setting::new(POLICY);
    let deployment = |spec: Value| object("spec.template.spec", spec);
    let old = deployment(json!({"imagePullSecrets": [{"name": "legacy-a"}]}));
    let change = |new: Value| {
        setting.validate(&update(
            create("apps", "Deployment", deployment(new)),
            old.clone(),
        ))
    };
    let same = change(json!({"imagePullSecrets": [{"name": "other"}, {"name": "legacy-a"}]}));
    assert!(same.allowed());
    assert_eq!(
        same.warnings(),
        [
            "Deployment ns/web: spec.template.spec.imagePullSecrets[1] names \"legacy-a\", banned by \"legacy-shared\"; it was there before; use \"contoso-pull\""
        ]
    );
    assert!(
        change(
            json!({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "legacy-a"}}]}]})
        )
        .allowed()
    );
    assert!(
        !change(json!({"imagePullSecrets": [{"name": "legacy-a"}, {"name": "legacy-b"}]}))
            .allowed()
    );
    let mut delete = update(create("apps", "Deployment", Value::Null), old.clone());
    delete["request"]["operation"] = json!("DELETE");
    assert!(setting.validate(&delete).allowed());
}

#[test]
fn unmatched_images_follow_the_mode_of_the_policy() {
    let review = |image: &str| create_pod(json!({"containers": [{"name": "c", "image": image}]}));
    let uncovered =
        "Pod ns/web: spec.containers[0].image \"quay.io/a\" is not covered by a registry rule";
    let policy = |mode: &str| format!("unmatched: {mode}\n{POLICY}");
    let allow = Setting::new(&policy("allow")).validate(&review("quay.io/a"));
    assert!(allow.allowed() && allow.warnings().is_empty());
    let warn = Setting::new(&policy("warn")).validate(&review("quay.io/a"));
    assert_eq!((warn.allowed(), warn.warnings()), (true, vec![uncovered]));
    let setting = Setting::new(&policy("deny"));
    let deny = setting.validate(&review("quay.io/a"));
    assert!(
        deny.message().starts_with(uncovered) && deny.audit("unmatched").is_some(),
        "{deny:?}"
    );
    assert!(
        !setting.validate(&review("foo_bar.com/x")).allowed(),
        "a registry that Go leaves empty matches no rule"
    );
    assert!(!setting.validate(&review("not an image")).allowed());
    assert!(
        setting.validate(&review("")).allowed(),
        "a template may leave the image empty for another component to fill in"
    );
    assert!(
        setting
            .validate(&by_controller(review("quay.io/a"), REPLICASET_CONTROLLER))
            .allowed()
    );
    let old = json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "x", "image": "quay.io/a"}]}});
    assert!(
        setting
            .validate(&update(review("quay.io/a"), old.clone()))
            .allowed(),
        "an old image"
    );
    assert!(
        !setting
            .validate(&update(review("quay.io/b"), old))
            .allowed(),
        "a new image"
    );
    let bad = Setting::new(POLICY).validate(&review("UPPER/case!"));
    assert_eq!(
        (bad.allowed(), bad.warnings().len()),
        (true, 1),
        "a malformed reference is a warning even with allow"
    );
}

#[test]
fn each_mode_of_a_ban_has_its_effect() {
    let with = |mode: &str| {
        Setting::new(&POLICY.replace("instead: contoso-pull", &format!("mode: {mode}")))
            .validate(&banned_pod())
    };
    assert!(!with("enforce").allowed());
    assert_eq!(
        (with("warn").allowed(), with("warn").warnings().len()),
        (true, 1)
    );
    assert_eq!(
        (with("audit").allowed(), with("audit").warnings().len()),
        (true, 0)
    );
    assert_eq!(
        with("audit").audit("ban.legacy-shared"),
        Some("audited \"regcred-shared\"")
    );
}
