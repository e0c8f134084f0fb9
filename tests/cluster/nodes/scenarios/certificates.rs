//! Tests of certificate rotation during calls.

use crate::Test;
use crate::ground::Ground;
use crate::install::{NAMESPACE, Replica};
use crate::load;
use crate::process::wait_for;
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::tls::keys::Keys;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

pub(super) const TESTS: &[Test] = &[
    (
        "expiry_brought_forward_under_load_costs_no_call",
        expiry_brought_forward_under_load_costs_no_call,
    ),
    (
        "a_deleted_or_corrupt_secret_costs_no_call",
        a_deleted_or_corrupt_secret_costs_no_call,
    ),
    (
        "an_overwritten_ca_bundle_is_restored",
        an_overwritten_ca_bundle_is_restored,
    ),
    (
        "two_first_starts_at_once_agree",
        two_first_starts_at_once_agree,
    ),
];

fn secret(ground: &Ground) -> Option<Value> {
    let get = [
        "-n",
        NAMESPACE,
        "get",
        "secret",
        "pullgate-tls",
        "--ignore-not-found",
        "-o",
        "json",
    ];
    serde_json::from_str(&ground.run(&get)).ok()
}

fn data(ground: &Ground, key: &str) -> String {
    let secret = secret(ground).unwrap_or_default();
    let text = secret["data"][key].as_str().unwrap_or_default().to_owned();
    String::from_utf8(BASE64_STANDARD.decode(text).expect("base64")).expect("UTF-8")
}

fn patch_data(ground: &Ground, data: &Value) {
    let patch = json!({ "data": data }).to_string();
    ground.run(&[
        "-n",
        NAMESPACE,
        "patch",
        "secret",
        "pullgate-tls",
        "--type=merge",
        "-p",
        &patch,
    ]);
}

/// Returns the distinct CA bundles of all webhooks: one, if they agree.
fn bundles(ground: &Ground) -> Vec<String> {
    let mut all = Vec::new();
    for kind in [
        "mutatingwebhookconfiguration",
        "validatingwebhookconfiguration",
    ] {
        let found: Value =
            serde_json::from_str(&ground.run(&["get", kind, "pullgate", "-o", "json"]))
                .expect("JSON");
        for webhook in found["webhooks"].as_array().expect("a list") {
            let bundle = webhook["clientConfig"]["caBundle"]
                .as_str()
                .unwrap_or_default();
            all.push(
                String::from_utf8(BASE64_STANDARD.decode(bundle).expect("base64")).expect("UTF-8"),
            );
        }
    }
    all.sort();
    all.dedup();
    all
}

/// Returns the expiry of the certificate in use on every replica.
fn expiries(ground: &Ground) -> Vec<i64> {
    let expiry = |pod: &Replica| pod.metric("pullgate_certificate_expiry_timestamp_seconds");
    ground.pullgate_pods().iter().map(expiry).collect()
}

/// The Secret is replaced by one of 250 days ago: its certificate has expired long since, and its CA is due for
/// renewal.
fn expiry_brought_forward_under_load_costs_no_call(ground: &Ground) {
    ground.ensure_installed();
    let before = expiries(ground);
    let counts = load::during(ground, "rotation of CA and certificate", || {
        let names = [
            "pullgate.pullgate.svc".to_owned(),
            "pullgate.pullgate.svc.cluster.local".to_owned(),
        ];
        let old = OffsetDateTime::now_utc() - Duration::days(250);
        let old = Keys::new(&names, old).expect("keys").to_secret();
        let old: serde_json::Map<String, Value> = old
            .into_iter()
            .map(|(key, value)| (key, BASE64_STANDARD.encode(value).into()))
            .collect();
        patch_data(ground, &old.into());
        wait_for(
            "the CA is renewed, and the old ones are still trusted",
            || {
                let bundles = bundles(ground);
                bundles.len() == 1 && bundles[0].matches("BEGIN").count() == 3
            },
        );
        // A certificate is used half a minute after its CA was published.
        wait_for("every replica uses the new certificate", || {
            let now = expiries(ground);
            now.len() == 2 && now.iter().all(|expiry| !before.contains(expiry))
        });
    });
    counts.assert_clean();
    assert_eq!(bundles(ground), [data(ground, "ca.crt")]);
}

fn a_deleted_or_corrupt_secret_costs_no_call(ground: &Ground) {
    ground.ensure_installed();
    let bundle = data(ground, "ca.crt");
    let counts = load::during(ground, "a deleted and a corrupt Secret", || {
        ground.run(&["-n", NAMESPACE, "delete", "secret", "pullgate-tls"]);
        wait_for("the Secret is back as it was", || {
            data(ground, "ca.crt") == bundle
        });
        patch_data(
            ground,
            &json!({"tls.key": BASE64_STANDARD.encode("nonsense")}),
        );
        wait_for("the same CA issues a new key", || {
            data(ground, "tls.key").contains("PRIVATE KEY")
        });
        assert_eq!(data(ground, "ca.crt"), bundle);
        patch_data(
            ground,
            &json!({"ca.key": null, "ca.crt": BASE64_STANDARD.encode("hunter2")}),
        );
        wait_for("all of it is back", || {
            data(ground, "ca.crt") == bundle && !data(ground, "ca.key").is_empty()
        });
    });
    counts.assert_clean();
    for pod in ground.pullgate_pods() {
        let log = ground.logs(&pod);
        assert!(
            !log.contains("PRIVATE KEY") && !log.contains("hunter2"),
            "{log}"
        );
    }
}

fn an_overwritten_ca_bundle_is_restored(ground: &Ground) {
    ground.ensure_installed();
    let good = bundles(ground);
    assert_eq!(good.len(), 1);
    let patch = json!([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": BASE64_STANDARD.encode(
        pullgate::tls::self_signed::SelfSigned::local().expect("a certificate").certificate)}])
    .to_string();
    for kind in [
        "mutatingwebhookconfiguration",
        "validatingwebhookconfiguration",
    ] {
        ground.run(&["patch", kind, "pullgate", "--type=json", "-p", &patch]);
        wait_for("the bundle is restored", || bundles(ground) == good);
    }
}

fn two_first_starts_at_once_agree(ground: &Ground) {
    ground.ensure_installed();
    ground.scale(0);
    ground.run(&["-n", NAMESPACE, "delete", "secret", "pullgate-tls"]);
    ground.scale(2);
    let expiries = expiries(ground);
    assert_eq!(expiries.len(), 2);
    assert_eq!(expiries[0], expiries[1]);
    assert_eq!(bundles(ground), [data(ground, "ca.crt")]);
}
