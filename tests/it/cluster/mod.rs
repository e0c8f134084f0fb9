//! The edge to the API server, on a scripted one: watches, the certificate and the policy of a cluster.
//!
//! Most of these tests pause the clock: pauses between attempts, and deadlines, pass as soon as there is nothing else to do.
//! The tests of the policy cannot: loading one uses `block_in_place`, which needs a runtime of several threads, and tokio
//! pauses only the clock of a runtime of one.

mod certificates;
mod facts;
mod odd_objects;
mod policy;
mod secrets;
mod workloads;

use crate::api_server::{ApiServer, Resource};
use pullgate::cluster::ObjectName;
use pullgate::cluster::secrets::{Reducer, SecretsWatch};
use pullgate::facts::Facts;
use pullgate::facts::inventory::InventoryMode;
use pullgate::policy::Policy;
use pullgate::runtime::lifecycle::{Part, Readiness, Tasks};
use pullgate::runtime::live::{Live, Watches};
use pullgate::runtime::metrics::Metrics;
use pullgate::secrets::credentials::SecretContent;
use pullgate::verdict::world::Controllers;
use std::sync::Arc;

const KEY_SECRET: &str = "pullgate/fingerprints";

/// The API server, and the state that the tasks of `cluster/` keep up to date.
struct Cluster {
    api: ApiServer,
    live: Arc<Live>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

impl Cluster {
    /// Returns a cluster that waits for one part. Nothing is asked yet.
    fn waiting_for(part: Part) -> Self {
        // As `main` does it: certificates are checked with this provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let controllers = Controllers::new(Vec::new());
        Self {
            api: ApiServer::default(),
            live: Arc::new(Live::new(Policy::default(), controllers, Watches::Cluster)),
            readiness: Arc::new(Readiness::waiting_for(&[part])),
            metrics: Arc::default(),
            tasks: Tasks::default(),
        }
    }

    /// Starts the watches of namespaces, service accounts and Secrets.
    fn watch_facts(&mut self, mode: InventoryMode) {
        self.watch_facts_with(mode, SecretContent::reduce);
    }

    /// The same, with another function that reduces the content of Secrets.
    fn watch_facts_with(&mut self, mode: InventoryMode, reduce: Reducer) {
        let secrets = SecretsWatch {
            mode,
            fingerprint_secret: Some(name(KEY_SECRET)),
            reduce,
        };
        let task = pullgate::cluster::facts::watch(
            self.api.client(),
            self.live.clone(),
            self.readiness.clone(),
            self.metrics.clone(),
            secrets,
        );
        self.tasks.spawn("the watch of the cluster", task);
    }

    /// Reads the facts that reviews are judged by now.
    fn facts<T>(&self, read: impl FnOnce(&Facts) -> T) -> T {
        self.live.judge(|world| read(world.facts))
    }

    fn is_ready(&self) -> bool {
        self.readiness.report().0
    }

    /// Waits until the part is there.
    async fn ready(&self) {
        self.api.until("it is ready", || self.is_ready()).await;
    }

    /// Returns the value of a sample of the metrics; 0 where it is not there.
    fn metric(&self, sample: &str) -> u64 {
        let text = self.metrics.text(self.is_ready());
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("a whole number"))
    }

    /// Returns how many errors of the watches of a resource were counted.
    fn watch_errors(&self, resource: &str) -> u64 {
        self.metric(&format!(
            "pullgate_watch_errors_total{{resource=\"{resource}\"}}"
        ))
    }

    /// Waits until the first watch of a resource is open.
    async fn watched(&self, resource: Resource) {
        let is_open = || self.api.count(crate::api_server::Verb::Watch, resource) > 0;
        self.api.until("a watch is open", is_open).await;
    }
}

fn name(text: &str) -> ObjectName {
    text.parse().expect("NAMESPACE/NAME")
}
