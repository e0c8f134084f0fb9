//! What is counted. `docs/metrics.md` says what each of them is for.

mod secrets;

use crate::admission::Review;
use crate::objects::subject::Operation;
use crate::policy::{Ban, Mode};
use crate::reports::census::Census;
use crate::verdict::finding::{Effect, Fault, Finding, Mercy};
use crate::verdict::{Mutation, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use secrets::SecretMetrics;
use std::time::Duration;

/// What the text of the metrics is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How the watches of docker-type Secrets are called.
pub const PULL_SECRETS: &str = "pullsecrets";

/// In seconds: from what a small pod takes to what the API server waits at most.
const BUCKETS: [f64; 13] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0,
];

/// Everything that is counted; made once and passed down.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<ReviewLabels, Counter>,
    durations: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    unanswered: Family<ReasonLabels, Counter>,
    findings: Family<FindingLabels, Counter>,
    injections: Family<InjectionLabels, Counter>,
    ready: Gauge,
    policy_generation: Gauge,
    policy_loaded: Gauge,
    policy_faults: Gauge,
    policy_sources: Family<SourceLabels, Gauge>,
    certificate_expiry: Gauge,
    certificate_faults: Gauge,
    authority_expiry: Gauge,
    api_server_contact: Gauge,
    watch_errors: Family<ResourceLabels, Counter>,
    secrets: SecretMetrics,
    connections: ConnectionMetrics,
}

/// What is counted of connections; the default is seen by nobody.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMetrics {
    /// How many are open.
    pub open: Gauge,
    closed: Family<ReasonLabels, Counter>,
    refused: Family<ReasonLabels, Counter>,
}

/// Why a request got no review for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It is no `AdmissionReview`: 400.
    BadRequest,
    /// Its body is too large: 413.
    TooLarge,
    /// Its body came too slowly: 408.
    Timeout,
    /// There is too much to do: 503.
    Overload,
    /// A panic: 500.
    Panic,
}

/// Where the policy in force comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySource {
    /// A file, or the example of the demo.
    File,
    /// The `ConfigMap` that people edit.
    ConfigMap,
    /// What was accepted before, because the `ConfigMap` has faults.
    Accepted,
    /// Nowhere: it is empty.
    None,
}

/// A review that is being looked at.
#[derive(Debug)]
pub struct InFlight(Gauge);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    endpoint: &'static str,
    kind: &'static str,
    operation: &'static str,
    outcome: &'static str,
    dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabels {
    resource: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    finding: &'static str,
    ban: String,
    mode: &'static str,
    outcome: &'static str,
    dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InjectionLabels {
    rule: String,
    dry_run: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("pullgate"),
            reviews: Family::default(),
            durations: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            unanswered: Family::default(),
            findings: Family::default(),
            injections: Family::default(),
            ready: Gauge::default(),
            policy_generation: Gauge::default(),
            policy_loaded: Gauge::default(),
            policy_faults: Gauge::default(),
            policy_sources: Family::default(),
            certificate_expiry: Gauge::default(),
            certificate_faults: Gauge::default(),
            authority_expiry: Gauge::default(),
            api_server_contact: Gauge::default(),
            watch_errors: Family::default(),
            secrets: SecretMetrics::default(),
            connections: ConnectionMetrics::default(),
        };
        // What is not there cannot increase: the first of each would go unnoticed.
        for reason in Unanswered::ALL {
            let reason = reason.name();
            drop(metrics.unanswered.get_or_create(&ReasonLabels { reason }));
        }
        metrics.register_reviews();
        metrics.register_state();
        metrics
    }
}

impl Metrics {
    fn register_reviews(&mut self) {
        let registry = &mut self.registry;
        registry.register("reviews", "Reviews answered", self.reviews.clone());
        registry.register_with_unit(
            "review_duration",
            "From the head of a request to its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "reviews_in_flight",
            "Reviews that are being looked at",
            self.in_flight.clone(),
        );
        registry.register(
            "unanswered_requests",
            "Requests to the webhook that got no review, so that the failurePolicy decides",
            self.unanswered.clone(),
        );
        registry.register(
            "findings",
            "Faults found in reviews, and what came of them",
            self.findings.clone(),
        );
        registry.register(
            "injections",
            "Pods that got secrets of a registry rule",
            self.injections.clone(),
        );
    }

