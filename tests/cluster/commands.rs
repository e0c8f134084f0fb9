//! Tests of the commands, with manifests that kubectl makes and with answers of the cluster.

use crate::Test;
use crate::control_plane::ControlPlane;
use crate::webhook::namespace;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

pub(crate) const TESTS: &[Test] = &[
    (
        "commands_check_what_kubectl_makes_and_the_policy_of_the_cluster",
        check,
    ),
    (
        "commands_say_when_the_policy_of_the_cluster_cannot_be_read",
        no_policy,
    ),
];

const POLICY: &str = "\
apiVersion: pullgate.dev/v1
kind: PullPolicy
registries: [{name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}]
bans: [{name: legacy, secrets: [\"legacy-*\"]}]
";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      imagePullSecrets: [{name: legacy-hub}]
      containers: [{name: c, image: contoso.azurecr.io/api}]
";

fn check(plane: &ControlPlane) {
    let ns = "commands-check";
    let dir = prepare(plane, ns);
    let kubeconfig = plane.kubeconfig().display().to_string();
    let source = format!("{ns}/pullgate-policy");
    let cluster = ["--kubeconfig", &kubeconfig, "--policy-configmap", &source];
    let args = [&["check", "-f", "-", "-o", "json"], &cluster[..]].concat();
    let get = |what: &str, format: &str| make(plane, &["get", what, "-n", ns, "-o", format]);
    for (made, name) in [
        (make(plane, &["kustomize", &dir]), "payments/eu-api"),
        (get("deployment", "yaml"), "commands-check/api"),
        (get("deployment/api", "json"), "commands-check/api"),
        (get("deployment,configmap", "json"), "commands-check/api"),
    ] {
        let (code, stdout, stderr) = pullgate(&args, &made);
        assert_eq!(code, Some(1), "{stderr}");
        let report: Value = serde_json::from_str(&stdout).expect("JSON");
        let finding = &report["findings"][0];
        assert_eq!(finding["field"], "spec.template.spec.imagePullSecrets[0]");
        let message = finding["message"].as_str().expect("a text");
        assert!(
            message.starts_with(&format!("Deployment {name}: ")),
            "{message}"
        );
        let line = finding["line"]
            .as_u64()
            .and_then(|line| usize::try_from(line).ok());
        let shown = made.lines().nth(line.expect("a number") - 1);
        assert!(shown.expect("a line").contains("legacy-hub"), "{made}");
        assert_eq!(report["injected"][0]["secrets"][0], "contoso-pull");
    }
    let args = [&["explain", "contoso.azurecr.io/x"], &cluster[..]].concat();
    let (code, stdout, stderr) = pullgate(&args, "");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("rule        contoso (pattern contoso.azurecr.io)"),
        "{stdout}"
    );
}

/// Creates a namespace with the policy and a workload that violates it, and a folder for kustomize.
fn prepare(plane: &ControlPlane, ns: &str) -> String {
    namespace(plane, ns, "none", "");
    let dir = plane.dir().join(ns);
    std::fs::create_dir(&dir).expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(dir.join(name), text).expect("a file");
        dir.join(name).display().to_string()
    };
    let policy = format!("--from-file={}", file("policy.yaml", POLICY));
    let deployment = file("deployment.yaml", DEPLOYMENT);
    let kustomization = "resources: [deployment.yaml]\nnamePrefix: eu-\nnamespace: payments\n";
    file("kustomization.yaml", kustomization);
    make(
        plane,
        &["create", "configmap", "pullgate-policy", "-n", ns, &policy],
    );
    make(plane, &["apply", "-n", ns, "-f", &deployment]);
    dir.display().to_string()
}

fn make(plane: &ControlPlane, args: &[&str]) -> String {
    let output = plane.kubectl(args, "");
    assert!(output.ok, "{}", output.stderr);
    output.stdout
}

fn no_policy(plane: &ControlPlane) {
    let kubeconfig = plane.kubeconfig().display().to_string();
    for (source, says) in [
        (
            "default/nowhere",
            "cannot read the ConfigMap default/nowhere",
        ),
        (
            "default/kube-root-ca.crt",
            "the ConfigMap default/kube-root-ca.crt has no key policy.yaml",
        ),
        ("nowhere", "write it as NAMESPACE/NAME"),
    ] {
        let args = [
            "explain",
            "--kubeconfig",
            &kubeconfig,
            "--policy-configmap",
            source,
            "nginx",
        ];
        let (code, stdout, stderr) = pullgate(&args, "");
        assert_eq!((code, &*stdout), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}

/// Runs the program. Returns its exit code, stdout and stderr.
pub(crate) fn pullgate(args: &[&str], stdin: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pullgate");
    // The program may exit without reading its stdin.
    let _ = child
        .stdin
        .take()
        .expect("piped")
        .write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("pullgate");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}
