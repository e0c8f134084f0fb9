//! The scenarios of a cluster.

mod certificates;
mod inventory;
mod keyring;
mod memory;
mod nothing_fails;
mod policy;
mod pull;
mod values;
mod why;
mod without;

use crate::Test;
use crate::ground::Ground;
use serde_json::Value;

/// The policy of all scenarios.
pub(crate) const POLICY: &str = r##"
apiVersion: v1
kind: ConfigMap
metadata: {name: pullgate-policy, namespace: pullgate}
data:
  policy.yaml: |
    apiVersion: pullgate.dev/v1
    kind: PullPolicy
    registries:
      - name: contoso
        images: [contoso.azurecr.io]
        secrets: [contoso-pull]
    bans:
      - name: legacy-shared
        secrets: [regcred-shared]
        reason: One expiry stopped 48 namespaces.
        instead: contoso-pull
        contact: "#platform-registry"
"##;

/// Returns the tests in their order. The first two need no Pullgate; each of the others leaves a cluster with Pullgate
/// installed.
pub(crate) fn tests() -> Vec<Test> {
    [
        keyring::TESTS,
        why::TESTS,
        memory::TESTS,
        pull::TESTS,
        policy::TESTS,
        values::TESTS,
        inventory::TESTS,
        certificates::TESTS,
        nothing_fails::TESTS,
        without::TESTS,
    ]
    .concat()
}

fn deployment(namespace: &str, name: &str, image: &str, more: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}, namespace: {namespace}}}, spec: {{\
         selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, \
         spec: {{terminationGracePeriodSeconds: 1, containers: [{{name: a, image: {image}}}]{more}}}}}}}}}"
    )
}

fn pods(ground: &Ground, namespace: &str, app: &str) -> Vec<Value> {
    let selector = format!("app={app}");
    let list = ground.run(&[
        "-n", namespace, "get", "pods", "-l", &selector, "-o", "json",
    ]);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    list["items"].as_array().cloned().unwrap_or_default()
}

fn waiting_reason(ground: &Ground, namespace: &str, app: &str) -> String {
    let pods = pods(ground, namespace, app);
    let mut reasons = pods.iter().filter_map(|pod| {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].as_str()
    });
    reasons.next_back().unwrap_or_default().to_owned()
}

fn is_running(ground: &Ground, namespace: &str, app: &str) -> bool {
    let runs = |pod: &Value| pod["status"]["containerStatuses"][0]["ready"] == true;
    let pods = pods(ground, namespace, app);
    !pods.is_empty() && pods.iter().all(runs)
}
