//! Tests of `cluster` against a scripted API server: watches, the certificate and the policy.
//!
//! Most of these tests pause the clock: pauses between attempts, and deadlines, pass as soon as no task has anything
//! else to do. The tests of the policy cannot: loading a policy uses `block_in_place`, which needs a runtime with
//! several threads, and tokio pauses only the clock of a runtime with one thread.

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

/// A scripted API server, and the state that the tasks of `cluster/` keep up to date.
struct Cluster {
    api: ApiServer,
    live: Arc<Live>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

impl Cluster {
    /// Returns a cluster that waits for one part. No request is sent yet.
    fn waiting_for(part: Part) -> Self {
        // The checks of certificates use this provider, as in `main`.
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

    /// Does the same with another function that reduces the content of Secrets.
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

    /// Reads the current facts, those that a review would be judged by.
    fn facts<T>(&self, read: impl FnOnce(&Facts) -> T) -> T {
        self.live.judge(|world| read(world.facts))
    }

    fn is_ready(&self) -> bool {
        self.readiness.report().0
    }

    /// Waits until the cluster is ready.
    async fn ready(&self) {
        self.api
            .until("the cluster is ready", || self.is_ready())
            .await;
    }

    /// Returns the value of a sample of the metrics, or 0 if there is none.
    fn metric(&self, sample: &str) -> u64 {
        let text = self.metrics.text(self.is_ready());
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("a whole number"))
    }

    /// Returns the number of counted errors of the watches of a resource.
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
