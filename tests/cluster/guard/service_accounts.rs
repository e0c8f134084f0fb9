//! Tests of the pull secrets that a ServiceAccount passes on to pods.

use super::{POLICY, deployment, pod};
use crate::control_plane::ControlPlane;
use crate::process::wait_for;
use crate::webhook::Site;
use serde_json::{Value, json};

pub(super) fn service_accounts(plane: &ControlPlane) {
    let site = Site::new(plane, "passes-on", "");
    site.applied("{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}, imagePullSecrets: [{name: other}, {name: legacy-one}]}");
    site.set_policy(POLICY);
    // A template with its own pull secrets does not get those of the ServiceAccount.
    site.applied(&deployment(
        "own",
        ", serviceAccountName: app, imagePullSecrets: [{name: mine}]",
    ));
    let output = site.apply(&deployment("web", ", serviceAccountName: app"));
    let expected = "Deployment passes-on/web: spec.template.spec.serviceAccountName \"app\" passes \"legacy-one\" on to the pods, banned by \"legacy-shared\"";
    assert!(!output.ok && output.stderr.contains(expected), "{output:?}");
    assert!(
        output
            .stderr
            .contains("(kubectl edit serviceaccount app -n passes-on)"),
        "{output:?}"
    );
    let output = site.apply(&pod("web", ", serviceAccountName: app"));
    assert!(
        !output.ok
            && output
                .stderr
                .contains("inherited from ServiceAccount \"app\""),
        "{output:?}"
    );
    // The advice of the message helps, and at once.
    site.run(&[
        "patch",
        "serviceaccount",
        "app",
        "-p",
        "{\"imagePullSecrets\": [{\"name\": \"other\"}]}",
    ]);
    wait_for("the deployment is admitted", || {
        site.apply(&deployment("web", ", serviceAccountName: app"))
            .ok
    });
}

/// Trap 25. The odd objects exist before Pullgate starts, so that its first lists contain them.
pub(super) fn trap_25_odd_objects_hide_no_other(plane: &ControlPlane) {
    create_odd_objects(plane);
    let (site, _) = Site::with_inventory(plane, "beside-odd", POLICY, "contents");
    site.applied("{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}}");
    site.set_policy("registries: []");
    let list = "{\"imagePullSecrets\": [{\"name\": \"legacy-one\"}]}";
    site.run(&["patch", "serviceaccount", "app", "-p", list]);
    site.set_policy(POLICY);
    wait_for("what the ServiceAccount passes on is known", || {
        let output = site.apply(&deployment("web", ", serviceAccountName: app"));
        output
            .stderr
            .contains("passes \"legacy-one\" on to the pods")
    });
    let log = site.log();
    assert!(!log.contains("cannot watch"), "{log}");
    assert!(!log.contains("cannot read an object"), "{log}");
}

/// Creates a namespace, a `ServiceAccount` and a Secret with a managed-fields time in the year 9999.
fn create_odd_objects(plane: &ControlPlane) {
    run(plane, &["create", "namespace", "odd-times"]);
    // The ServiceAccount has a label from the start: the API server tracks field managers only of an object that was
    // created with a field to own.
    let account =
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: odd, labels: {odd: first}}}";
    let output = plane.kubectl(&["-n", "odd-times", "create", "-f", "-"], account);
    assert!(output.ok, "{output:?}");
    let content = "--from-literal=.dockerconfigjson={}";
    let of_type = "--type=kubernetes.io/dockerconfigjson";
    let secret = ["create", "secret", "generic", "odd", of_type, content];
    run(plane, &[&["-n", "odd-times"], &secret[..]].concat());
    for (kind, name) in [
        ("namespace", "odd-times"),
        ("serviceaccount", "odd"),
        ("secret", "odd"),
    ] {
        make_odd(plane, kind, name);
    }
}

/// Sets the time in the managed fields of an object to the year 9999.
fn make_odd(plane: &ControlPlane, kind: &str, name: &str) {
    let run = |args: &[&str]| run(plane, &[&["-n", "odd-times"], args].concat());
    // A field manager must own a field, otherwise the API server drops it.
    run(&["label", "--overwrite", kind, name, "odd=true"]);
    let get = ["get", kind, name, "-o", "json", "--show-managed-fields"];
    let object: Value = serde_json::from_str(&run(&get)).expect("JSON");
    let mut managers = object["metadata"]["managedFields"].clone();
    for manager in managers.as_array_mut().expect("field managers") {
        manager["time"] = "9999-12-31T23:59:59Z".into();
    }
    // The API server ignores a patch that changes only times.
    let metadata = json!({"annotations": {"odd": "true"}, "managedFields": managers});
    let patch = json!({"metadata": metadata}).to_string();
    run(&["patch", kind, name, "--type=merge", "-p", &patch]);
    assert!(run(&get).contains("9999-12-31T23:59:59Z"), "{kind} is odd");
}

fn run(plane: &ControlPlane, args: &[&str]) -> String {
    let output = plane.kubectl(args, "");
    assert!(output.ok, "{args:?}: {output:?}");
    output.stdout
}
