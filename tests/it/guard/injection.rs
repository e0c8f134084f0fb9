//! Tests of the interplay of bans and the injection of pull secrets.

use super::{banned_pod, object};
use crate::support::{POLICY, Setting, create, create_pod, in_namespace, update};
use serde_json::json;

#[test]
fn the_field_has_the_index_in_the_list_before_injection() {
    let mut review = create_pod(
        json!({"imagePullSecrets": [{"name": "contoso-pull"}, {"name": "own"}, {"name": "legacy-x"}]}),
    );
    review["request"]["object"]["metadata"]["annotations"] =
        json!({"pullgate.dev/injected": "contoso-pull"});
    let answer = Setting::new(POLICY).validate(&review);
    assert!(
        answer
            .message()
            .contains("spec.imagePullSecrets[1] names \"legacy-x\""),
        "{}",
        answer.message()
    );
}

/// A secret that the policy injects into a pod is not refused. A reference that a user wrote is, even if an exception
/// allowed it before.
#[test]
fn after_an_exception_expires_the_ban_holds_again() {
    let policy = "
registries: [{name: a, images: [a.io], secrets: [old-pull], namespaces: {names: [ns]}}]
bans: [{name: old, secrets: [old-pull]}]
exceptions: [{bans: [old], namespaces: {names: [ns]}, owner: o, reason: r, expires: 2020-01-31}]
";
    let setting = Setting::new(policy);
    let container = json!({"name": "c", "image": "a.io/x"});
    let injected =
        create_pod(json!({"containers": [container], "imagePullSecrets": [{"name": "old-pull"}]}));
    assert!(setting.validate(&injected).allowed());
    let template = json!({"containers": [container], "imagePullSecrets": [{"name": "old-pull"}]});
    assert!(
        !setting
            .validate(&create(
                "apps",
                "Deployment",
                object("spec.template.spec", template)
            ))
            .allowed()
    );
    let env = json!({"containers": [{"name": "c", "image": "a.io/x", "envFrom": [{"secretRef": {"name": "old-pull"}}]}]});
    assert!(!setting.validate(&create_pod(env)).allowed());
}

#[test]
fn advice_is_given_only_if_it_helps() {
    let setting = Setting::new(POLICY).with_labels("off", &[("pullgate.dev/inject", "disabled")]);
    assert!(
        setting
            .validate(&banned_pod())
            .message()
            .contains("is added to the pod automatically")
    );
    let off = in_namespace(banned_pod(), "off");
    assert!(setting.validate(&off).message().contains("Remove it here or there (kubectl edit serviceaccount default -n off). Use \"contoso-pull\" instead."));
    let old = json!({"metadata": {"name": "web"}, "spec": {}});
    let new_image = update(
        in_namespace(
            create_pod(json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]})),
            "off",
        ),
        old,
    );
    assert!(
        setting.validate(&new_image).warnings().is_empty(),
        "the secret would not have been injected anyway"
    );
}

/// Trap 14: the kubelet tries all matching secrets, so all are injected and none is chosen.
#[test]
fn trap_14_all_secrets_of_all_rules_are_injected() {
    let review = in_namespace(
        create_pod(
            json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/payments/a"}, {"name": "d", "image": "contoso.azurecr.io/b"}]}),
        ),
        "payments-eu",
    );
    let answer = Setting::new(POLICY).mutate(&review);
    let list = &answer.applied(&review["request"]["object"])["spec"]["imagePullSecrets"];
    assert_eq!(
        *list,
        json!([{"name": "payments-pull"}, {"name": "contoso-pull"}])
    );
}
