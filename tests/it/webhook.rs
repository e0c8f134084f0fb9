//! The webhook with the policy of the tests, in this process.

use crate::support::POLICY;
use crate::tls::{Running, bind};
use pullgate::runtime::lifecycle::Readiness;
use pullgate::runtime::live::{Live, Watches};
use pullgate::runtime::metrics::Metrics;
use pullgate::server::admission::{Admission, PolicyEdits};
use pullgate::tls::clients::Clients;
use pullgate::verdict::world::Controllers;
use std::sync::Arc;

/// Serves reviews.
pub(crate) async fn start() -> Running {
    start_with(4096, None).await
}

/// Serves reviews with this limit for connections, and only to these clients.
pub(crate) async fn start_with(max_connections: usize, clients: Option<Arc<Clients>>) -> Running {
    start_all(max_connections, clients, PolicyEdits::default()).await
}

/// Serves reviews with these settings for policy edits.
pub(crate) async fn start_with_edits(edits: PolicyEdits) -> Running {
    start_all(4096, None, edits).await
}

async fn start_all(
    max_connections: usize,
    clients: Option<Arc<Clients>>,
    edits: PolicyEdits,
) -> Running {
    let live = Live::new(
        crate::policy::policy(POLICY),
        Controllers::new(Vec::new()),
        Watches::Nothing,
    );
    let metrics = Arc::new(Metrics::default());
    let readiness = Arc::new(Readiness::waiting_for(&[]));
    let admission = Admission::new(Arc::new(live), metrics.clone(), edits);
    bind(
        admission.router(readiness),
        metrics,
        max_connections,
        clients,
    )
    .await
}
