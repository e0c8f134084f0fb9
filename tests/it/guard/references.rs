//! Tests of the search for references to Secrets, in every kind of object.

use super::object;
use crate::support::{POLICY, Setting, create, update};
use serde_json::{Value, json};

/// Every kind, with the place of the pod spec in its objects.
const KINDS: [(&str, &str, &str); 11] = [
    ("", "Pod", "spec"),
    ("", "PodTemplate", "template.spec"),
    ("", "ReplicationController", "spec.template.spec"),
    ("apps", "ReplicaSet", "spec.template.spec"),
    ("apps", "Deployment", "spec.template.spec"),
    ("apps", "StatefulSet", "spec.template.spec"),
    ("apps", "DaemonSet", "spec.template.spec"),
    ("apps", "ControllerRevision", "data.spec.template.spec"),
    ("batch", "Job", "spec.template.spec"),
    ("batch", "CronJob", "spec.jobTemplate.spec.template.spec"),
    ("", "ServiceAccount", ""),
];

/// Returns every field of a pod spec that names a Secret (semantics B.8), by its path in findings.
fn references(secret: &str) -> Vec<(String, Value)> {
    let named = json!({"name": secret});
    let volume = |field: &str, value: Value| {
        let (source, inner) = field.split_once('.').unwrap();
        let value = if inner.is_empty() {
            value
        } else {
            json!({inner: value})
        };
        (
            format!("volumes[0].{field}"),
            json!({"volumes": [{"name": "v", source: value}]}),
        )
    };
    let mut all = vec![
        (
            "imagePullSecrets[0]".to_owned(),
            json!({"imagePullSecrets": [named]}),
        ),
        volume("secret.secretName", json!(secret)),
        volume("csi.nodePublishSecretRef", named.clone()),
        volume("flexVolume.secretRef", named.clone()),
        volume("azureFile.secretName", json!(secret)),
        volume("cephfs.secretRef", named.clone()),
        volume("cinder.secretRef", named.clone()),
        volume("rbd.secretRef", named.clone()),
        volume("iscsi.secretRef", named.clone()),
        volume("scaleIO.secretRef", named.clone()),
        volume("storageos.secretRef", named.clone()),
        (
            "volumes[0].projected.sources[1].secret".to_owned(),
            json!({"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {}}, {"secret": named}]}}]}),
        ),
    ];
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let env = json!({list: [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": named}}]}]});
        all.push((format!("{list}[0].env[1].valueFrom.secretKeyRef"), env));
        all.push((
            format!("{list}[0].envFrom[0].secretRef"),
            json!({list: [{"name": "c", "envFrom": [{"secretRef": named}]}]}),
        ));
    }
    all
}

#[test]
fn every_reference_of_every_kind_is_found() {
    let mut setting = Setting::new(POLICY);
    setting.facts.set_service_accounts_synced();
    for (group, kind, path) in KINDS
        .into_iter()
        .filter(|(_, kind, _)| *kind != "ServiceAccount")
    {
        for (field, spec) in references("legacy-x") {
            let answer = setting.validate(&create(group, kind, object(path, spec)));
            let expected = format!("{path}.{field}");
            assert_eq!(
                answer.response["status"]["details"]["causes"][0]["field"],
                expected.as_str(),
                "{kind} {field}"
            );
            assert!(
                answer.message().starts_with(&format!(
                    "{kind} ns/web: {expected} names \"legacy-x\", banned by"
                )),
                "{}",
                answer.message()
            );
        }
        for (field, spec) in references("contoso-pull") {
            assert!(
                setting
                    .validate(&create(group, kind, object(path, spec)))
                    .allowed(),
                "{kind} {field}"
            );
        }
    }
    for list in ["imagePullSecrets", "secrets"] {
        let account =
            json!({"metadata": {"name": "app"}, list: [{"name": "x"}, {"name": "legacy-x"}]});
        let answer = setting.validate(&create("", "ServiceAccount", account));
        assert!(
            answer.message().starts_with(&format!(
                "ServiceAccount ns/app: {list}[1] names \"legacy-x\""
            )),
            "{answer:?}"
        );
    }
}

/// The `StatefulSet` controller decodes a revision without regard to the case of keys, ignores null, and takes the last
/// of two equal keys.
#[test]
fn references_in_a_revision_are_found_in_every_spelling() {
    let setting = Setting::new(POLICY);
    let (kelvin, long_s) = ('\u{212a}', '\u{17f}');
    for (field, spec) in references("legacy-x") {
        let spec = spec.to_string();
        for (value, spelled) in [
            (
                "legacy-x",
                spec.to_uppercase().replace("LEGACY-X", "legacy-x"),
            ),
            ("legacy-x", spec.replace('[', "[null,")),
            (
                "legacy-x",
                spec.replace("secretKey", &format!("{long_s}ecret{kelvin}ey")),
            ),
        ] {
            let template = serde_json::from_str(&spelled).unwrap();
            let revision = object("data.SPEC.Template.spec", template);
            let answer = setting.validate(&create("apps", "ControllerRevision", revision));
            assert!(
                answer.message().contains(value),
                "{field}: {spelled} {answer:?}"
            );
        }
    }
    // The revision is text, because `json!` would keep only one of two equal keys.
    let revision = |spec: &str| {
        let object = format!("{{\"data\":{{\"spec\":{{\"template\":{{\"spec\":{spec}}}}}}}}}");
        let review = create("apps", "ControllerRevision", json!("OBJECT")).to_string();
        review.replace("\"OBJECT\"", &object)
    };
    for twice in [
        r#""ImagePullSecrets":[{"name":"legacy-x"}],"imagePullSecrets":[{"name":"fine"}]"#,
        r#""imagePullSecrets":[{"name":"fine"}],"ImagePullSecrets":[{"name":"legacy-x"}]"#,
        r#""imagePullSecrets":[{"name":"legacy-x","Name":"fine"}]"#,
        r#""imagePullSecrets":[{"NAME":"fine","name":"legacy-x"}]"#,
        r#""imagePullSecrets":[{"name":"fine","name":"legacy-x"}]"#,
        r#""imagePullSecrets":null,"IMAGEpullSecrets":[{"name":"legacy-x"}]"#,
    ] {
        let answer = setting.validate_text(&revision(&format!("{{{twice}}}")));
        assert!(!answer.allowed(), "{twice}");
    }
}

/// No pod is created from a revision that does not decode to a StatefulSet, and other projects keep revisions of their
/// own.
#[test]
fn a_revision_of_another_shape_is_admitted() {
    let setting = Setting::new(&format!("unmatched: deny\n{POLICY}"));
    for data in [
        Value::Null,
        json!({}),
        json!([1]),
        json!("text"),
        json!({"spec": {"template": {"spec": {"imagePullSecrets": "none", "volumes": {}}}}}),
        json!({"spec": {"template": {"spec": {"domain": {"devices": {}}, "volumes": [{"containerDisk": {"image": "x"}}]}}}}),
    ] {
        let review = create(
            "apps",
            "ControllerRevision",
            json!({"metadata": {"name": "web-1"}, "data": data}),
        );
        assert!(setting.validate(&review).allowed(), "{review}");
    }
}

/// Trap 10: the subresource has its own webhook rule, and its containers are judged like all others.
#[test]
fn trap_10_ephemeral_containers_are_judged() {
    let old = json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "contoso.azurecr.io/d", "envFrom": [{"secretRef": {"name": "legacy-x"}}]}]);
    let mut review = update(create("", "Pod", new), old);
    review["request"]["subResource"] = json!("ephemeralcontainers");
    let answer = Setting::new(POLICY).validate(&review);
    assert!(
        answer
            .message()
            .contains("spec.ephemeralContainers[0].envFrom[0].secretRef"),
        "{answer:?}"
    );
    assert_eq!(
        answer.warnings(),
        [
            "Pod ns/web: spec.ephemeralContainers[0].image needs \"contoso-pull\" (rule \"contoso\"), too late for this pod: use an image that it can pull"
        ]
    );
}
