//! Tests of running workloads: pods that their controllers create, and operations that must work while Pullgate is
//! down.

use super::{BANNED, POLICY, cron_job, deployment, pod};
use crate::control_plane::{ControlPlane, Output};
use crate::process::wait_for;
use crate::webhook::Site;

/// Trap 18: a policy edit must not cause an outage.
pub(super) fn keeps_running(plane: &ControlPlane) {
    let site = Site::new(plane, "keeps-running", "");
    offenders(&site);
    site.set_policy(POLICY);
    assert!(
        !site.apply(&deployment("new", BANNED)).ok,
        "a new violation is refused"
    );
    site.run(&["scale", "deployment", "web", "--replicas=3"]);
    site.wait_for_pods("app=web", 3);
    // The scale subresource, as an HPA uses it.
    site.run(&[
        "patch",
        "deployment",
        "web",
        "--subresource=scale",
        "-p",
        "{\"spec\": {\"replicas\": 4}}",
    ]);
    site.wait_for_pods("app=web", 4);
    let before: Vec<String> = site.pods("app=web").iter().map(name).collect();
    site.run(&["delete", "pod", &before[0], "--grace-period=0", "--force"]);
    wait_for("a pod replaces the deleted one", || {
        let now: Vec<String> = site.pods("app=web").iter().map(name).collect();
        now.len() == 4 && now.iter().any(|name| !before.contains(name))
    });
    let restarted = "app=web,pod-template-hash!=".to_owned() + &hash(&site.pods("app=web")[0]);
    site.run(&["rollout", "restart", "deployment/web"]);
    wait_for("pods of the new revision", || {
        !site.pods(&restarted).is_empty()
    });
    tick(&site);
    wait_for("the CronJob ticks", || !site.pods("app=cron").is_empty());
    let audit = plane.audit_log();
    let kept = "\"inject.pullgate.dev/ban.legacy-shared\":\"admitted, workload was admitted earlier: \\\"regcred-shared\\\"\"";
    assert!(
        audit
            .lines()
            .any(|line| line.contains("keeps-running") && line.contains(kept)),
        "no audit annotation"
    );
    site.run(&["label", "deployment", "web", "color=blue"]);
    let output = plane.kubectl(
        &["delete", "namespace", "keeps-running", "--wait=false"],
        "",
    );
    assert!(output.ok, "{output:?}");
    wait_for("all pods are gone", || {
        // There is no kubelet to finish the deletion of pods.
        site.kubectl(&["delete", "pods", "--all", "--grace-period=0", "--force"]);
        !plane.kubectl(&["get", "namespace", "keeps-running"], "").ok
    });
}

fn offenders(site: &Site<'_>) {
    site.applied(&deployment("web", BANNED));
    site.applied(&cron_job("cron", "* * * * *", BANNED));
    site.wait_for_pods("app=web", 1);
}

/// Lets the CronJob run. This patch is also an update of an object from before the ban.
fn tick(site: &Site<'_>) {
    site.run(&[
        "patch",
        "cronjob",
        "cron",
        "-p",
        "{\"spec\": {\"suspend\": false}}",
    ]);
}

