//! Watches namespaces, service accounts and Secrets, and keeps the parts that verdicts depend on.

use super::secrets::{self, SecretsWatch};
use super::watch::{Event, Name, ObjectContent, Seen, Source, objects};
use crate::facts::inventory::InventoryMode;
use crate::facts::{Facts, Labels, ServiceAccountFacts, WatchedObjects};
use crate::objects::read::Text;
use crate::runtime::lifecycle::{Part, Readiness};
use crate::runtime::live::Live;
use crate::runtime::metrics::Metrics;
use crate::text::scan;
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Client;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The most events before the facts are swapped. A start delivers thousands of events at once.
const BATCH: usize = 1024;

/// Keeps the facts up to date, for ever. A failing watch is logged and retried; known facts stay meanwhile. Reports
/// readiness when all facts are known for the first time.
pub async fn watch(
    client: Client,
    live: Arc<Live>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    secrets: SecretsWatch,
) {
    let wants_secrets = secrets.mode != InventoryMode::Off;
    let mut changes = changes(client, &metrics, &readiness, secrets).ready_chunks(BATCH);
    let mut learner = FactsLearner::default();
    while let Some(batch) = changes.next().await {
        for change in batch {
            learner.learn(change);
        }
        if std::mem::take(&mut learner.is_changed) {
            if let Some(inventory) = learner.secrets.inventory() {
                learner.facts.set_inventory(inventory.clone());
                metrics.secrets.synced();
            }
            live.set_facts(learner.facts.clone());
        }
        let knows_secrets = learner.facts.inventory().is_some() || !wants_secrets;
        if learner.facts.service_accounts_synced() && learner.namespaces_synced && knows_secrets {
            readiness.has(Part::Facts);
        }
    }
}

/// A change that a watch reports.
enum ClusterChange {
    Namespace(Event<Seen<Labels>>),
    ServiceAccount(Event<Seen<ServiceAccountFacts>>),
    Secret(secrets::SecretChange),
}

fn changes(
    client: Client,
    metrics: &Arc<Metrics>,
    readiness: &Arc<Readiness>,
    watched: SecretsWatch,
) -> BoxStream<'static, ClusterChange> {
    let secrets = secrets::changes(client.clone(), watched, metrics, readiness);
    let secrets = secrets.map(ClusterChange::Secret);
    let source = Source::all::<Namespace>("namespaces", ObjectContent::Metadata);
    let namespaces = objects(client.clone(), source, metrics, read_labels);
    let source = Source::all::<ServiceAccount>("serviceaccounts", ObjectContent::Whole);
    let accounts = objects(client, source, metrics, read_service_account);
    let namespaces = namespaces.map(ClusterChange::Namespace);
    let accounts = accounts.map(ClusterChange::ServiceAccount);
    let objects = futures::stream::select(namespaces, accounts);
    futures::stream::select(objects, secrets).boxed()
}

/// The facts, and the names in the current list. An object that a complete list does not name is gone.
#[derive(Default)]
struct FactsLearner {
    facts: Facts,
    /// Whether the facts changed since they were last published. Publishing copies tables of all namespaces, so it is
    /// left out for a change that changes nothing, and during a first list.
    is_changed: bool,
    namespaces_synced: bool,
    namespaces: HashSet<String>,
    accounts: HashSet<Name>,
    secrets: secrets::InventoryLearner,
}

impl FactsLearner {
    fn learn(&mut self, change: ClusterChange) {
        match change {
            ClusterChange::Namespace(event) => self.namespace(event),
            ClusterChange::ServiceAccount(event) => self.service_account(event),
            ClusterChange::Secret(secrets::SecretChange::Mode(mode, key)) => {
                self.facts.set_inventory_mode(mode, key);
                self.is_changed = true;
            }
            ClusterChange::Secret(secrets::SecretChange::Event(form, event)) => {
                self.is_changed |= self.secrets.learn(form, event);
                self.set_failing(WatchedObjects::Secrets, self.secrets.is_failing());
            }
        }
    }

