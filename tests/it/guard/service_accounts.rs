//! Tests of pull secrets that come from a ServiceAccount.

use super::object;
use crate::support::{POLICY, Setting, create, create_pod, update};
use serde_json::{Value, json};

#[test]
fn templates_are_judged_by_their_service_account() {
    let setting = Setting::new(POLICY).with_account("ns", "app", &["fine", "legacy-x"]);
    let deployment = |spec: Value| create("apps", "Deployment", object("spec.template.spec", spec));
    let answer = setting.validate(&deployment(json!({"serviceAccountName": "app"})));
    assert!(
        answer.message().starts_with("Deployment ns/web: spec.template.spec.serviceAccountName \"app\" passes \"legacy-x\" on to the pods, banned by \"legacy-shared\""),
        "{}",
        answer.message()
    );
    assert!(
        answer
            .message()
            .contains("kubectl edit serviceaccount app -n ns")
    );
    assert!(
        setting
            .validate(&deployment(
                json!({"serviceAccountName": "app", "imagePullSecrets": [{"name": "own"}]})
            ))
            .allowed()
    );
    assert!(
        setting
            .validate(&deployment(json!({"serviceAccountName": "unknown"})))
            .allowed()
    );
    let old = object("spec.template.spec", json!({"serviceAccountName": "app"}));
    assert!(
        setting
            .validate(&update(
                deployment(json!({"serviceAccountName": "app", "x": 1})),
                old
            ))
            .allowed()
    );
}

#[test]
fn findings_name_the_service_account_of_an_inherited_secret() {
    let review = create_pod(json!({"imagePullSecrets": [{"name": "legacy-x"}]}));
    let says = |setting: &Setting, what: &str| {
        let answer = setting.validate(&review);
        assert!(
            answer.message().contains(what),
            "{what}: {}",
            answer.message()
        );
    };
    let mut setting = Setting::new(POLICY);
    says(
        &setting,
        "names \"legacy-x\", possibly inherited from ServiceAccount \"default\"",
    );
    setting.facts.set_service_accounts_synced();
    says(&setting, "names \"legacy-x\", banned by");
    let setting = setting.with_account("ns", "default", &["legacy-x"]);
    says(
        &setting,
        "names \"legacy-x\", inherited from ServiceAccount \"default\"",
    );
    let setting = setting.with_account("ns", "default", &["legacy-x", "also"]);
    says(&setting, "names \"legacy-x\", banned by");
}
