//! Tests of the chart with values other than the defaults.

use super::{POLICY, deployment};
use crate::Test;
use crate::ground::Ground;
use crate::install::NAMESPACE;
use crate::load;
use crate::process::wait_for;
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::tls::keys::Keys;
use serde_json::{Value, json};
use time::OffsetDateTime;

pub(super) const TESTS: &[Test] = &[
    (
        "helm_test_says_whether_there_is_a_policy",
        helm_test_says_whether_there_is_a_policy,
    ),
    (
        "with_a_certificate_of_your_own_on_the_network_of_the_node_and_a_policy_from_values",
        with_a_certificate_of_your_own_on_the_network_of_the_node_and_a_policy_from_values,
    ),
];

fn helm_test_says_whether_there_is_a_policy(ground: &Ground) {
    ground.ensure_installed();
    let test = ["test", "pullgate", "-n", NAMESPACE, "--logs"];
    let tested = ground.tool("helm", &test);
    assert!(tested.ok, "{tested:?}");
    ground.run(&["-n", NAMESPACE, "delete", "configmap", "pullgate-policy"]);
    let tested = ground.tool("helm", &test);
    assert!(!tested.ok, "{tested:?}");
    ground.apply(POLICY);
}

fn with_a_certificate_of_your_own_on_the_network_of_the_node_and_a_policy_from_values(
    ground: &Ground,
) {
    ground.ensure_installed();
    ground.uninstall();
    ground.run(&["-n", NAMESPACE, "delete", "configmap", "pullgate-policy"]);
    let authority = own_certificate(ground);
    let policy = "policy.document.registries[0]";
    let bans = "policy.document.bans[0]";
    ground.install(&[
        "tls.mode=provided",
        "tls.provided.secretName=mine",
        &format!("tls.provided.caBundle={authority}"),
        "hostNetwork=true",
        "webhookPort=10443",
        "adminPort=10080",
        "service.port=8443",
        "inventory=contents",
        "policy.create=true",
        &format!("{policy}.name=contoso"),
        &format!("{policy}.images[0]=contoso.azurecr.io"),
        &format!("{policy}.secrets[0]=contoso-pull"),
        &format!("{bans}.name=legacy"),
        &format!("{bans}.secrets[0]=regcred-shared"),
    ]);
    load::during(ground, "with a certificate of one's own", || {}).assert_clean();
    a_pull_secret_with_a_banned_name_gives_a_warning(ground);
    ground.uninstall();
    wait_for("nothing is refused any more", || {
        let banned = deployment(
            "load",
            "x",
            "a",
            ", imagePullSecrets: [{name: regcred-shared}]",
        );
        ground
            .plane
            .kubectl(&["create", "--dry-run=server", "-f", "-"], &banned)
            .ok
    });
    ground.install(&[]);
    ground.apply(POLICY);
}

/// Creates the Secret `mine`, and returns the CA (PEM).
fn own_certificate(ground: &Ground) -> String {
    let names = ["pullgate.pullgate.svc".to_owned()];
    let made = Keys::new(&names, OffsetDateTime::now_utc())
        .expect("keys")
        .to_secret();
    let encoded: serde_json::Map<String, Value> = ["tls.crt", "tls.key"]
        .iter()
        .map(|key| {
            (
                (*key).to_owned(),
                BASE64_STANDARD.encode(&made[*key]).into(),
            )
        })
        .collect();
    ground.apply(
        &json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": encoded,
            "metadata": {"name": "mine", "namespace": NAMESPACE},
        })
        .to_string(),
    );
    String::from_utf8(made["ca.crt"].clone()).expect("UTF-8")
}

/// `inventory=contents` registers the webhook for this warning.
fn a_pull_secret_with_a_banned_name_gives_a_warning(ground: &Ground) {
    let secret = ground.plane.kubectl(
        &[
            "-n",
            "load",
            "create",
            "secret",
            "docker-registry",
            "regcred-shared",
            "--docker-username=a",
            "--docker-password=b",
        ],
        "",
    );
    assert!(
        secret.ok && secret.stderr.contains("Warning: "),
        "{secret:?}"
    );
    ground.run(&["-n", "load", "delete", "secret", "regcred-shared"]);
}
