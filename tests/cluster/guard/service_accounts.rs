//! Tests of the pull secrets that a ServiceAccount passes on to pods.

use super::{POLICY, deployment, pod};
use crate::control_plane::ControlPlane;
use crate::process::wait_for;
use crate::webhook::Site;

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
