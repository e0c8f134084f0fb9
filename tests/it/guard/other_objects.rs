//! Tests of verdicts on objects without a pod spec: Secrets, policies and unknown kinds.

use crate::support::{POLICY, Setting, create, update};
use serde_json::json;

#[test]
fn creating_a_secret_with_a_banned_name_gives_a_warning() {
    let setting = Setting::new(POLICY);
    let secret = |name: &str, kind: &str| {
        create(
            "",
            "Secret",
            json!({"metadata": {"name": name}, "type": kind, "data": {".dockerconfigjson": "e30="}}),
        )
    };
    for (name, kind, warnings) in [
        ("legacy-x", "kubernetes.io/dockerconfigjson", 1),
        ("legacy-x", "kubernetes.io/dockercfg", 1),
        ("legacy-x", "Opaque", 0),
        ("fine", "kubernetes.io/dockerconfigjson", 0),
    ] {
        let answer = setting.validate(&secret(name, kind));
        assert_eq!(
            (answer.allowed(), answer.warnings().len()),
            (true, warnings),
            "{name} {kind}"
        );
    }
    let review = secret("legacy-x", "kubernetes.io/dockercfg");
    let old = review["request"]["object"].clone();
    assert!(
        setting.validate(&update(review, old)).warnings().is_empty(),
        "rotating the value must work"
    );
}

#[test]
fn unknown_kinds_are_admitted_without_reading_them() {
    let review = create(
        "example.com",
        "Rollout",
        json!({"spec": "not a spec", "metadata": 5}),
    );
    let setting = Setting::new(&format!("unmatched: deny\n{POLICY}"));
    assert!(setting.validate(&review).allowed() && setting.mutate(&review).allowed());
}

#[test]
fn a_changed_config_map_with_the_name_of_the_policy_is_judged() {
    let setting = Setting::new(POLICY);
    let config_map = |name: &str, policy: &str| {
        create(
            "",
            "ConfigMap",
            json!({"metadata": {"name": name}, "data": {"policy.yaml": policy}}),
        )
    };
    let bad = config_map("pullgate-policy", "kind: Nonsense");
    assert!(!setting.validate(&bad).allowed());
    assert!(
        setting
            .validate(&config_map("other", "kind: Nonsense"))
            .allowed()
    );
    let old = bad["request"]["object"].clone();
    assert!(
        setting.validate(&update(bad.clone(), old)).allowed(),
        "the policy was already bad"
    );
    let mut unnamed = bad;
    unnamed["request"]["name"] = json!("");
    assert!(
        !setting.validate(&unnamed).allowed(),
        "the name in the object counts too"
    );
    let many: String = (0..150)
        .map(|i| format!("key{i}: 1, "))
        .collect::<Vec<_>>()
        .concat();
    let answer = setting.validate(&config_map("pullgate-policy", &format!("{{{many}}}")));
    assert_eq!(
        answer.message().lines().last(),
        Some("and 52 more"),
        "{}",
        answer.message()
    );
}
