//! The webhook configurations as the chart renders them.

use super::root;
use pullgate::cluster::workloads::LISTED;
use pullgate::objects::kind::Kind;
use serde_json::Value;
use std::collections::BTreeSet;

/// All that the chart renders by default.
fn documents() -> Vec<Value> {
    let path = root().join("tests/chart/default.yaml");
    let text = std::fs::read_to_string(path).expect("the recorded chart");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

/// The webhook configurations as the chart renders them by default; `tests/chart` holds the file against helm.
pub(crate) fn configurations() -> Vec<Value> {
    let documents = documents();
    let is_configuration = |document: &Value| {
        let kind = document["kind"].as_str();
        kind.is_some_and(|kind| kind.ends_with("WebhookConfiguration"))
    };
    let found: Vec<_> = documents.into_iter().filter(is_configuration).collect();
    assert_eq!(found.len(), 2);
    found
}

/// An expression of the chart must test a field that may be absent before it reads it: under `Fail` an evaluation error
/// is a refusal.
#[test]
fn trap_20_match_conditions_ask_before_they_read() {
    let optional = [
        "metadata.annotations",
        "metadata.ownerReferences",
        "owner.controller",
        "owner.apiVersion",
        "owner.kind",
        "object.spec",
        "oldObject.spec",
        "object.template",
        "oldObject.template",
        "object.imagePullSecrets",
        "oldObject.imagePullSecrets",
        "object.secrets",
        "oldObject.secrets",
        "object.data",
        "oldObject.data",
        "request.name",
        "request.userInfo.username",
    ];
    let mut conditions = 0;
    for configuration in configurations() {
        for webhook in configuration["webhooks"].as_array().expect("a list") {
            for condition in webhook["matchConditions"].as_array().into_iter().flatten() {
                conditions += 1;
                let expression = condition["expression"].as_str().expect("a text");
                for field in optional.iter().filter(|field| expression.contains(*field)) {
                    assert!(expression.contains("has("), "{field} in {expression}");
                    let asked = expression.find(&format!("{field})")).unwrap_or(usize::MAX);
                    let read = expression
                        .match_indices(field)
                        .map(|(at, _)| at)
                        .min()
                        .unwrap_or_default();
                    assert!(
                        asked <= read,
                        "{field} is read before it is asked for: {expression}"
                    );
                }
            }
        }
    }
    assert!(conditions >= 4, "only {conditions} conditions");
}

/// Trap 19: a guard with `Fail` must not cover the objects that its own start depends on; their names cannot be taken
/// by others.
#[test]
fn trap_19_our_own_namespace_and_kube_system_are_left_out_by_name() {
    for configuration in configurations() {
        for webhook in configuration["webhooks"].as_array().expect("a list") {
            let selector = &webhook["namespaceSelector"]["matchExpressions"][0];
            assert_eq!(selector["key"], "kubernetes.io/metadata.name");
            let is_policy = webhook["name"] == "policy.pullgate.dev";
            assert_eq!(selector["operator"], if is_policy { "In" } else { "NotIn" });
            let names = selector["values"].as_array().expect("a list");
            assert!(
                is_policy
                    || names.contains(&"kube-system".into()) && names.contains(&"pullgate".into())
            );
            assert!(
                webhook["objectSelector"].is_null(),
                "anyone can set a label"
            );
            assert_eq!(webhook["sideEffects"], "None");
        }
    }
}

/// Trap 10, where it is registered.
#[test]
fn trap_10_the_guard_is_registered_for_ephemeral_containers() {
    let configurations = configurations();
    let webhooks = configurations
        .iter()
        .flat_map(|configuration| configuration["webhooks"].as_array().expect("a list"));
    let guard = webhooks
        .into_iter()
        .find(|webhook| webhook["name"] == "guard.pullgate.dev")
        .expect("the guard");
    let rules = guard["rules"].as_array().expect("a list");
    assert!(rules.iter().any(|rule| {
        rule["resources"]
            .as_array()
            .is_some_and(|r| r.contains(&"pods/ephemeralcontainers".into()))
    }));
}

/// The kinds that the code judges are those that the chart registers. Secrets are registered with the inventory alone.
#[test]
fn every_kind_is_registered_and_every_registered_kind_is_judged() {
    let mut registered = BTreeSet::new();
    for configuration in configurations() {
        for webhook in configuration["webhooks"].as_array().expect("a list") {
            for rule in webhook["rules"].as_array().expect("a list") {
                let texts = |field: &str| {
                    let list = rule[field].as_array().expect("a list").clone();
                    let text = |value: Value| value.as_str().expect("a text").to_owned();
                    list.into_iter().map(text).collect::<Vec<_>>()
                };
                for group in texts("apiGroups") {
                    let plurals = texts("resources").into_iter();
                    let whole = plurals.filter(|plural| !plural.contains('/'));
                    registered.extend(whole.map(|plural| (group.clone(), plural)));
                }
            }
        }
    }
    let judged = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Secret);
    let judged = judged.map(|kind| (kind.group().to_owned(), kind.plural().to_owned()));
    assert_eq!(registered, judged.collect());
}

/// The preview of an edit lists exactly the kinds that its role names.
#[test]
fn the_preview_may_list_what_it_lists() {
    let documents = documents();
    let roles = documents
        .iter()
        .filter(|document| document["kind"] == "ClusterRole");
    let granted = roles.flat_map(|role| role["rules"].as_array().expect("a list"));
    let mut allowed = BTreeSet::new();
    for rule in granted.filter(|rule| rule["verbs"] == serde_json::json!(["list"])) {
        let group = rule["apiGroups"][0].as_str().expect("a group");
        for plural in rule["resources"].as_array().expect("a list") {
            allowed.insert((group, plural.as_str().expect("a resource")));
        }
    }
    let listed = LISTED.map(|kind| (kind.group(), kind.plural()));
    assert_eq!(allowed, listed.into_iter().collect());
}