    fn register_state(&mut self) {
        let registry = &mut self.registry;
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
        registry.register(
            "policy_generation",
            "How many policies were put in force since the start",
            self.policy_generation.clone(),
        );
        registry.register_with_unit(
            "policy_loaded_timestamp",
            "When the policy in force was loaded",
            Unit::Seconds,
            self.policy_loaded.clone(),
        );
        registry.register(
            "policy_faults",
            "Faults of the policy that was seen last; with any, the one before is in force",
            self.policy_faults.clone(),
        );
        registry.register(
            "policy_in_force",
            "1 for where the policy in force comes from",
            self.policy_sources.clone(),
        );
        registry.register_with_unit(
            "certificate_expiry_timestamp",
            "When the serving certificate expires",
            Unit::Seconds,
            self.certificate_expiry.clone(),
        );
        registry.register(
            "certificate_faults",
            "1 while the certificate that was seen last cannot be used, so that the one before is",
            self.certificate_faults.clone(),
        );
        self.register_cluster();
        self.secrets.register(&mut self.registry);
        self.register_connections();
    }

    fn register_cluster(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "authority_expiry_timestamp",
            "When the CA of a managed certificate expires",
            Unit::Seconds,
            self.authority_expiry.clone(),
        );
        registry.register_with_unit(
            "api_server_contact_timestamp",
            "When the API server answered last; what is known of the cluster is as old as that",
            Unit::Seconds,
            self.api_server_contact.clone(),
        );
        registry.register(
            "watch_errors",
            "Failures to watch something of the cluster; each is tried again",
            self.watch_errors.clone(),
        );
    }

    fn register_connections(&mut self) {
        let registry = &mut self.registry;
        let connections = &self.connections;
        registry.register(
            "connections",
            "Open connections to the webhook",
            connections.open.clone(),
        );
        registry.register(
            "connections_closed",
            "Connections that gave way to a new one",
            connections.closed.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections that found no place, or whose handshake failed",
            connections.refused.clone(),
        );
    }

    /// What to count connections with.
    #[must_use]
    pub fn connections(&self) -> ConnectionMetrics {
        self.connections.clone()
    }

    /// Counts a review as one that is being looked at, until the value is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answered review, what was found in it, and what was injected.
    pub fn answered(
        &self,
        endpoint: &'static str,
        review: &Review<'_>,
        mutation: &Mutation<'_>,
        took: Duration,
    ) {
        let dry_run = review.dry_run;
        let labels = ReviewLabels {
            endpoint,
            kind: review.subject.kind.name(),
            operation: operation(review.subject.operation),
            outcome: outcome(&mutation.outcome),
            dry_run,
        };
        self.reviews.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&EndpointLabels { endpoint })
            .observe(took.as_secs_f64());
        for finding in &mutation.findings {
            self.findings
                .get_or_create(&FindingLabels::of(finding, dry_run))
                .inc();
        }
        for injection in &mutation.injections {
            let rule = injection.rule.name.clone();
            self.injections
                .get_or_create(&InjectionLabels { rule, dry_run })
                .inc();
        }
    }

    /// Counts a request that got no review.
    pub fn unanswered(&self, reason: Unanswered) {
        let reason = reason.name();
        self.unanswered
            .get_or_create(&ReasonLabels { reason })
            .inc();
    }

    /// A policy without faults was put in force at this second of Unix time.
    pub fn policy_loaded(&self, now: i64, source: PolicySource) {
        self.policy_in_force(now, source);
        self.policy_faults.set(0);
    }

    /// A policy was put in force, perhaps in the place of one with faults.
    pub fn policy_in_force(&self, now: i64, source: PolicySource) {
        self.policy_generation.inc();
        self.policy_loaded.set(now);
        self.policy_sources.clear();
        let source = source.name();
        self.policy_sources
            .get_or_create(&SourceLabels { source })
            .set(1);
    }

    /// The CA of managed certificates expires at this second of Unix time.
    pub fn authority_expires(&self, expires: i64) {
        self.authority_expiry.set(expires);
    }

    /// The API server answered at this second of Unix time.
    pub fn api_server_contact(&self, now: i64) {
        self.api_server_contact.set(now);
        self.secrets.contact(now);
    }

    /// All docker-type Secrets are known.
    pub fn inventory_synced(&self) {
        self.secrets.synced();
    }

    /// What there is of docker-type Secrets.
    pub fn census(&self, census: &Census) {
        self.secrets.count(census);
    }

    /// A watch failed, at this second of Unix time.
    pub fn watch_failed(&self, resource: &'static str, now: i64) {
        self.secrets.watch_failed(resource, now);
        self.watch_errors
            .get_or_create(&ResourceLabels { resource })
            .inc();
    }

    /// A policy has so many faults, and is not put in force.
    pub fn policy_refused(&self, faults: usize) {
        self.policy_faults
            .set(i64::try_from(faults).unwrap_or(i64::MAX));
    }

    /// A certificate is used that expires at this second of Unix time.
    pub fn certificate_loaded(&self, expires: i64) {
        self.certificate_expiry.set(expires);
        self.certificate_faults.set(0);
    }

    /// The certificate is what it should be again, with no other in use.
    pub fn certificate_kept(&self) {
        self.certificate_faults.set(0);
    }

    /// A certificate cannot be used.
    pub fn certificate_refused(&self) {
        self.certificate_faults.set(1);
    }

    /// All of it in the text format of `OpenMetrics`, and whether the webhook is ready now.
    #[must_use]
    pub fn text(&self, is_ready: bool) -> String {
        self.ready.set(is_ready.into());
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl ConnectionMetrics {
    /// A connection gave way.
    pub fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// A connection was not let in.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabels { reason }).inc();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl PolicySource {
    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::ConfigMap => "configmap",
            Self::Accepted => "accepted",
            Self::None => "none",
        }
    }
}

