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
    // A template with pull secrets of its own switches those of the ServiceAccount off.
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
    // What the message says is what helps, and it helps at once.
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

/// Trap 25. The odd objects are there before Pullgate starts, so that its lists have them.
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

/// Creates a namespace, a `ServiceAccount` and a Secret that changed in the year 9999.
fn create_odd_objects(plane: &ControlPlane) {
    run(plane, &["create", "namespace", "odd-times"]);
    // The API server tracks the managers of an object that has a field to own from the beginning.
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

/// Says that an object was changed in the year 9999.
fn make_odd(plane: &ControlPlane, kind: &str, name: &str) {
    let run = |args: &[&str]| run(plane, &[&["-n", "odd-times"], args].concat());
    // A manager that owns something, so that the API server keeps it.
    run(&["label", "--overwrite", kind, name, "odd=true"]);
    let get = ["get", kind, name, "-o", "json", "--show-managed-fields"];
    let object: Value = serde_json::from_str(&run(&get)).expect("JSON");
    let mut managers = object["metadata"]["managedFields"].clone();
    for manager in managers.as_array_mut().expect("field managers") {
        manager["time"] = "9999-12-31T23:59:59Z".into();
    }
    // A patch that changes nothing but times is ignored.
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