fn name(object: &serde_json::Value) -> String {
    object["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned()
}

fn hash(pod: &serde_json::Value) -> String {
    pod["metadata"]["labels"]["pod-template-hash"]
        .as_str()
        .expect("a hash")
        .to_owned()
}

pub(super) fn running_deny(plane: &ControlPlane) {
    let site = Site::new(plane, "running-deny", "");
    offenders(&site);
    let before = name(&site.pods("app=web")[0]);
    site.set_policy(&format!("{POLICY}    running: deny\n"));
    // The workload itself may be changed. Its controller gets the reason why it cannot create pods.
    site.run(&["scale", "deployment", "web", "--replicas=2"]);
    let says = |what: &str| {
        wait_for(what, || {
            site.run(&["get", "events", "-o", "jsonpath={.items[*].message}"])
                .contains(what)
        });
    };
    says("admission webhook \"inject.pullgate.dev\" denied the request: Pod running-deny/web-");
    says("(of ReplicaSet web-");
    site.run(&["rollout", "restart", "deployment/web"]);
    site.run(&["delete", "pod", &before, "--grace-period=0", "--force"]);
    tick(&site);
    wait_for("the CronJob ticks", || {
        !site.run(&["get", "jobs", "-o", "name"]).is_empty()
    });
    says("Pod running-deny/cron-");
    assert!(
        site.pods("app=web").is_empty(),
        "a pod was made in place of the deleted one"
    );
    assert!(site.pods("app=cron").is_empty(), "the CronJob made a pod");
}

/// Workloads in place go on without Pullgate; only objects that users apply need it.
pub(super) fn pullgate_down(plane: &ControlPlane) {
    let mut site = Site::new(plane, "down", POLICY);
    site.applied(&deployment("web", ""));
    site.wait_for_pods("app=web", 1);
    site.end_server();
    site.run(&["scale", "deployment", "web", "--replicas=3"]);
    site.wait_for_pods("app=web", 3);
    let output = site.apply(&deployment("new", ""));
    assert!(
        !output.ok
            && output
                .stderr
                .contains("failed calling webhook \"guard.pullgate.dev\""),
        "{output:?}"
    );
    let output = plane.kubectl(&["create", "namespace", "down-too"], "");
    assert!(output.ok, "{output:?}");
    let output = plane.kubectl(
        &["label", "namespace", "down-too", "pullgate-test=down"],
        "",
    );
    assert!(output.ok, "{output:?}");
    wait_for("the default ServiceAccount", || {
        plane
            .kubectl(&["-n", "down-too", "get", "sa", "default"], "")
            .ok
    });
}

/// With failurePolicy `Fail`, a match condition that cannot be evaluated refuses the request. Match conditions let
/// controllers through, not other users who write the same fields.
pub(super) fn match_conditions(plane: &ControlPlane) {
    let site = Site::new(plane, "conditions", POLICY);
    let owned_by = |name: &str, owner: &str, more: &str| {
        let owner = format!("{{{owner}, name: x, uid: 11111111-2222-3333-4444-555555555555}}");
        pod(name, more).replace(
            &format!("{{name: {name}}}"),
            &format!("{{name: {name}, ownerReferences: [{owner}]}}"),
        )
    };
    let owned = |name: &str, owner: &str, more: &str| {
        let owner = format!("apiVersion: apps/v1, kind: ReplicaSet{owner}");
        owned_by(name, &owner, more)
    };
    let controller = "--as=system:serviceaccount:kube-system:replicaset-controller";
    let create = |user: &[&str], manifest: &str| {
        site.kubectl_with(
            &[&["create", "--dry-run=server", "-f", "-"], user].concat(),
            manifest,
        )
    };
    for (name, manifest) in [
        ("alone", pod("alone", "")),
        ("owned", owned("owned", "", "")),
        ("controlled", owned("controlled", ", controller: true", "")),
    ] {
        for user in [&[controller][..], &[]] {
            let output = create(user, &manifest);
            assert!(output.ok, "{name}: {output:?}");
        }
    }
    let denied = |user: &[&str], manifest: &str| {
        create(user, manifest)
            .stderr
            .contains("guard.pullgate.dev\" denied the request")
    };
    assert!(
        denied(&[], &owned("forged", ", controller: true", BANNED)),
        "a user can write any ownerReference"
    );
    assert!(
        denied(&[controller], &pod("alone", BANNED)),
        "the pod does not belong to a judged workload"
    );
    assert!(create(&[controller], &owned("kept", ", controller: true", BANNED)).ok);
    revisions(&create, &denied);
    for owner in [
        "apiVersion: argoproj.io/v1alpha1, kind: Rollout",
        "apiVersion: example.com/v1, kind: ReplicaSet",
    ] {
        let unjudged = format!("{owner}, controller: true");
        assert!(
            denied(&[controller], &owned_by("custom", &unjudged, BANNED)),
            "its owner was not judged: {unjudged}"
        );
        assert!(create(&[controller], &owned_by("custom", &unjudged, "")).ok);
    }
}

/// The revisions that the `StatefulSet` controller keeps, and one that a user creates for the controller to adopt.
fn revisions(create: &impl Fn(&[&str], &str) -> Output, denied: &impl Fn(&[&str], &str) -> bool) {
    let revision = |more: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: ControllerRevision, revision: 1, metadata: {{name: web-1, ownerReferences: [{{\
             apiVersion: apps/v1, kind: StatefulSet, name: web, controller: true, \
             uid: 11111111-2222-3333-4444-555555555555}}]}}, data: {{spec: {{template: {{$patch: replace, spec: {{\
             containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}}}}}}}"
        )
    };
    let controller = "--as=system:serviceaccount:kube-system:statefulset-controller";
    assert!(denied(&[], &revision(BANNED)) && create(&[], &revision("")).ok);
    assert!(create(&[controller], &revision(BANNED)).ok);
}
