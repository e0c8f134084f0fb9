//! Tests of changes to existing objects: updates, ephemeral containers and dry runs.

use super::{BANNED, POLICY, deployment, pod};
use crate::control_plane::ControlPlane;
use crate::process::wait_for;
use crate::webhook::Site;

pub(super) fn ratchet(plane: &ControlPlane) {
    let site = Site::new(plane, "ratchet", "");
    site.applied(&deployment("web", BANNED));
    site.applied("{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}, imagePullSecrets: [{name: regcred-shared}]}");
    site.set_policy(POLICY);
    // An update that changes nothing relevant does not call the webhook, so it also succeeds while Pullgate is down.
    let output = site.kubectl(&["label", "deployment", "web", "color=blue"]);
    assert!(output.ok && output.stderr.is_empty(), "{output:?}");
    let output = site.kubectl(&["set", "image", "deployment/web", "c=contoso.azurecr.io/b"]);
    assert!(output.ok, "{output:?}");
    assert_eq!(
        output.stderr,
        "Warning: Deployment ratchet/web: spec.template.spec.imagePullSecrets[0] names \"regcred-shared\", banned by \"legacy-shared\"; it was there before; use \"contoso-pull\"\n"
    );
    site.run(&["annotate", "serviceaccount", "app", "note=1"]);
    site.run(&[
        "patch",
        "deployment",
        "web",
        "-p",
        "{\"metadata\": {\"finalizers\": [\"test.pullgate.dev/wait\"]}}",
    ]);
    // The same secret in another field is not a new violation; another secret is one.
    let env = |secret: &str| {
        format!(
            "{{\"spec\": {{\"template\": {{\"spec\": {{\"containers\": [{{\"name\": \"c\", \"envFrom\": [{{\"secretRef\": {{\"name\": \"{secret}\"}}}}]}}]}}}}}}}}"
        )
    };
    site.run(&["patch", "deployment", "web", "-p", &env("regcred-shared")]);
    let output = site.kubectl(&["patch", "deployment", "web", "-p", &env("legacy-two")]);
    assert!(
        !output.ok
            && output
                .stderr
                .contains("envFrom[0].secretRef names \"legacy-two\""),
        "{output:?}"
    );
    site.run(&["delete", "deployment", "web", "--wait=false"]);
    // For an object that is being deleted, only references from before are excused: a finalizer can keep the object as
    // long as its owner likes.
    let output = site.kubectl(&["patch", "deployment", "web", "-p", &env("legacy-two")]);
    assert!(!output.ok, "{output:?}");
    let_go(&site, "deployment", "web");
}

/// Removes the finalizers of an object that is being deleted, as a controller does. There must be no warning.
fn let_go(site: &Site<'_>, kind: &str, name: &str) {
    let patch = "[{\"op\": \"remove\", \"path\": \"/metadata/finalizers\"}]";
    let output = site.kubectl(&["patch", kind, name, "--type=json", "-p", patch]);
    assert!(output.ok && output.stderr.is_empty(), "{output:?}");
    wait_for("the object is gone", || {
        !site.kubectl(&["get", kind, name]).ok
    });
}

/// Pods of a workload get the pull secrets of its ServiceAccount even while that ServiceAccount is being deleted.
pub(super) fn kept_by_a_finalizer(plane: &ControlPlane) {
    let mut site = Site::new(plane, "kept", POLICY);
    site.applied(
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: app, finalizers: [test.pullgate.dev/keep]}}",
    );
    site.run(&["delete", "serviceaccount", "app", "--wait=false"]);
    let list = |secret: &str| format!("{{\"imagePullSecrets\": [{{\"name\": \"{secret}\"}}]}}");
    let output = site.kubectl(&[
        "patch",
        "serviceaccount",
        "app",
        "-p",
        &list("regcred-shared"),
    ]);
    assert!(
        !output.ok
            && output
                .stderr
                .contains("ServiceAccount kept/app: imagePullSecrets[0] names \"regcred-shared\""),
        "{output:?}"
    );
    site.run(&["patch", "serviceaccount", "app", "-p", &list("other")]);
    // Removing a finalizer never needs Pullgate.
    site.end_server();
    let_go(&site, "serviceaccount", "app");
}

pub(super) fn debug(plane: &ControlPlane) {
    let site = Site::new(plane, "debug", &format!("unmatched: deny\n{POLICY}"));
    site.applied("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}");
    let debug = |args: &[&str]| site.kubectl(&[&["debug", "web", "--container"], args].concat());
    let output = debug(&["one", "--image=quay.io/tools"]);
    assert!(
        !output.ok
            && output.stderr.contains(
                "spec.ephemeralContainers[0].image \"quay.io/tools\" is not covered by a registry rule"
            ),
        "{output:?}"
    );
    let custom = site.file("custom.json");
    std::fs::write(
        &custom,
        "{\"envFrom\": [{\"secretRef\": {\"name\": \"legacy-one\"}}]}",
    )
    .expect("a file");
    let output = debug(&[
        "two",
        "--image=nginx",
        "--custom",
        &custom.display().to_string(),
    ]);
    assert!(
        !output.ok
            && output
                .stderr
                .contains("spec.ephemeralContainers[0].envFrom[0].secretRef names \"legacy-one\""),
        "{output:?}"
    );
    let output = debug(&["three", "--image=contoso.azurecr.io/tools"]);
    assert!(output.ok, "{output:?}");
    assert!(
        output.stderr.contains("Warning: Pod debug/web: spec.ephemeralContainers[0].image needs \"contoso-pull\" (rule \"contoso\"), too late for this pod: use an image that it can pull"),
        "{output:?}"
    );
    let output = debug(&["four", "--image=nginx"]);
    assert!(
        output.ok && !output.stderr.contains("Warning"),
        "{output:?}"
    );
}

pub(super) fn dry_run(plane: &ControlPlane) {
    let site = Site::new(plane, "dry-run", POLICY);
    let output = site.kubectl_with(
        &["apply", "--dry-run=server", "-f", "-"],
        &deployment("web", BANNED),
    );
    assert!(
        !output.ok
            && output
                .stderr
                .contains("denied the request: Deployment dry-run/web: "),
        "{output:?}"
    );
    let output = site.kubectl_with(
        &["apply", "--dry-run=server", "-o", "yaml", "-f", "-"],
        &pod("good", ""),
    );
    assert!(
        output.ok && output.stdout.contains("name: contoso-pull"),
        "{output:?}"
    );
    assert!(!site.kubectl(&["get", "pod", "good"]).ok);
}
