//! The metrics of reviews.

use super::findings::FindingMetrics;
use crate::admission::Review;
use crate::objects::subject::Operation;
use crate::verdict::{Mutation, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// The buckets in seconds: from the time for a small pod to the longest wait of the API server.
const BUCKETS: [f64; 13] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0,
];

/// The metrics of reviews.
#[derive(Debug)]
pub struct ReviewMetrics {
    answered: Family<ReviewLabels, Counter>,
    durations: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    unanswered: Family<ReasonLabels, Counter>,
    findings: FindingMetrics,
}

/// The reason why a request got no review as an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The body is not an `AdmissionReview`: 400.
    BadRequest,
    /// The body is too large: 413.
    TooLarge,
    /// The body arrived too slowly: 408.
    Timeout,
    /// The server is overloaded: 503.
    Overload,
    /// The judgement panicked: 500.
    Panic,
}

/// A review under way.
#[derive(Debug)]
pub struct ReviewInFlight(Gauge);

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

impl Default for ReviewMetrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let metrics = Self {
            answered: Family::default(),
            durations: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            unanswered: Family::default(),
            findings: FindingMetrics::default(),
        };
        // A counter that is missing cannot increase, so the first event of each kind would go unnoticed.
        for reason in Unanswered::ALL {
            let reason = reason.name();
            drop(metrics.unanswered.get_or_create(&ReasonLabels { reason }));
        }
        metrics
    }
}

impl ReviewMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("reviews", "Reviews answered", self.answered.clone());
        registry.register_with_unit(
            "review_duration",
            "Time from the head of a request to its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "reviews_in_flight",
            "Reviews under way",
            self.in_flight.clone(),
        );
        registry.register(
            "unanswered_requests",
            "Requests to the webhook that got no review, so that the failurePolicy decides",
            self.unanswered.clone(),
        );
        self.findings.register(registry);
    }

    /// Counts a review as under way until the value is dropped.
    #[must_use]
    pub fn begin(&self) -> ReviewInFlight {
        self.in_flight.inc();
        ReviewInFlight(self.in_flight.clone())
    }

    /// Counts an answered review with its findings and injections.
    pub fn answered(
        &self,
        endpoint: &'static str,
        review: &Review<'_>,
        mutation: &Mutation<'_>,
        took: Duration,
    ) {
        let labels = ReviewLabels {
            endpoint,
            kind: review.subject.kind.name(),
            operation: operation(review.subject.operation),
            outcome: outcome(&mutation.outcome),
            dry_run: review.dry_run,
        };
        self.answered.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&EndpointLabels { endpoint })
            .observe(took.as_secs_f64());
        self.findings.count(mutation, review.dry_run);
    }

    /// Counts a request without a review as its answer.
    pub fn unanswered(&self, reason: Unanswered) {
        let reason = reason.name();
        self.unanswered
            .get_or_create(&ReasonLabels { reason })
            .inc();
    }
}

impl Drop for ReviewInFlight {
    fn drop(&mut self) {
        self.0.dec();
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

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
        Operation::Connect => "connect",
    }
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Admit => "admitted",
        Outcome::Inject(_) => "injected",
        Outcome::Reject(_) => "denied",
    }
}
