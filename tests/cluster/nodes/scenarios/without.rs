//! Tests of a cluster where Pullgate is installed but down, and of Pullgate without the API server.

use super::{POLICY, deployment, is_running, pods};
use crate::Test;
use crate::ground::Ground;
use crate::process::wait_for;
use serde_json::json;

pub(super) const TESTS: &[Test] = &[
    (
        "with_an_unpullable_image_workloads_run_on_and_uninstall_ends_refusals",
        with_an_unpullable_image_workloads_run_on_and_uninstall_ends_refusals,
    ),
    (
        "a_fresh_node_comes_up_while_pullgate_is_down",
        a_fresh_node_comes_up_while_pullgate_is_down,
    ),
    (
        "without_the_api_server_pullgate_answers_from_known_facts",
        without_the_api_server_pullgate_answers_from_known_facts,
    ),
];

fn with_an_unpullable_image_workloads_run_on_and_uninstall_ends_refusals(ground: &Ground) {
    ground.ensure_installed();
    ground.namespace_with_pull_secret("goes-on");
    // The template names its secret, because Pullgate cannot add it.
    let image = "contoso.azurecr.io/shop/web:1";
    let web = deployment(
        "goes-on",
        "web",
        image,
        ", imagePullSecrets: [{name: contoso-pull}]",
    );
    ground.apply(&web);
    wait_for("it runs", || is_running(ground, "goes-on", "web"));
    ground.uninstall();
    ground.prepare_namespace();
    let installed = ground.helm_upgrade(&["image.tag=not-there"], &[]);
    assert!(installed.ok, "{installed:?}");
    wait_for(
        "the guard is registered, and Pullgate does not answer",
        || {
            let refused = ground.try_apply(&deployment("goes-on", "other", image, ""));
            refused
                .stderr
                .contains("failed calling webhook \"guard.pullgate.dev\"")
        },
    );
    let pod = pods(ground, "goes-on", "web")[0]["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    ground.run(&["-n", "goes-on", "delete", "pod", &pod]);
    wait_for("the pod is rescheduled", || {
        is_running(ground, "goes-on", "web")
    });
    // The webhook is not registered for the subresource `scale`.
    ground.run(&["-n", "goes-on", "scale", "deployment/web", "--replicas=2"]);
    wait_for("the deployment is scaled", || {
        pods(ground, "goes-on", "web").len() == 2 && is_running(ground, "goes-on", "web")
    });
    ground.uninstall();
    wait_for("new objects are admitted again", || {
        ground
            .try_apply(&deployment("goes-on", "other", image, ""))
            .ok
    });
    ground.run(&["delete", "namespace", "goes-on", "--wait=false"]);
    ground.install(&[]);
}

/// The network of a node is set up by pods of a `DaemonSet`, so these pods must never wait for a webhook.
fn a_fresh_node_comes_up_while_pullgate_is_down(ground: &Ground) {
    ground.ensure_installed();
    ground.namespace_with_pull_secret("calico-system");
    ground.pull_secret("kube-system", "contoso-pull");
    let daemon_set = |namespace: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: network, namespace: {namespace}}}, spec: {{\
             selector: {{matchLabels: {{app: network}}}}, template: {{metadata: {{labels: {{app: network}}}}, spec: {{\
             hostNetwork: true, terminationGracePeriodSeconds: 1, tolerations: [{{operator: Exists}}], \
             imagePullSecrets: [{{name: contoso-pull}}], \
             containers: [{{name: a, image: contoso.azurecr.io/platform/agent:1}}]}}}}}}}}"
        )
    };
    for namespace in ["kube-system", "calico-system"] {
        ground.apply(&daemon_set(namespace));
    }
    ground.scale(0);
    ground.add_node(3);
    for namespace in ["kube-system", "calico-system"] {
        wait_for("the network pod of the fresh node runs", || {
            pods(ground, namespace, "network").iter().any(|pod| {
                pod["spec"]["nodeName"] == "node3"
                    && pod["status"]["containerStatuses"][0]["ready"] == true
            })
        });
    }
    ground.kill_node("node3");
    ground.run(&["delete", "node", "node3"]);
    ground.scale(2);
    ground.run(&["delete", "namespace", "calico-system", "--wait=false"]);
    ground.run(&["-n", "kube-system", "delete", "daemonset", "network"]);
}

fn without_the_api_server_pullgate_answers_from_known_facts(ground: &Ground) {
    ground.ensure_installed();
    let replicas = ground.pullgate_pods();
    assert_eq!(replicas.len(), 2);
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "namespace": "default", "name": "a",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "userInfo": {"username": "alice"},
            "object": {
                "metadata": {"name": "a"},
                "spec": {"containers": [{"name": "a", "image": "contoso.azurecr.io/shop/api:1"}]},
            },
        },
    });
    ground.plane.while_api_server_is_gone(|| {
        // The pause is long enough for one missed contact.
        std::thread::sleep(std::time::Duration::from_secs(12));
        for replica in &replicas {
            assert_eq!(replica.admin("/livez"), "ok\n");
            assert_eq!(replica.admin("/readyz"), "ready\n");
            let contact = replica.metric("pullgate_api_server_contact_timestamp_seconds");
            let age = pullgate::runtime::clock::now() - contact;
            assert!((12..60).contains(&age), "{age}");
            let answer = post(&replica.address, "/mutate", &review.to_string());
            assert!(answer.contains("\"patch\""), "{answer}");
        }
    });
    ground.apply(POLICY);
}

/// Returns the answer of a pod's webhook port.
fn post(address: &str, path: &str, body: &str) -> String {
    let url = format!("https://{address}:8443").parse().expect("a URL");
    let mut config = kube::Config::new(url);
    config.accept_invalid_certs = true;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let client = kube::Client::try_from(config).expect("a client");
        let request = axum::http::Request::post(path)
            .body(body.as_bytes().to_vec())
            .expect("a request");
        client.request_text(request).await.expect("an answer")
    })
}
