//! Tests of requests that controllers of other projects and common tools send.

use crate::inject::{containers, names};
use crate::support::{Answer, Setting, by_controller, create, create_pod, update};
use pullgate::verdict::world::Controllers;
use serde_json::{Value, json};

/// The part of the policy that does not depend on `unmatched`.
const POLICY: &str = "
registries:
  - {name: acme, images: [registry.acme.test], secrets: [acme-pull]}
  - {name: acme-team, images: [registry.acme.test/team], secrets: [team-pull]}
  - {name: hub, images: [docker.io], secrets: [hub-pull]}
bans:
  - {name: legacy, secrets: [regcred-shared, 'legacy-*'], instead: acme-pull}
";

/// No rule covers Docker Hub.
const DENY: &str = "
registries:
  - {name: acme, images: [registry.acme.test], secrets: [acme-pull]}
  - {name: acme-team, images: [registry.acme.test/team], secrets: [team-pull]}
unmatched: deny
";

fn owned_by(mut review: Value, api_version: &str, kind: &str, user: &str) -> Value {
    review["request"]["userInfo"]["username"] = json!(user);
    review["request"]["object"]["metadata"]["ownerReferences"] =
        json!([{"apiVersion": api_version, "kind": kind, "name": "owner", "controller": true}]);
    review
}

fn banned_spec() -> Value {
    let mut spec = spec_of(&["registry.acme.test/shop/api:1"]);
    spec["imagePullSecrets"] = json!([{"name": "regcred-shared"}]);
    spec
}

fn spec_of(images: &[&str]) -> Value {
    json!({"containers": containers(images)})
}

/// The pull secrets of a Pod after `/mutate`.
fn injected(answer: &Answer, review: &Value) -> Vec<String> {
    let pod = answer.applied(&review["request"]["object"]);
    names(&pod).into_iter().map(ToOwned::to_owned).collect()
}

/// No review has judged the Rollout, so naming its controller helps nothing.
#[test]
fn the_replica_set_of_a_rollout_is_refused() {
    let user = "system:serviceaccount:argo-rollouts:argo-rollouts";
    let object =
        json!({"metadata": {"name": "api-1"}, "spec": {"template": {"spec": banned_spec()}}});
    let review = create("apps", "ReplicaSet", object);
    let review = owned_by(review, "argoproj.io/v1alpha1", "Rollout", user);
    let mut setting = Setting::new(POLICY);
    setting.controllers = Controllers::new(vec![user.to_owned()]);
    assert!(!setting.validate(&review).allowed());
}

/// docs/operations.md explains the effect on an enforced ban.
#[test]
fn the_bare_pod_of_an_operator_is_refused() {
    let user = "system:serviceaccount:cnpg-system:cnpg-manager";
    let review = owned_by(
        create_pod(banned_spec()),
        "postgresql.cnpg.io/v1",
        "Cluster",
        user,
    );
    let answer = Setting::new(POLICY).validate(&review);
    assert!(!answer.allowed());
    assert!(answer.message().contains("\"regcred-shared\""));
}

/// The driver of Spark, a Pod, controls its executors.
#[test]
fn a_pod_that_a_pod_controls_gets_its_secret() {
    let pod = create_pod(spec_of(&["registry.acme.test/shop/api:1"]));
    let review = owned_by(pod, "v1", "Pod", "system:serviceaccount:shop:spark");
    let answer = Setting::new(POLICY).mutate(&review);
    assert_eq!(injected(&answer, &review), ["acme-pull"]);
}

/// `kubectl debug` adds a container to a pod that runs: its list can no longer change, so it is warned of.
#[test]
fn a_debug_container_whose_secret_the_pod_lacks_is_warned_of() {
    let mut spec = spec_of(&["registry.acme.test/shop/api:1"]);
    spec["imagePullSecrets"] = json!([{"name": "acme-pull"}]);
    let old = json!({"metadata": {"name": "web"}, "spec": spec});
    spec["ephemeralContainers"] =
        json!([{"name": "d", "image": "registry.acme.test/team/debug:1"}]);
    let review = update(create_pod(spec), old);
    let setting = Setting::new(POLICY);
    let answer = setting.validate(&review);
    assert!(answer.allowed());
    assert!(
        answer.warnings()[0].contains("team-pull"),
        "{:?}",
        answer.warnings()
    );
    let answer = setting.mutate(&review);
    assert!(answer.allowed() && answer.patch.is_none());
}

