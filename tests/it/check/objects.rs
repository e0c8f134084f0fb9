//! Tests of how `check` reads objects from files, lists, charts and standard input.

use super::{DEPLOYMENT, Folder};

/// Every way in which objects come.
#[test]
fn objects_are_found_wherever_they_are() {
    let folder = Folder::new(&[
        ("two.yaml", &format!("# Source: x\n---\n{DEPLOYMENT}---\n# nothing\n---\n{DEPLOYMENT}...\n")),
        ("list.yaml", "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: p}
  spec:
    imagePullSecrets: [{name: legacy-1}]
- apiVersion: v1
  kind: List
  items:
  - {apiVersion: v1, kind: ServiceAccount, metadata: {name: s}, imagePullSecrets: [{name: legacy-2}]}
"),
        ("typed.json", "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"PodList\",\n\t\"items\": [\n\t\t{\"metadata\": {\"name\": \"p\"}, \"spec\": {\"imagePullSecrets\": [\n\t\t\t{\"name\": \"legacy-\\u0031\"}\n\t\t]}}\n\t]\n}\n"),
        ("merge.yml", "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: a}
  spec: &spec
    imagePullSecrets:
    - &pull {name: legacy-1}
- apiVersion: v1
  kind: Pod
  metadata: {name: b}
  spec:
    <<: *spec
    containers: [{name: c, image: x}]
- apiVersion: v1
  kind: Pod
  metadata: {name: c}
  spec: {<<: [*spec], imagePullSecrets: []}
"),
        ("nested/deeper/cron.yaml", "\
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, env: [
  {name: X, valueFrom: {secretKeyRef: {name: regcred-shared, key: k}}}]}]}}}}}
"),
        ("revision.yaml", "\
apiVersion: apps/v1
kind: ControllerRevision
metadata: {name: web-1}
revision: 1
data:
  spec:
    template:
      $patch: replace
      spec:
        imagePullSecrets:
        - name: legacy-1
"),
        ("notes.txt", "apiVersion: v1\nkind: Pod\n"),
        (".hidden/pod.yaml", "what: ever"),
    ]);
    let found = |args: &[&str]| folder.findings(args, "");
    assert_eq!(
        found(&["-f", "two.yaml"]),
        [
            "two.yaml:12:17 error banned-secret",
            "two.yaml:28:17 error banned-secret"
        ]
    );
    assert_eq!(
        found(&["-f", "list.yaml"]),
        [
            "list.yaml:8:31 error banned-secret",
            "list.yaml:12:91 error banned-secret"
        ]
    );
    assert_eq!(
        found(&["-f", "typed.json"]),
        ["typed.json:6:13 error banned-secret"]
    );
    assert_eq!(
        found(&["-f", "merge.yml"]),
        [
            "merge.yml:9:20 error banned-secret",
            "merge.yml:9:20 error banned-secret"
        ]
    );
    assert_eq!(
        found(&["-f", "nested"]),
        ["nested/deeper/cron.yaml:5:46 error banned-secret"]
    );
    assert_eq!(
        found(&["-f", "revision.yaml"]),
        ["revision.yaml:11:17 error banned-secret"]
    );
    assert_eq!(found(&["-f", "."]).len(), 9);
    assert_eq!(
        found(&["-f", "two.yaml", "list.yaml", "-f", "nested"]).len(),
        5
    );
    assert_eq!(
        folder.findings(&["-f", "-"], DEPLOYMENT),
        ["<stdin>:10:17 error banned-secret"]
    );
}

#[test]
fn a_chart_is_not_read_before_it_is_rendered() {
    let folder = Folder::new(&[
        (
            "charts/shop/Chart.yaml",
            "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        ),
        ("charts/shop/values.yaml", "replicas: 1\n"),
        (
            "charts/shop/templates/api.yaml",
            "{{- if .Values.x }}\napiVersion: v1\n{{ end }}\n",
        ),
        ("charts/shop/crds/a.yaml", DEPLOYMENT),
    ]);
    for path in ["charts/shop/templates", "charts/shop/templates/api.yaml"] {
        let run = folder.check(&["-f", path], "");
        assert!(
            run.stderr.contains("charts/shop is a chart"),
            "{}",
            run.stderr
        );
    }
    let run = folder.check(&["-f", "charts"], "");
    assert!(
        run.stdout.contains("--> charts/shop/crds/a.yaml:10:17"),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("pullgate: charts/shop is a chart, its templates were not looked at: check the output of `helm template`"), "{}", run.stderr);
    assert!(run.stderr.contains("checked 1 object in 3 files: 1 error, 0 warnings (2 documents are not Kubernetes objects)"), "{}", run.stderr);
}

/// As kubectl reads it: `kubectl label --local -f FILE a=b -o yaml` shows how that is.
#[test]
fn merge_keys_count_where_they_stand() {
    let folder = Folder::new(&[]);
    let pod = |spec: &str| {
        format!("{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{{spec}}}}}")
    };
    let count = |spec: &str| folder.findings(&["-f", "-"], &pod(spec)).len();
    let (good, bad) = (
        "imagePullSecrets: [{name: fine}]",
        "imagePullSecrets: [{name: legacy-1}]",
    );
    assert_eq!(count(&format!("{good}, <<: {{{bad}}}")), 1);
    assert_eq!(count(&format!("<<: {{{bad}}}, {good}")), 0);
    assert_eq!(count(&format!("<<: {{{good}}}, <<: {{{bad}}}")), 1);
    assert_eq!(count(&format!("<<: [{{{good}}}, {{{bad}}}]")), 0);
    assert_eq!(count(&format!("<<: [{{{bad}}}, {{{good}}}]")), 1);
    assert_eq!(
        count(&format!("{good}, {bad}")),
        2,
        "a key that is there twice, and the last one counts"
    );
}

/// `null` is nothing, as where it is absent.
#[test]
fn a_null_name_or_namespace_is_none() {
    let folder = Folder::new(&[]);
    for null in ["null", "~", "", "Null"] {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: {null}}}\nspec: {{imagePullSecrets: [{{name: legacy-1}}]}}\n"
        );
        let run = folder.check(&["-f", "-", "-n", "shop"], &text);
        assert!(run.stdout.contains("error: Pod shop/p: "), "{}", run.stdout);
    }
}