impl Unanswered {
    const ALL: [Self; 5] = [
        Self::BadRequest,
        Self::TooLarge,
        Self::Timeout,
        Self::Overload,
        Self::Panic,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Overload => "overload",
            Self::Panic => "panic",
        }
    }
}

impl FindingLabels {
    fn of(finding: &Finding<'_>, dry_run: bool) -> Self {
        let ban = finding.fault.ban();
        Self {
            finding: finding.fault.code(),
            ban: ban.map(|ban| ban.name.clone()).unwrap_or_default(),
            mode: ban.map(mode).unwrap_or_default(),
            outcome: if matches!(finding.fault, Fault::Lifted { .. }) {
                "lifted"
            } else {
                effect(finding.effect)
            },
            dry_run,
        }
    }
}

fn mode(ban: &Ban) -> &'static str {
    match ban.mode {
        Mode::Enforce => "enforce",
        Mode::Warn => "warn",
        Mode::Audit => "audit",
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Deny => "denied",
        Effect::Warn(mercy) | Effect::Audit(mercy) => match (mercy, effect) {
            (Mercy::Old, _) => "old",
            (Mercy::Running, _) => "running",
            (Mercy::UnknownLabels, _) => "labels_unknown",
            (Mercy::InjectedHere, _) => "injected_here",
            (Mercy::None, Effect::Audit(_)) => "audited",
            (Mercy::Unsure, _) => "unsure",
            (Mercy::None, _) => "warned",
        },
    }
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Admit => "admitted",
        Outcome::Inject(_) => "injected",
        Outcome::Reject(_) => "denied",
    }
}

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
        Operation::Connect => "connect",
    }
}
