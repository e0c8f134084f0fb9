//! Tests of the report about objects that `check` does not judge and about folders that it leaves out.

use super::{DEPLOYMENT, Folder};
use serde_json::{Value, json};

/// Custom workloads with a banned secret: their kinds are not judged, and `check` says so.
const CUSTOM: &str = "\
{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: api}, spec: {template: {spec: {imagePullSecrets: [{name: legacy-1}]}}}}
---
{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {template: {spec: {imagePullSecrets: [{name: legacy-1}]}}}}
---
{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: fn}, spec: {template: {spec: {imagePullSecrets: [{name: legacy-1}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}}
---
{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {name: old}, spec: {template: {spec: {imagePullSecrets: [{name: legacy-1}]}}}}
---
{apiVersion: template.openshift.io/v1, kind: Template, metadata: {name: t}, objects: []}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}
";

#[test]
fn kinds_that_are_not_judged_are_named_with_their_number() {
    let folder = Folder::new(&[("custom.yaml", CUSTOM), ("api.yaml", DEPLOYMENT)]);
    let run = folder.check(&["-f", "custom.yaml", "api.yaml"], "");
    assert_eq!(
        run.stderr,
        "pullgate: checked 1 object in 2 files: 1 error, 0 warnings\n\
         pullgate: not judged: 7 objects of other kinds: 2 Rollout (argoproj.io/v1alpha1), 1 ConfigMap, \
         1 Deployment (extensions/v1beta1), 1 Service (serving.knative.dev/v1), 1 Service, \
         1 Template (template.openshift.io/v1)\n"
    );
    assert_eq!(run.code, 1);
}

/// Also a version of its group that Kubernetes no longer serves: the group and the kind decide.
#[test]
fn an_old_version_of_a_kind_is_judged_and_another_group_is_not() {
    let folder = Folder::new(&[]);
    let secrets = "template: {spec: {imagePullSecrets: [{name: legacy-1}]}}";
    let cron = format!(
        "{{apiVersion: batch/v1beta1, kind: CronJob, metadata: {{name: c}}, spec: {{jobTemplate: {{spec: {{{secrets}}}}}}}}}"
    );
    let found = folder.findings(&["-f", "-"], &cron);
    assert!(found[0].ends_with(" error banned-secret"), "{found:?}");
    let ancient = format!(
        "{{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {{name: a}}, spec: {{{secrets}}}}}"
    );
    let run = folder.check(&["-f", "-"], &ancient);
    assert!(
        run.stderr.contains("1 Deployment (extensions/v1beta1)"),
        "{}",
        run.stderr
    );
}

/// The exit code stays 0: a repository may hold nothing but custom resources.
#[test]
fn a_run_that_judged_nothing_says_so() {
    let folder = Folder::new(&[("custom.yaml", CUSTOM), ("values.yaml", "a: 1\n")]);
    for file in ["custom.yaml", "values.yaml"] {
        let run = folder.check(&["-f", file], "");
        assert_eq!((run.code, &*run.stdout), (0, ""), "{file}");
        let says = "pullgate: nothing was judged: these files hold no Pod, ";
        assert!(run.stderr.contains(says), "{file}: {}", run.stderr);
    }
    let run = folder.check(&["-f", "custom.yaml"], DEPLOYMENT);
    assert!(
        run.stderr.contains("checked 0 objects in 1 file"),
        "{}",
        run.stderr
    );
}

#[test]
fn programs_are_told_too() {
    let folder = Folder::new(&[("custom.yaml", CUSTOM), ("api.yaml", DEPLOYMENT)]);
    let run = |format: &str, files: &[&str]| -> Value {
        let run = folder.check(&[&["-o", format, "-f"], files].concat(), "");
        serde_json::from_str(&run.stdout).expect("JSON")
    };
    let report = run("json", &["custom.yaml", "api.yaml"]);
    assert_eq!(report["summary"]["objects"], 1);
    assert_eq!(report["summary"]["notJudged"], 7);
    let rollouts = json!({"kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1", "objects": 2});
    let unjudged = report["notJudged"].as_array().expect("a list");
    assert!(unjudged.contains(&rollouts), "{unjudged:?}");
    assert_eq!(unjudged.len(), 6);

    let sarif = run("sarif", &["custom.yaml"]);
    let typed: serde_sarif::sarif::Sarif = serde_json::from_value(sarif.clone()).expect("SARIF");
    assert_eq!(serde_json::to_value(&typed).expect("JSON"), sarif);
    let notifications = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    let texts: Vec<_> = notifications
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|notification| notification["message"]["text"].as_str())
        .collect();
    assert!(texts[0].starts_with("nothing was judged"), "{texts:?}");
    assert!(texts[1].starts_with("not judged: 7 objects"), "{texts:?}");
}

