//! The metrics of the API server and of the watches.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The metrics of the API server and of the watches.
#[derive(Debug, Default)]
pub(super) struct ClusterMetrics {
    contact: Gauge,
    watch_errors: Family<ResourceLabels, Counter>,
    unreadable: Family<ResourceLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabels {
    resource: &'static str,
}

impl ClusterMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "api_server_contact_timestamp",
            "When the API server answered last; the facts about the cluster are at most that old",
            Unit::Seconds,
            self.contact.clone(),
        );
        registry.register(
            "watch_errors",
            "Failures to watch objects of the cluster; each is retried",
            self.watch_errors.clone(),
        );
        registry.register(
            "unreadable_objects",
            "Objects of the cluster that cannot be read, so that their content is unknown",
            self.unreadable.clone(),
        );
    }

    /// Records an answer of the API server at this second of Unix time.
    pub(super) fn contact(&self, now: i64) {
        self.contact.set(now);
    }

    /// Counts a failure of a watch.
    pub(super) fn watch_failed(&self, resource: &'static str) {
        self.watch_errors
            .get_or_create(&ResourceLabels { resource })
            .inc();
    }

    /// Changes the number of unreadable objects.
    pub(super) fn unreadable(&self, resource: &'static str, change: i64) {
        self.unreadable
            .get_or_create(&ResourceLabels { resource })
            .inc_by(change);
    }
}