#[test]
fn json_values_may_follow_each_other() {
    let folder = Folder::new(&[]);
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"imagePullSecrets": [{"name": "legacy-1"}]}}"#;
    let found = folder.findings(&["-f", "-"], &format!("{pod}\n{pod} {pod}\n\n  {pod}"));
    let column = pod.find("\"legacy").expect("it is there") + 1;
    let third = column + pod.len() + 1;
    let fourth = column + 2;
    let expected = [(1, column), (2, column), (2, third), (4, fourth)];
    assert_eq!(
        found,
        expected.map(|(line, column)| format!("<stdin>:{line}:{column} error banned-secret"))
    );
}

#[test]
fn what_the_api_server_would_not_take_is_told_with_its_place() {
    let folder = Folder::new(&[]);
    let found = |text: &str| folder.findings(&["-f", "-"], text);
    let pod =
        |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n{spec}");
    assert_eq!(
        found(&pod("  containers:\n  - name: c\n    image: 5\n")),
        ["<stdin>:8:12 error unreadable"]
    );
    assert_eq!(
        found(&pod("  containers:\n    name: c\n")),
        ["<stdin>:7:5 error unreadable"]
    );
    assert_eq!(
        found(&pod("  hostname: a\n  hostname: b\n")),
        ["<stdin>:7:3 warning double-key"]
    );
    assert_eq!(found("a: [\n"), ["<stdin>:1:4 error unreadable"]);
    assert_eq!(
        found(&format!("{DEPLOYMENT}---\nb: {{\n")),
        [
            "<stdin>:10:17 error banned-secret",
            "<stdin>:15:4 error unreadable"
        ]
    );
    for (spec, says) in [
        (
            "  containers:\n  - name: c\n    image: 5\n",
            "error: Pod p: spec.containers[0].image has to be a text\n",
        ),
        (
            "  imagePullSecrets: [legacy-1]\n",
            "error: Pod p: spec.imagePullSecrets[0] has to be a mapping\n",
        ),
        (
            "  containers: {name: c}\n",
            "error: Pod p: spec.containers has to be a list\n",
        ),
    ] {
        let run = folder.check(&["-f", "-"], &pod(spec));
        assert!(run.stdout.contains(says), "{}", run.stdout);
    }
    let run = folder.check(&["-f", "-"], "a: {{ .Values.x }\n");
    assert!(
        run.stdout
            .contains("check what `helm template` makes of it"),
        "{}",
        run.stdout
    );
    let run = folder.check(&["-f", "nowhere.yaml", "-f", "policy.yaml"], "");
    assert_eq!((run.code, &*run.stdout), (2, ""));
    assert!(
        run.stderr.contains("cannot read nowhere.yaml"),
        "{}",
        run.stderr
    );
}

/// Comments, empty documents, quotes and kinds that are not judged, as helm writes them.
#[test]
fn what_was_written_by_tools_is_read() {
    let folder = Folder::new(&[]);
    let text = "\
apiVersion: v1
kind: Namespace
metadata:
  name: payments
---
# Source: shop/templates/api.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  labels: {\"app.kubernetes.io/managed-by\": Helm}
  name: \"release-name-api\"
  namespace: payments
spec:
  replicas: 1
  template:
    metadata: {annotations: {checksum/config: \"0e1\"}}
    spec:
      containers:
        - name: api
          image: \"contoso.azurecr.io/payments/api:1.4\"
---
# Source: shop/templates/empty.yaml

---
# Source: shop/templates/crd.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: a.b.c}
";
    let run = folder.check(&["-f", "-"], text);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(
        run.stdout,
        "would be injected into the pods of:\n  Deployment payments/release-name-api: contoso-pull (contoso)\n"
    );
    assert!(
        run.stderr.contains(
            "checked 1 object in 1 file: 0 errors, 0 warnings\n\
             pullgate: not judged: 2 objects of other kinds: 1 CustomResourceDefinition (apiextensions.k8s.io/v1), 1 Namespace\n"
        ),
        "{}",
        run.stderr
    );
}
