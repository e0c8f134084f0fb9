//! The metrics of a serving process. `docs/metrics.md` lists them.

mod certificate;
mod cluster;
mod connections;
mod findings;
mod policy;
mod reviews;
mod secrets;

pub use connections::ConnectionMetrics;
pub use policy::PolicySource;
pub use reviews::{ReviewInFlight, Unanswered};
pub use secrets::PULL_SECRETS;

use certificate::CertificateMetrics;
use cluster::ClusterMetrics;
use policy::PolicyMetrics;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use reviews::ReviewMetrics;
use secrets::SecretMetrics;

/// The media type of the metrics text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics by subject. Created once and passed down.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    ready: Gauge,
    cluster: ClusterMetrics,
    /// Reviews.
    pub reviews: ReviewMetrics,
    /// The policy in force.
    pub policy: PolicyMetrics,
    /// The serving certificate.
    pub certificate: CertificateMetrics,
    /// Docker-type Secrets.
    pub secrets: SecretMetrics,
    /// Connections to the webhook.
    pub connections: ConnectionMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("pullgate"),
            ready: Gauge::default(),
            cluster: ClusterMetrics::default(),
            reviews: ReviewMetrics::default(),
            policy: PolicyMetrics::default(),
            certificate: CertificateMetrics::default(),
            secrets: SecretMetrics::default(),
            connections: ConnectionMetrics::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Registers all metrics. The text lists them in this order.
    fn register(&mut self) {
        let registry = &mut self.registry;
        self.reviews.register(registry);
        registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register(
            "ready",
            "1 while reviews can be answered",
            self.ready.clone(),
        );
        self.policy.register(registry);
        self.certificate.register(registry);
        self.cluster.register(registry);
        self.secrets.register(registry);
        self.connections.register(registry);
    }

    /// Records an answer of the API server at this second of Unix time.
    pub fn api_server_contact(&self, now: i64) {
        self.cluster.contact(now);
        self.secrets.contact(now);
    }

    /// Records a failure of a watch at this second of Unix time.
    pub fn watch_failed(&self, resource: &'static str, now: i64) {
        self.secrets.watch_failed(resource, now);
        self.cluster.watch_failed(resource);
    }

    /// Changes the number of unreadable objects of a resource.
    pub fn unreadable(&self, resource: &'static str, change: i64) {
        self.cluster.unreadable(resource, change);
    }

    /// Returns all metrics in the text format of `OpenMetrics`, with the current readiness of the webhook.
    #[must_use]
    pub fn text(&self, is_ready: bool) -> String {
        self.ready.set(is_ready.into());
        let mut text = String::new();
        // Writing to a `String` does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
