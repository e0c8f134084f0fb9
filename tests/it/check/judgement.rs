//! Tests of the judgement of `check`, which is that of the webhook.

use super::Folder;
use crate::policy::EXAMPLE;
use serde_json::{Value, json};

/// One judgement for all: `check` says the same about an object as the webhook.
#[test]
fn trap_11_the_judgement_is_that_of_the_webhook() {
    let setting =
        crate::support::Setting::new(EXAMPLE.split_once("kind: PullPolicy").expect("a policy").1);
    let object = json!({
        "metadata": {"name": "api", "namespace": "ns"},
        "spec": {"template": {"spec": {
            "imagePullSecrets": [{"name": "legacy-1"}, {"name": "fine"}],
            "containers": [{"name": "c", "image": "BAD IMAGE", "envFrom": [{"secretRef": {"name": "regcred-shared"}}]}],
            "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "legacy-2"}}]}}],
        }}},
    });
    let answer = setting.validate(&crate::support::create(
        "apps",
        "Deployment",
        object.clone(),
    ));
    let mut manifest = object;
    manifest["apiVersion"] = json!("apps/v1");
    manifest["kind"] = json!("Deployment");
    let folder = Folder::new(&[]);
    let run = folder.check(&["-f", "-", "-o", "json"], &manifest.to_string());
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let fields = |severity: &str| -> Vec<&str> {
        let findings = report["findings"].as_array().expect("a list").iter();
        findings
            .filter(|finding| finding["severity"] == severity)
            .filter_map(|finding| finding["field"].as_str())
            .collect()
    };
    let causes = answer.response["status"]["details"]["causes"]
        .as_array()
        .expect("a list");
    let denied: Vec<_> = causes
        .iter()
        .filter_map(|cause| cause["field"].as_str())
        .collect();
    // The answer has them in the order of the fields, a report in that of the text.
    let sorted = |mut fields: Vec<&str>| {
        fields.sort_unstable();
        fields.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(sorted(fields("error")), sorted(denied.clone()));
    assert_eq!(denied.len(), 3);
    assert_eq!(fields("warning").len(), answer.warnings().len());
}

/// A forecast for an image that something replaces would be wrong, whether that is certain or not.
#[test]
fn no_secret_is_forecast_for_a_placeholder() {
    let folder = Folder::new(&[]);
    folder.write(
        "policy.yaml",
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nregistries: [{name: hub, images: [docker.io], secrets: [hub-pull]}]\n",
    );
    let forecast = |metadata: &str, image: &str| {
        let text = format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d}}, spec: {{template: {{metadata: {{{metadata}}},\
             spec: {{containers: [{{name: c, image: '{image}'}}]}}}}}}}}"
        );
        let run = folder.check(&["-f", "-"], &text);
        assert_eq!(run.code, 0, "{}", run.stdout);
        run.stdout.contains("hub-pull")
    };
    let gateway = "annotations: {inject.istio.io/templates: gateway}";
    assert!(forecast(gateway, "nginx"));
    assert!(!forecast(gateway, "auto"));
    assert!(
        !forecast("", "auto"),
        "the labels of the namespace are unknown"
    );
    assert!(!forecast("", " "));
    assert!(forecast(
        "labels: {sidecar.istio.io/inject: 'false'}",
        "auto"
    ));
}

/// An annotation of a template switches injection off there, and neither of the workload.
#[test]
fn a_template_that_opts_out_gets_nothing() {
    let folder = Folder::new(&[]);
    let deployment = |own: &str, template: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d, annotations: {{{own}}}}}, spec: {{template: {{metadata: {{annotations: {{{template}}}}},\
             spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]}}}}}}}}"
        )
    };
    let off = "pullgate.dev/inject: disabled";
    let injected = |text: &str| {
        folder
            .check(&["-f", "-"], text)
            .stdout
            .contains("contoso-pull")
    };
    assert!(injected(&deployment("", "")));
    assert!(injected(&deployment(off, "")));
    assert!(!injected(&deployment("", off)));
}
