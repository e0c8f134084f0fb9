//! Tests of the policy in its ConfigMap.

use super::{POLICY, deployment, is_running, pods};
use crate::Test;
use crate::ground::Ground;
use crate::install::NAMESPACE;
use crate::process::wait_for;

pub(super) const TESTS: &[Test] = &[
    (
        "a_bad_policy_edit_is_refused_with_every_fault",
        a_bad_policy_edit_is_refused_with_every_fault,
    ),
    (
        "a_good_policy_edit_gets_a_preview_of_its_effects",
        a_good_policy_edit_gets_a_preview_of_its_effects,
    ),
    (
        "a_namespace_and_its_deployment_in_one_apply_are_injected_by_label",
        a_namespace_and_its_deployment_in_one_apply_are_injected_by_label,
    ),
    (
        "promise_4_a_bad_policy_never_replaces_an_accepted_one_also_across_restarts",
        promise_4_a_bad_policy_never_replaces_an_accepted_one_also_across_restarts,
    ),
    (
        "with_only_a_bad_policy_pullgate_is_not_ready_and_says_why",
        with_only_a_bad_policy_pullgate_is_not_ready_and_says_why,
    ),
    (
        "without_a_policy_pullgate_is_ready_and_reports_it",
        without_a_policy_pullgate_is_ready_and_reports_it,
    ),
];

/// Returns the ConfigMap with a policy.
pub(super) fn policy(body: &str) -> String {
    let body = body.trim_matches('\n').replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pullgate-policy, namespace: {NAMESPACE}}}\ndata:\n  policy.yaml: |\n    \
         apiVersion: pullgate.dev/v1\n    kind: PullPolicy\n    {body}\n"
    )
}

const BAD: &str = "
registries:
  - name: contoso
    images: [contoso.azurecr.io:latest]
    secret: contoso-pull
bans:
  - name: legacy
    secrets: [Regcred]
";

fn a_bad_policy_edit_is_refused_with_every_fault(ground: &Ground) {
    ground.ensure_installed();
    let refused = ground.try_apply(&policy(BAD));
    assert!(!refused.ok);
    for told in [
        "admission webhook \"policy.pullgate.dev\" denied the request",
        "policy.yaml:5:14: registries[0].images[0]",
        "policy.yaml:6:5: registries[0].secret: unknown key `secret` (did you mean `secrets`?)",
        "policy.yaml:9:15: bans[0].secrets[0]",
    ] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    let stored = ground.run(&[
        "-n",
        NAMESPACE,
        "get",
        "configmap",
        "pullgate-policy",
        "-o",
        "yaml",
    ]);
    assert!(!stored.contains("Regcred"));
}

fn a_good_policy_edit_gets_a_preview_of_its_effects(ground: &Ground) {
    ground.ensure_installed();
    ground.namespace_with_pull_secret("preview");
    ground.pull_secret("preview", "team-pull");
    let image = "contoso.azurecr.io/shop/web:1";
    let with_secret = ", imagePullSecrets: [{name: team-pull}]";
    ground.apply(&deployment("preview", "own", image, with_secret));
    ground.apply(&deployment("preview", "web", image, ""));
    wait_for("both run", || {
        is_running(ground, "preview", "own") && is_running(ground, "preview", "web")
    });
    let applied = ground.apply(&policy(
        "
registries:
  - name: contoso-shop
    images: [contoso.azurecr.io/shop]
    secrets: [shop-pull]
    namespaces: {names: [preview]}
bans:
  - name: team-secrets
    secrets: [team-pull]
",
    ));
    for told in [
        "Warning: 1 workload would be denied if created anew: Deployment preview/own\n",
        "Warning: 2 workloads would newly get pull secrets with the next pod: Deployment preview/own (shop-pull), \
         Deployment preview/web (shop-pull)\n",
        "Warning: all workloads looked at: ",
    ] {
        assert!(applied.stderr.contains(told), "{told}: {}", applied.stderr);
    }
    // Existing workloads run on, and can still be restarted and scaled.
    let rescaled = ground.plane.kubectl(
        &["-n", "preview", "scale", "deployment/own", "--replicas=2"],
        "",
    );
    assert!(rescaled.ok, "{rescaled:?}");
    wait_for("two pods of the old offender", || {
        pods(ground, "preview", "own").len() == 2
    });
    let undone = ground.apply(POLICY);
    assert!(
        undone.stderr.contains("would newly get pull secrets"),
        "{}",
        undone.stderr
    );
    let nothing = ground.apply(&POLICY.replace("48 namespaces", "49 namespaces"));
    assert!(
        nothing.stderr.contains(
            "Warning: no workload is newly denied, injected or uncovered (all workloads looked at: "
        ),
        "{}",
        nothing.stderr
    );
    ground.run(&["delete", "namespace", "preview", "--wait=false"]);
}

