//! Tests of the certificate that all replicas share, and of the `caBundle` in the webhook configurations.

use super::{Cluster, name};
use crate::api_server::Resource::{
    MutatingWebhookConfigurations, Secrets, ValidatingWebhookConfigurations,
};
use crate::api_server::{Fault, Resource, Verb};
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::cluster::certificates::{CertificateKeeper, Managed};
use pullgate::runtime::lifecycle::Part;
use pullgate::tls::keys::Keys;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::MakeWriter;

const SECRET: &str = "pullgate/pullgate-tls";
const CONFIGURATIONS: [Resource; 2] = [
    MutatingWebhookConfigurations,
    ValidatingWebhookConfigurations,
];

/// A text buffer that several tasks write to.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn read(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Text {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn names() -> Vec<String> {
    vec!["pullgate.pullgate.svc".to_owned()]
}

/// Returns a webhook configuration with this many webhooks.
fn configuration(webhooks: usize, bundle: Option<&str>) -> Value {
    let webhook = |number| {
        json!({
            "name": format!("{number}.pullgate.dev"), "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {
                "caBundle": bundle.map(|bundle| BASE64_STANDARD.encode(bundle)),
                "service": {"name": "pullgate", "namespace": "pullgate"},
            },
        })
    };
    let webhooks: Vec<_> = (0..webhooks).map(webhook).collect();
    json!({"metadata": {"name": "pullgate"}, "webhooks": webhooks})
}

fn tls_secret(data: Value) -> Value {
    json!({
        "metadata": {"namespace": "pullgate", "name": "pullgate-tls"}, "type": "kubernetes.io/tls", "data": data,
    })
}

/// Returns the Secret that another replica writes.
fn secret_of(keys: &Keys) -> Value {
    let data = keys.to_secret().into_iter();
    let data: serde_json::Map<_, _> = data
        .map(|(key, value)| (key, BASE64_STANDARD.encode(value).into()))
        .collect();
    tls_secret(data.into())
}

impl Cluster {
    /// Returns a cluster with both webhook configurations as the chart renders them: without a `caBundle`.
    fn installed() -> Self {
        let cluster = Self::waiting_for(Part::Certificate);
        for (webhooks, resource) in [1, 2].into_iter().zip(CONFIGURATIONS) {
            cluster.api.put(resource, configuration(webhooks, None));
        }
        cluster
    }

    /// Starts the certificate keeper. Returns the certificate chains that it puts in use.
    fn keep_certificate(&mut self) -> Text {
        let used = Text::default();
        let managed = Managed {
            secret: name(SECRET),
            names: names(),
            configurations: Some("pullgate".to_owned()),
        };
        let (readiness, metrics) = (self.readiness.clone(), self.metrics.clone());
        let keeper = CertificateKeeper::new(self.api.client(), managed, readiness, metrics);
        let mut chains = used.clone();
        let take = move |chain: &str, _: &str| Ok(chains.write_all(chain.as_bytes())?);
        let task = keeper.keep(take);
        self.tasks.spawn("the upkeep of the certificate", task);
        used
    }

    /// Returns the value of a key of the Secret.
    fn in_secret(&self, key: &str) -> String {
        let secret = self.api.get(Secrets, SECRET).expect("the Secret exists");
        let value = secret["data"][key].as_str().expect("the key exists");
        let value = BASE64_STANDARD.decode(value).expect("base64");
        String::from_utf8(value).expect("PEM")
    }

