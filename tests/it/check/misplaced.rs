//! Tests of pull secrets that stand where Kubernetes does not look.

use super::Folder;

const RIGHT: &str = "spec.template.spec.imagePullSecrets";

/// The findings of a file, as `PATH -> HELP`, and the other findings as they are.
fn found(text: &str) -> Vec<String> {
    let folder = Folder::new(&[]);
    let run = folder.check(&["-f", "-", "-o", "json"], text);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let findings = report["findings"].as_array().expect("a list");
    let told = |finding: &serde_json::Value| {
        assert_eq!(finding["code"], "misplaced-pull-secrets", "{finding}");
        assert_eq!(finding["severity"], "warning");
        let help = finding["help"].as_str().expect("a help");
        let right = help
            .split(" belong in ")
            .nth(1)
            .and_then(|rest| rest.split(", as a list").next());
        format!(
            "{} -> {}",
            finding["field"].as_str().expect("a field"),
            right.expect(help)
        )
    };
    findings.iter().map(told).collect()
}

fn deployment(spec: &str) -> String {
    format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec:\n{spec}")
}

#[test]
fn each_wrong_place_of_a_workload_is_told_with_the_right_one() {
    let list = "imagePullSecrets: [{name: mine}]";
    let container = |field: &str| {
        format!(
            "  template: {{spec: {{containers: [{{name: c, image: registry.test/a, {field}}}]}}}}\n"
        )
    };
    for (spec, path) in [
        (
            container(list),
            "spec.template.spec.containers[0].imagePullSecrets",
        ),
        (
            container(&format!("securityContext: {{{list}}}")),
            "spec.template.spec.containers[0].securityContext.imagePullSecrets",
        ),
        (
            format!("  {list}\n  template: {{spec: {{}}}}\n"),
            "spec.imagePullSecrets",
        ),
        (
            format!("  template: {{{list}, spec: {{}}}}\n"),
            "spec.template.imagePullSecrets",
        ),
        (
            format!("  template: {{metadata: {{{list}}}, spec: {{}}}}\n"),
            "spec.template.metadata.imagePullSecrets",
        ),
        (
            "  template: {spec: {imagePullSecret: [{name: mine}]}}\n".to_owned(),
            "spec.template.spec.imagePullSecret",
        ),
        (
            "  template: {spec: {imagepullsecrets: [{name: mine}]}}\n".to_owned(),
            "spec.template.spec.imagepullsecrets",
        ),
        (
            "  template: {spec: {imagePullSecerts: [{name: mine}]}}\n".to_owned(),
            "spec.template.spec.imagePullSecerts",
        ),
        (
            "  template: {spec: {pullSecrets: [mine]}}\n".to_owned(),
            "spec.template.spec.pullSecrets",
        ),
        (
            "  template: {spec: {image_pull_secrets: mine}}\n".to_owned(),
            "spec.template.spec.image_pull_secrets",
        ),
        (
            format!("  template: {{spec: {{securityContext: {{{list}}}}}}}\n"),
            "spec.template.spec.securityContext.imagePullSecrets",
        ),
        (
            format!("  template: {{spec: {{}}}}\n{list}\n"),
            "imagePullSecrets",
        ),
    ] {
        assert_eq!(
            found(&deployment(&spec)),
            [format!("{path} -> {RIGHT}")],
            "{spec}"
        );
    }
}

#[test]
fn each_kind_has_its_own_right_place() {
    let field = "imagePullSecret: [{name: mine}]";
    for (kind, right) in [
        ("{apiVersion: v1, kind: Pod", "spec.imagePullSecrets"),
        (
            "{apiVersion: v1, kind: PodTemplate",
            "template.spec.imagePullSecrets",
        ),
        ("{apiVersion: v1, kind: ServiceAccount", "imagePullSecrets"),
        ("{apiVersion: batch/v1, kind: Job", RIGHT),
        (
            "{apiVersion: batch/v1, kind: CronJob",
            "spec.jobTemplate.spec.template.spec.imagePullSecrets",
        ),
        ("{apiVersion: apps/v1, kind: StatefulSet", RIGHT),
    ] {
        let text = format!("{kind}, metadata: {{name: x}}, spec: {{{field}}}}}");
        assert_eq!(
            found(&text),
            [format!("spec.imagePullSecret -> {right}")],
            "{kind}"
        );
    }
}

/// The place of the key, and the expected advice.
#[test]
fn the_warning_names_file_and_place() {
    let folder = Folder::new(&[(
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: registry.test/a\n\
         \x20   imagePullSecrets:\n    - name: mine\n",
    )]);
    let run = folder.check(&["-f", "pod.yaml"], "");
    let expected = "\
warning: Pod default/p: spec.containers[0].imagePullSecrets is not a field of Kubernetes and has no effect
  --> pod.yaml:8:5
   |
8 |     imagePullSecrets
   |     ^^^^^^^^^^^^^^^^
   |
   = help: Pull secrets of a Pod belong in spec.imagePullSecrets, as a list: `imagePullSecrets: [{name: NAME}]`
";
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&run.stdout), squeezed(expected));
    assert_eq!(run.code, 1);
    let lenient = folder.check(&["-f", "pod.yaml", "--fail-on", "error"], "");
    assert_eq!(lenient.code, 0);
}

/// Fields that are right, and objects that may have such a field anywhere.
#[test]
fn other_objects_and_right_fields_are_not_warned_of() {
    let right = "  template: {spec: {imagePullSecrets: [{name: mine}], containers: [{name: c, image: registry.test/a, imagePullPolicy: Always}]}}\n";
    for text in [
        deployment(right),
        deployment("  template: {spec: {imagePullSecret: , imagePullSecrets: []}}\n  imagePullSecrets: []\n"),
        deployment("  template: {metadata: {annotations: {imagePullSecrets: x}, labels: {imagePullSecret: x}}, spec: {nodeSelector: {imagePullSecret: x}}}\n"),
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: s}, imagePullSecrets: [{name: mine}], secrets: [{name: mine}]}".to_owned(),
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {imagePullSecret: x}}".to_owned(),
        "{apiVersion: apps/v1, kind: ControllerRevision, metadata: {name: c}, data: {imagePullSecret: x}}".to_owned(),
        "{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: {name: p}, spec: {imagePullSecrets: [{name: mine}]}}".to_owned(),
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: c}, spec: {imagePullSecrets: {}}}".to_owned(),
        "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, imagePullSecrets: [mine]}".to_owned(),
        "imagePullSecrets: [{name: mine}]\nimage: {pullSecrets: [mine]}\n".to_owned(),
        "[{op: add, path: /spec/imagePullSecrets, value: []}]\n".to_owned(),
    ] {
        assert_eq!(found(&text), Vec::<String>::new(), "{text}");
    }
}

/// Exempt objects are not searched, and each place in a file is reported.
#[test]
fn exempt_namespaces_are_left_alone_and_many_places_are_told() {
    let exempt = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: kube-system}, spec: {imagePullSecret: [{name: mine}]}}";
    assert_eq!(found(exempt), Vec::<String>::new());
    let containers = vec!["{name: c, image: registry.test/a, imagePullSecrets: [mine]}"; 2000];
    let pod = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{containers: [{}]}}}}",
        containers.join(", ")
    );
    assert_eq!(found(&pod).len(), 2000);
}
