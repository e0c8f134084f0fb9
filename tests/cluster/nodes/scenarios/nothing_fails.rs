//! Tests of common cluster operations under load: no admission may fail.

use super::POLICY;
use crate::Test;
use crate::ground::Ground;
use crate::install::NAMESPACE;
use crate::load;
use crate::process::wait_for;
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[
    ("promise_7_helm_upgrade", promise_7_helm_upgrade),
    ("promise_7_rolling_restart", promise_7_rolling_restart),
    ("promise_7_scale_down", promise_7_scale_down),
    ("promise_7_policy_edits", promise_7_policy_edits),
    ("promise_7_api_server_restart", promise_7_api_server_restart),
    (
        "promise_7_one_node_takes_all_pods",
        promise_7_one_node_takes_all_pods,
    ),
    ("promise_7_a_node_dies", promise_7_a_node_dies),
];

fn promise_7_helm_upgrade(ground: &Ground) {
    ground.ensure_installed();
    let counts = load::during(ground, "helm upgrade", || {
        ground.install(&["podAnnotations.upgraded=yes"]);
        ground.wait_for_old_pods();
    });
    counts.assert_clean();
}

fn promise_7_rolling_restart(ground: &Ground) {
    ground.ensure_installed();
    let counts = load::during(ground, "rolling restart", || {
        ground.run(&["-n", NAMESPACE, "rollout", "restart", "deployment/pullgate"]);
        ground.run(&[
            "-n",
            NAMESPACE,
            "rollout",
            "status",
            "deployment/pullgate",
            "--timeout=2m",
        ]);
        ground.wait_for_old_pods();
    });
    counts.assert_clean();
}

fn promise_7_scale_down(ground: &Ground) {
    ground.ensure_installed();
    ground.scale(4);
    let counts = load::during(ground, "scale down from four to one", || {
        ground.scale(1);
        ground.wait_for_old_pods();
    });
    counts.assert_clean();
    ground.scale(2);
}

fn promise_7_policy_edits(ground: &Ground) {
    ground.ensure_installed();
    let counts = load::during(ground, "twenty policy edits", || {
        for number in 0..20 {
            ground.apply(&POLICY.replace("48 namespaces", &format!("{number} namespaces")));
        }
        ground.apply(POLICY);
    });
    counts.assert_clean();
}

fn promise_7_api_server_restart(ground: &Ground) {
    ground.ensure_installed();
    let counts = load::during(ground, "API server restart", || {
        std::thread::sleep(Duration::from_secs(2));
        ground.plane.restart_api_server(Duration::from_secs(5));
    });
    counts.assert_none_failed();
    assert!(counts.unreached > 0);
    let before = ground.policy_generations();
    ground.apply(&POLICY.replace("48 namespaces", "52 namespaces"));
    wait_for("the watch of the policy goes on", || {
        let now = ground.policy_generations();
        now.iter().zip(&before).all(|(now, before)| now > before)
    });
    ground.apply(POLICY);
}

/// While one node is drained, the other takes every pod: the spread over nodes blocks neither the drain nor an upgrade.
/// When both nodes take pods again, the next revision is spread over them.
fn promise_7_one_node_takes_all_pods(ground: &Ground) {
    ground.ensure_installed();
    let counts = load::during(ground, "drain, and an upgrade with one node left", || {
        ground.run(&[
            "drain",
            "node2",
            "--pod-selector=app.kubernetes.io/name=pullgate",
            "--timeout=2m",
        ]);
        wait_for("the other node has both replicas", || {
            ground.ready_replicas() == 2 && ground.nodes_of_pullgate() == ["node1", "node1"]
        });
        ground.install(&["podAnnotations.upgraded=with-one-node"]);
        ground.wait_for_old_pods();
        assert_eq!(ground.nodes_of_pullgate(), ["node1", "node1"]);
    });
    counts.assert_clean();
    ground.run(&["uncordon", "node2"]);
    ground.install(&["podAnnotations.upgraded=with-both-nodes"]);
    ground.wait_for_old_pods();
    assert_eq!(ground.nodes_of_pullgate(), ["node1", "node2"]);
}

/// Until the control plane notices the dead node, it goes on calling the replica there, and gets no answer. A webhook
/// cannot prevent that; the chart can only keep the wait short.
fn promise_7_a_node_dies(ground: &Ground) {
    ground.ensure_installed();
    let counts = load::during(ground, "a node dies", || {
        ground.kill_node("node2");
        wait_for("the node is not ready", || {
            let wait = [
                "wait",
                "--for=condition=Ready=Unknown",
                "--timeout=5s",
                "node",
                "node2",
            ];
            ground.plane.kubectl(&wait, "").ok
        });
    });
    let longest = counts.longest;
    assert!(
        longest < Duration::from_secs(7),
        "two webhooks have three seconds each: {longest:?}"
    );
    load::during(ground, "after the node was found dead", || {}).assert_clean();
    ground.start_node(2);
}