/// A pod from before the webhook was installed: a label is no reason for a warning, and UPDATE is never patched.
#[test]
fn a_label_on_an_old_pod_passes_in_silence() {
    let spec = spec_of(&["registry.acme.test/shop/api:1"]);
    let old = json!({"metadata": {"name": "web"}, "spec": spec});
    let mut review = update(create_pod(spec), old);
    review["request"]["object"]["metadata"]["labels"] = json!({"a": "b"});
    let setting = Setting::new(POLICY);
    for answer in [setting.validate(&review), setting.mutate(&review)] {
        assert!(answer.allowed() && answer.patch.is_none());
        assert_eq!(answer.warnings(), Vec::<&str>::new());
    }
}

/// Also entries without a name, which the API server takes.
#[test]
fn the_list_of_a_pod_is_kept_behind_what_is_injected() {
    let mut spec = spec_of(&["registry.acme.test/shop/api:1"]);
    let own = [
        json!({"name": "pull-secret-quay"}),
        json!({}),
        json!({"name": ""}),
    ];
    spec["imagePullSecrets"] = json!(own);
    let review = create_pod(spec);
    let answer = Setting::new(POLICY).mutate(&review);
    let pod = answer.applied(&review["request"]["object"]);
    let [quay, absent, empty] = own;
    let expected = json!([{"name": "acme-pull"}, quay, absent, empty]);
    assert_eq!(pod["spec"]["imagePullSecrets"], expected);
}

/// In the order of first use; a host is compared without regard to case.
#[test]
fn images_of_two_registries_get_the_secrets_of_both() {
    let images = [
        "nginx:1.27",
        "registry.acme.test/shop/api:1",
        "REGISTRY.acme.test/team/x",
    ];
    let review = create_pod(spec_of(&images));
    let answer = Setting::new(POLICY).mutate(&review);
    assert_eq!(
        injected(&answer, &review),
        ["hub-pull", "acme-pull", "team-pull"]
    );
}

/// `kubectl debug node/n1` creates a Pod that is bound to its node and has no name yet.
#[test]
fn the_pod_that_debugs_a_node_gets_its_secret() {
    let mut spec = spec_of(&["registry.acme.test/team/debug:1"]);
    spec["nodeName"] = json!("n1");
    spec["hostPID"] = json!(true);
    let object = json!({"metadata": {"generateName": "node-debugger-n1-"}, "spec": spec});
    let review = create("", "Pod", object);
    let answer = Setting::new(POLICY).mutate(&review);
    assert_eq!(injected(&answer, &review), ["team-pull"]);
}

/// Knative resolves tags to digests and writes Docker Hub by its old name.
#[test]
fn the_deployment_of_a_knative_service_is_refused_for_its_images() {
    let digest = "c".repeat(64);
    let images = [
        format!("index.docker.io/acme/fn@sha256:{digest}"),
        format!("gcr.io/knative-releases/queue@sha256:{digest}"),
    ];
    let spec = spec_of(&images.each_ref().map(String::as_str));
    let object = json!({"metadata": {"name": "fn"}, "spec": {"template": {"spec": spec}}});
    let user = "system:serviceaccount:knative-serving:controller";
    let review = create("apps", "Deployment", object);
    let review = owned_by(review, "serving.knative.dev/v1", "Revision", user);
    let answer = Setting::new(DENY).validate(&review);
    assert!(!answer.allowed());
    for image in &images {
        assert!(answer.message().contains(image), "{}", answer.message());
    }
}

/// A pattern ends at the end of a host, or at a `/`.
#[test]
fn hosts_and_paths_that_begin_alike_are_not_covered() {
    let images = [
        "registry.acme.test.evil.test/x",
        "registry.acme.testevil/x",
        "evil.test/registry.acme.test/x",
        "registry.acme.test/team-b/x",
    ];
    let review = create_pod(spec_of(&images));
    let setting = Setting::new(DENY);
    let answer = setting.validate(&review);
    let causes = answer.response["status"]["details"]["causes"].as_array();
    let fields: Vec<_> = causes
        .into_iter()
        .flatten()
        .map(|cause| &cause["field"])
        .collect();
    assert_eq!(
        fields,
        [
            "spec.containers[0].image",
            "spec.containers[1].image",
            "spec.containers[2].image"
        ]
    );
    let answer = setting.mutate(&review);
    assert_eq!(injected(&answer, &review), ["acme-pull"]);
    let by_controller = by_controller(review, super::REPLICASET_CONTROLLER);
    assert!(
        setting.validate(&by_controller).allowed(),
        "its workload was refused when a person applied it"
    );
}