    /// Returns whether each webhook of a configuration trusts the CA in the Secret.
    fn trusts_secret(&self, resource: Resource) -> bool {
        let found = self.api.get(resource, "pullgate");
        let found = found.expect("the configuration exists");
        let bundle = BASE64_STANDARD.encode(self.in_secret("ca.crt"));
        let mut webhooks = found["webhooks"].as_array().expect("webhooks").iter();
        webhooks.all(|webhook| webhook["clientConfig"]["caBundle"] == bundle)
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_start_makes_the_secret_and_patches_both_configurations() {
    let mut cluster = Cluster::installed();
    let used = cluster.keep_certificate();
    cluster.ready().await;
    assert_eq!(used.read(), cluster.in_secret("tls.crt"));
    let secret = cluster.api.get(Secrets, SECRET).expect("it exists");
    assert_eq!(secret["type"], "kubernetes.io/tls");
    for resource in CONFIGURATIONS {
        assert!(cluster.trusts_secret(resource), "{resource:?}");
        assert_eq!(cluster.api.count(Verb::Patch, resource), 1, "{resource:?}");
        // The watches select Pullgate's own objects by name, and no others.
        for request in cluster.api.requests(Verb::List, resource) {
            assert_eq!(request.query["fieldSelector"], "metadata.name=pullgate");
        }
    }
    assert_eq!(cluster.api.count(Verb::Create, Secrets), 1);
    assert_eq!(cluster.api.count(Verb::Replace, Secrets), 0);
    assert_ne!(
        cluster.metric("pullgate_authority_expiry_timestamp_seconds"),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn the_certificate_of_a_faster_replica_is_used() {
    let mut cluster = Cluster::installed();
    let other = Keys::new(&names(), OffsetDateTime::now_utc()).expect("keys");
    let overtaken = Fault::Overtaken(secret_of(&other));
    cluster.api.script(Verb::Create, Secrets, overtaken);
    let used = cluster.keep_certificate();
    cluster.ready().await;
    assert_eq!(used.read(), other.pair().0);
    assert_eq!(cluster.in_secret("tls.crt"), other.pair().0);
    assert!(
        CONFIGURATIONS
            .into_iter()
            .all(|one| cluster.trusts_secret(one))
    );
    assert_eq!(cluster.api.count(Verb::Create, Secrets), 1);
    assert_eq!(cluster.api.count(Verb::Replace, Secrets), 0);
    assert_eq!(cluster.metric("pullgate_certificate_faults"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_ca_bundle_that_was_changed_is_patched_back() {
    let mut cluster = Cluster::installed();
    let used = cluster.keep_certificate();
    cluster.ready().await;
    let changed = configuration(2, Some("not our CA"));
    let resource = ValidatingWebhookConfigurations;
    cluster.api.put(resource, changed);
    let is_back = || cluster.trusts_secret(resource);
    cluster.api.until("our CA is trusted again", is_back).await;
    assert_eq!(cluster.api.count(Verb::Patch, resource), 2);
    let other = MutatingWebhookConfigurations;
    assert_eq!(cluster.api.count(Verb::Patch, other), 1);
    // The certificate and the Secret do not change.
    assert_eq!(used.read(), cluster.in_secret("tls.crt"));
    assert_eq!(cluster.api.count(Verb::Replace, Secrets), 0);
}

/// Returns a Secret with the right keys and useless values.
fn garbage() -> Value {
    let value = BASE64_STANDARD.encode("hidden-value");
    tls_secret(json!({"ca.crt": value, "ca.key": value, "tls.crt": value, "tls.key": value}))
}

#[tokio::test(start_paused = true)]
async fn a_secret_with_garbage_is_replaced() {
    let mut cluster = Cluster::installed();
    let uid = cluster.api.put(Secrets, garbage())["metadata"]["uid"].clone();
    let used = cluster.keep_certificate();
    cluster.ready().await;
    assert_eq!(used.read(), cluster.in_secret("tls.crt"));
    let replaced = cluster.api.get(Secrets, SECRET).expect("it exists");
    assert_eq!(replaced["metadata"]["uid"], uid);
    assert_eq!(cluster.api.count(Verb::Replace, Secrets), 1);
    assert_eq!(cluster.api.count(Verb::Create, Secrets), 0);
    assert!(
        CONFIGURATIONS
            .into_iter()
            .all(|one| cluster.trusts_secret(one))
    );
}

#[tokio::test(start_paused = true)]
async fn the_certificate_of_a_replica_that_replaced_garbage_first_is_used() {
    let mut cluster = Cluster::installed();
    cluster.api.put(Secrets, garbage());
    let other = Keys::new(&names(), OffsetDateTime::now_utc()).expect("keys");
    let overtaken = Fault::Overtaken(secret_of(&other));
    cluster.api.script(Verb::Replace, Secrets, overtaken);
    let used = cluster.keep_certificate();
    cluster.ready().await;
    assert_eq!(used.read(), other.pair().0);
    assert_eq!(cluster.in_secret("tls.crt"), other.pair().0);
    assert_eq!(cluster.api.count(Verb::Replace, Secrets), 1);
}

/// Promise 5 for Pullgate's own Secret: neither old nor new values appear in the log, the report or the metrics.
#[tokio::test(start_paused = true)]
async fn promise_5_no_value_of_a_secret_that_cannot_be_replaced_is_shown() {
    let log = Text::default();
    let logger = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    // The second subscriber is needed because tracing caches whether a log statement is of interest. With a single
    // subscriber in the process, the cache would switch a statement off for good when a thread of another test, without
    // a subscriber, reaches it first.
    let _second = Dispatch::new(NoSubscriber::default());
    // The runtime has one thread, so this log contains the lines of this test only.
    let _guard = tracing::subscriber::set_default(logger);
    let mut cluster = Cluster::installed();
    cluster.api.put(Secrets, garbage());
    // The answer quotes the Secret of the request.
    cluster
        .api
        .script(Verb::Replace, Secrets, Fault::Status(422));
    cluster.keep_certificate();
    let refused = || cluster.metric("pullgate_certificate_faults") == 1;
    cluster.api.until("the refusal is counted", refused).await;
    let (is_ready, report) = cluster.readiness.report();
    assert!(!is_ready);
    let expected = "not ready: no certificate: cannot write the Secret pullgate/pullgate-tls; if it cannot \
        be changed, delete it: the API server says 422 Invalid\n";
    assert_eq!(report, expected);
    let told = format!("{report}{}{}", log.read(), cluster.metrics.text(false));
    assert!(told.contains("replacing its content"), "{told}");
    let attempt = &cluster.api.requests(Verb::Replace, Secrets)[0];
    let attempted = attempt.body["data"]["tls.key"].as_str().expect("a key");
    let encoded = BASE64_STANDARD.encode("hidden-value");
    for hidden in ["hidden-value", &encoded, attempted, "PRIVATE KEY"] {
        assert!(
            !told.contains(hidden),
            "the output contains {hidden}: {told}"
        );
    }
}

/// For five seconds after a failed write, no other write is tried. A step without a write must not count as a success:
/// it would hide the failure in the metric, which would go up and down.
#[tokio::test(start_paused = true)]
async fn a_postponed_write_does_not_hide_the_last_failure() {
    let mut cluster = Cluster::installed();
    cluster
        .api
        .always(Verb::Create, Secrets, Fault::Status(403));
    let used = cluster.keep_certificate();
    let faults = || cluster.metric("pullgate_certificate_faults");
    cluster
        .api
        .until("the failure is counted", || faults() == 1)
        .await;
    while cluster.api.count(Verb::Create, Secrets) < 4 {
        assert_eq!(faults(), 1);
        // An event between two writes causes a step without a write.
        let bundle = format!("not our CA {:?}", tokio::time::Instant::now());
        let resource = ValidatingWebhookConfigurations;
        cluster.api.put(resource, configuration(2, Some(&bundle)));
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    assert!(!cluster.is_ready());
    cluster.api.recover(Verb::Create, Secrets);
    cluster.ready().await;
    assert_eq!(used.read(), cluster.in_secret("tls.crt"));
    cluster
        .api
        .until("the failure is no longer counted", || faults() == 0)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_patch_is_reported_and_repeated_until_it_is_allowed() {
    let mut cluster = Cluster::installed();
    let resource = ValidatingWebhookConfigurations;
    cluster
        .api
        .always(Verb::Patch, resource, Fault::Status(403));
    let used = cluster.keep_certificate();
    let tried = || cluster.api.count(Verb::Patch, resource) == 3;
    cluster
        .api
        .until("the patch is tried three times", tried)
        .await;
    let (is_ready, report) = cluster.readiness.report();
    assert!(!is_ready);
    let expected = "not ready: no certificate: cannot patch the caBundle of the webhook configuration pullgate";
    assert!(report.starts_with(expected), "{report}");
    assert!(report.contains("Forbidden"), "{report}");
    assert_eq!(cluster.metric("pullgate_certificate_faults"), 1);
    // A certificate is not used before the webhook configurations trust its CA.
    assert_eq!(used.read(), "");
    cluster.api.recover(Verb::Patch, resource);
    cluster.ready().await;
    assert!(cluster.trusts_secret(resource));
    assert_eq!(used.read(), cluster.in_secret("tls.crt"));
    assert_eq!(cluster.metric("pullgate_certificate_faults"), 0);
}
