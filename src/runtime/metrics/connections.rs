//! The metrics of connections to the webhook.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics of connections. The default belongs to no registry. Clones share their values.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMetrics {
    /// The number of open connections.
    pub open: Gauge,
    closed: Family<ClosedLabels, Counter>,
    refused: Family<ClosedLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClosedLabels {
    reason: &'static str,
}

impl ConnectionMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "connections",
            "Open connections to the webhook",
            self.open.clone(),
        );
        registry.register(
            "connections_closed",
            "Connections that gave way to a new one",
            self.closed.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections without a place, or with a failed handshake",
            self.refused.clone(),
        );
    }

    /// Counts a connection that gave way.
    pub fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ClosedLabels { reason }).inc();
    }

    /// Counts a connection that was refused.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ClosedLabels { reason }).inc();
    }
}