    fn namespace(&mut self, event: Event<Seen<Labels>>) {
        match event {
            Event::Begin => self.namespaces.clear(),
            Event::Listed(seen) => {
                let is_new = self.facts.set_labels(&seen.name.name, seen.kept);
                self.is_changed |= is_new && self.namespaces_synced;
                self.namespaces.insert(seen.name.name);
            }
            Event::End => {
                let named = std::mem::take(&mut self.namespaces);
                self.facts
                    .retain_namespaces(|namespace| named.contains(namespace));
                self.namespaces_synced = true;
                self.is_changed = true;
            }
            Event::Set(seen) => {
                self.is_changed |= self.facts.set_labels(&seen.name.name, seen.kept);
            }
            Event::Gone(seen) => {
                self.facts.remove_namespace(&seen.name.name);
                self.is_changed = true;
            }
            Event::Fails => self.set_failing(WatchedObjects::Namespaces, true),
            Event::Works => self.set_failing(WatchedObjects::Namespaces, false),
        }
    }

    fn service_account(&mut self, event: Event<Seen<ServiceAccountFacts>>) {
        match event {
            Event::Begin => self.accounts.clear(),
            Event::Listed(seen) => {
                let is_new = self.set(&seen.name, seen.kept);
                self.is_changed |= is_new && self.facts.service_accounts_synced();
                self.accounts.insert(seen.name);
            }
            Event::End => {
                let named = std::mem::take(&mut self.accounts);
                let is_there = |namespace: &str, name: &str| {
                    named.contains(&Name {
                        namespace: namespace.to_owned(),
                        name: name.to_owned(),
                    })
                };
                self.facts.retain_service_accounts(is_there);
                self.facts.set_service_accounts_synced();
                self.is_changed = true;
            }
            Event::Set(seen) => self.is_changed |= self.set(&seen.name, seen.kept),
            Event::Gone(seen) => self.is_changed |= self.set(&seen.name, None),
            Event::Fails => self.set_failing(WatchedObjects::ServiceAccounts, true),
            Event::Works => self.set_failing(WatchedObjects::ServiceAccounts, false),
        }
    }

    fn set(&mut self, Name { namespace, name }: &Name, facts: Option<ServiceAccountFacts>) -> bool {
        self.facts.set_service_account(namespace, name, facts)
    }

    fn set_failing(&mut self, watched: WatchedObjects, is_failing: bool) {
        self.is_changed |= self.facts.is_failing(watched) != is_failing;
        self.facts.set_failing(watched, is_failing);
    }
}

/// Reads the labels of a namespace.
fn read_labels(json: &str) -> Option<Labels> {
    #[derive(Deserialize)]
    struct LabelledObject {
        metadata: LabelMetadata,
    }
    #[derive(Deserialize)]
    struct LabelMetadata {
        labels: Option<BTreeMap<Box<str>, Option<Box<str>>>>,
    }
    let object: LabelledObject = scan::from_str(json).ok()?;
    let labels = object.metadata.labels.unwrap_or_default().into_iter();
    let labels = labels.map(|(key, value)| (key, value.unwrap_or_default()));
    Some(labels.collect())
}

/// Reads the facts of a `ServiceAccount`.
fn read_service_account(json: &str) -> Option<ServiceAccountFacts> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Account<'a> {
        #[serde(borrow)]
        metadata: AccountMetadata<'a>,
        #[serde(borrow)]
        image_pull_secrets: Option<Vec<SecretName<'a>>>,
    }
    #[derive(Deserialize)]
    struct AccountMetadata<'a> {
        #[serde(borrow)]
        annotations: Option<AccountAnnotations<'a>>,
    }
    #[derive(Deserialize)]
    struct AccountAnnotations<'a> {
        /// [`crate::facts::ENFORCE_MOUNTABLE_SECRETS`].
        #[serde(borrow, rename = "kubernetes.io/enforce-mountable-secrets")]
        enforce: Option<Text<'a>>,
    }
    #[derive(Deserialize)]
    struct SecretName<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
    }
    let account: Account<'_> = scan::from_str(json).ok()?;
    let secrets = account.image_pull_secrets.into_iter().flatten();
    let annotations = account.metadata.annotations;
    let enforce = annotations.and_then(|annotations| annotations.enforce);
    Some(ServiceAccountFacts {
        image_pull_secrets: secrets
            .map(|secret| secret.name.unwrap_or_default().0.into())
            .collect(),
        enforce_mountable_secrets: enforce.is_some_and(|value| value.0 == "true"),
    })
}