fn a_namespace_and_its_deployment_in_one_apply_are_injected_by_label(ground: &Ground) {
    ground.ensure_installed();
    let before = ground.policy_generations();
    ground.apply(&policy(
        "
registries:
  - name: by-label
    images: [contoso.azurecr.io]
    secrets: [label-pull]
    namespaces: {labels: {matchLabels: {team: shop}}}
",
    ));
    wait_for("the policy is in force", || {
        let now = ground.policy_generations();
        now.iter().zip(&before).all(|(now, before)| now > before)
    });
    for round in 0..10 {
        let name = format!("fresh-{round}");
        ground.apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{team: shop}}}}}}\n---\n{}",
            deployment(&name, "web", "contoso.azurecr.io/shop/web:1", "")
        ));
        wait_for("a pod", || pods(ground, &name, "web").len() == 1);
        let secrets = &pods(ground, &name, "web")[0]["spec"]["imagePullSecrets"];
        assert_eq!(secrets[0]["name"], "label-pull", "round {round}: {secrets}");
        ground.run(&["delete", "namespace", &name, "--wait=false"]);
    }
    ground.apply(POLICY);
}

fn promise_4_a_bad_policy_never_replaces_an_accepted_one_also_across_restarts(ground: &Ground) {
    ground.ensure_installed();
    wait_for("the policy is kept as accepted", || {
        let get = [
            "-n",
            NAMESPACE,
            "get",
            "configmap",
            "pullgate-policy-accepted",
            "-o",
            "yaml",
        ];
        ground
            .plane
            .kubectl(&get, "")
            .stdout
            .contains("One expiry stopped 48 namespaces.")
    });
    // The bad policy is applied while no replica can refuse it, so that the next start finds it.
    ground.scale(0);
    ground.apply(&policy(BAD));
    ground.scale(2);
    for pod in ground.pullgate_pods() {
        assert_eq!(pod.admin("/readyz"), "ready\n");
        let metrics = pod.admin("/metrics");
        assert!(
            metrics.contains("pullgate_policy_in_force{source=\"accepted\"} 1"),
            "{metrics}"
        );
        assert!(metrics.contains("pullgate_policy_faults 3"), "{metrics}");
    }
    let refused = ground.try_apply(&deployment(
        "default",
        "banned",
        "contoso.azurecr.io/shop/api:1",
        ", imagePullSecrets: [{name: regcred-shared}]",
    ));
    assert!(
        refused.stderr.contains("banned by \"legacy-shared\""),
        "{refused:?}"
    );
    ground.apply(POLICY);
}

/// The bad policy was written while no replica could refuse it, and no policy was accepted before.
fn with_only_a_bad_policy_pullgate_is_not_ready_and_says_why(ground: &Ground) {
    ground.ensure_installed();
    ground.scale(0);
    ground.run(&[
        "-n",
        NAMESPACE,
        "delete",
        "configmap",
        "pullgate-policy-accepted",
    ]);
    ground.apply(&policy(BAD));
    ground.run(&[
        "-n",
        NAMESPACE,
        "scale",
        "deployment/pullgate",
        "--replicas=2",
    ]);
    wait_for("/readyz says why Pullgate is not ready", || {
        let pods = ground.pullgate_pods();
        pods.first().is_some_and(|pod| {
            let told = pod.admin("/readyz");
            told.contains("pullgate/pullgate-policy has faults, and no policy was accepted before: policy.yaml:5:14: registries[0]")
        })
    });
    assert_eq!(ground.ready_replicas(), 0);
    ground.apply(POLICY);
    wait_for("Pullgate is ready with a good policy", || {
        ground.ready_replicas() == 2
    });
}

fn without_a_policy_pullgate_is_ready_and_reports_it(ground: &Ground) {
    ground.ensure_installed();
    ground.run(&["-n", NAMESPACE, "delete", "configmap", "pullgate-policy"]);
    wait_for("the metrics say that there is no policy", || {
        ground.pullgate_pods().iter().all(|pod| {
            let metrics = pod.admin("/metrics");
            metrics.contains("pullgate_policy_in_force{source=\"none\"} 1")
        })
    });
    assert_eq!(ground.ready_replicas(), 2);
    // There is no preview for a new ConfigMap: the preview demands the uid of the object, as a proof that the user may
    // read it.
    let applied = ground.apply(POLICY);
    assert!(!applied.stderr.contains("looked at"), "{}", applied.stderr);
    let empty = policy("{}").replace("policy.yaml:", "policy.yml:");
    ground.run(&["-n", NAMESPACE, "delete", "configmap", "pullgate-policy"]);
    let refused = ground.try_apply(&empty);
    assert!(
        refused.stderr.contains("the key `policy.yaml` is missing"),
        "{refused:?}"
    );
    ground.apply(POLICY);
}