/// However many kinds there are, and however long their names: a line names twenty.
#[test]
fn the_kinds_in_a_line_are_bounded() {
    let folder = Folder::new(&[]);
    let long = "x".repeat(5000);
    let objects: Vec<_> = (0..500)
        .map(|i| format!("{{apiVersion: v{i}, kind: K{i}{long}}}\n"))
        .collect();
    let text = objects.join("---\n");
    let run = folder.check(&["-f", "-"], &text);
    let line = run.stderr.lines().nth(1).unwrap_or_default();
    assert!(line.ends_with(", 480 more kinds"), "{line}");
    assert!(line.len() < 4000, "{}", line.len());
}

/// A policy and a Secret are judged, and Secrets of operators by their names.
#[test]
fn what_is_judged_counts() {
    let folder = Folder::new(&[]);
    let text = format!(
        "{}---\n{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, type: Opaque}}\n---\n\
         {{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {{name: e}}}}\n",
        crate::policy::EXAMPLE
    );
    let run = folder.check(&["-f", "-"], &text);
    assert!(
        run.stderr
            .starts_with("pullgate: checked 3 objects in 1 file"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("not judged"), "{}", run.stderr);
}

#[test]
fn folders_with_a_dot_are_told_where_they_hold_manifests() {
    let folder = Folder::new(&[
        ("deploy/api.yaml", DEPLOYMENT),
        ("deploy/.k8s/a.yaml", DEPLOYMENT),
        ("deploy/deeper/.hidden/below/b.json", "{}"),
        ("deploy/.git/objects/ab/cdef", ""),
        ("deploy/.pre-commit-config.yaml", "repos: []\n"),
    ]);
    let run = folder.check(&["-f", "deploy"], "");
    let says = |name: &str| {
        format!(
            "pullgate: deploy/{name} was not looked at, because its name begins with a dot: name it with -f to check it\n"
        )
    };
    let expected = format!(
        "{}{}pullgate: checked 1 object in 1 file: 1 error, 0 warnings\n",
        says(".k8s"),
        says("deeper/.hidden")
    );
    assert_eq!(run.stderr, expected);
    let named = folder.findings(&["-f", "deploy/.k8s"], "");
    assert_eq!(named, ["deploy/.k8s/a.yaml:10:17 error banned-secret"]);
}

/// A folder that holds nothing else is still nothing to check, and the reason stands before the error.
#[test]
fn a_folder_with_a_dot_alone_is_nothing_to_check() {
    let folder = Folder::new(&[("deploy/.k8s/a.yaml", DEPLOYMENT)]);
    let run = folder.check(&["-f", "deploy"], "");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("deploy/.k8s was not looked at"),
        "{}",
        run.stderr
    );
    let many: Vec<String> = (0..30).map(|i| format!("many/.k{i:02}/a.yaml")).collect();
    for name in &many {
        folder.write(name, DEPLOYMENT);
    }
    let run = folder.check(&["-f", "many"], "");
    assert_eq!(run.stderr.matches("was not looked at").count(), 10);
    assert!(
        run.stderr
            .contains("pullgate: and 20 more folders like it\n"),
        "{}",
        run.stderr
    );
}
