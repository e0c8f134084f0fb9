//! Watches namespaces, service accounts and Secrets and keeps what matters of them.

use super::events;
use super::secrets::{self, SecretsWatch};
use crate::facts::inventory::InventoryMode;
use crate::facts::{ENFORCE_MOUNTABLE_SECRETS, Facts, Labels, ServiceAccountFacts};
use crate::runtime::lifecycle::{Part, Readiness};
use crate::runtime::live::Live;
use crate::runtime::metrics::Metrics;
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use std::collections::HashSet;
use std::sync::Arc;

/// How many events are taken in before the facts are swapped: a start brings thousands at once.
const BATCH: usize = 1024;

/// Keeps the facts of a state up to date, for ever. Errors of the watches are logged and tried again; what was known
/// stays known meanwhile. Says when all is known for the first time.
pub async fn watch(
    client: Client,
    live: Arc<Live>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    secrets: SecretsWatch,
) {
    let wants_secrets = secrets.mode != InventoryMode::Off;
    let mut changes = changes(client, &metrics, secrets).ready_chunks(BATCH);
    let mut learner = FactsLearner::default();
    while let Some(batch) = changes.next().await {
        for change in batch {
            learner.learn(change);
        }
        let inventory = learner.secrets.inventory();
        if let Some(inventory) = inventory {
            learner.facts.set_inventory(inventory.clone());
            metrics.secrets.synced();
        }
        live.set_facts(learner.facts.clone());
        let knows_secrets = learner.facts.inventory().is_some() || !wants_secrets;
        if learner.facts.service_accounts_synced() && learner.namespaces_synced && knows_secrets {
            readiness.has(Part::Facts);
        }
    }
}

/// What a watch says.
enum ClusterChange {
    Namespace(Event<PartialObjectMeta<Namespace>>),
    ServiceAccount(Event<ServiceAccount>),
    Secret(secrets::SecretChange),
}

fn changes(
    client: Client,
    metrics: &Arc<Metrics>,
    watched: SecretsWatch,
) -> BoxStream<'static, ClusterChange> {
    let secrets = secrets::changes(client.clone(), watched, metrics).map(ClusterChange::Secret);
    let namespaces = events(
        Api::<PartialObjectMeta<Namespace>>::all(client.clone()),
        watcher::Config::default(),
        "namespaces",
        metrics.clone(),
    );
    let accounts = events(
        Api::<ServiceAccount>::all(client),
        watcher::Config::default(),
        "serviceaccounts",
        metrics.clone(),
    );
    let namespaces = namespaces.map(ClusterChange::Namespace);
    let accounts = accounts.map(ClusterChange::ServiceAccount);
    let objects = futures::stream::select(namespaces, accounts);
    futures::stream::select(objects, secrets).boxed()
}

/// Facts, and what a list that is under way has named so far: what it does not name is gone.
#[derive(Default)]
struct FactsLearner {
    facts: Facts,
    namespaces_synced: bool,
    namespaces: HashSet<String>,
    accounts: HashSet<(String, String)>,
    secrets: secrets::InventoryLearner,
}

impl FactsLearner {
    fn learn(&mut self, change: ClusterChange) {
        match change {
            ClusterChange::Namespace(event) => self.namespace(event),
            ClusterChange::ServiceAccount(event) => self.service_account(event),
            ClusterChange::Secret(secrets::SecretChange::Mode(mode, key)) => {
                self.facts.set_inventory_mode(mode, key);
            }
            ClusterChange::Secret(change) => self.secrets.learn(change),
        }
    }

    fn namespace(&mut self, event: Event<PartialObjectMeta<Namespace>>) {
        match event {
            Event::Init => self.namespaces.clear(),
            Event::InitApply(namespace) => {
                self.namespaces.insert(namespace.name_any());
                self.facts
                    .set_labels(&namespace.name_any(), Some(labels(&namespace)));
            }
            Event::InitDone => {
                let named = std::mem::take(&mut self.namespaces);
                self.facts
                    .retain_namespaces(|namespace| named.contains(namespace));
                self.namespaces_synced = true;
            }
            Event::Apply(namespace) => self
                .facts
                .set_labels(&namespace.name_any(), Some(labels(&namespace))),
            Event::Delete(namespace) => self.facts.set_labels(&namespace.name_any(), None),
        }
    }

    fn service_account(&mut self, event: Event<ServiceAccount>) {
        match event {
            Event::Init => self.accounts.clear(),
            Event::InitApply(account) => {
                self.accounts.insert(key(&account));
                self.set(&account, Some(reduce(&account)));
            }
            Event::InitDone => {
                let named = std::mem::take(&mut self.accounts);
                let is_there = |namespace: &str, name: &str| {
                    named.contains(&(namespace.to_owned(), name.to_owned()))
                };
                self.facts.retain_service_accounts(is_there);
                self.facts.set_service_accounts_synced();
            }
            Event::Apply(account) => self.set(&account, Some(reduce(&account))),
            Event::Delete(account) => self.set(&account, None),
        }
    }

    fn set(&mut self, account: &ServiceAccount, facts: Option<ServiceAccountFacts>) {
        let (namespace, name) = key(account);
        self.facts.set_service_account(&namespace, &name, facts);
    }
}

fn key(account: &ServiceAccount) -> (String, String) {
    (account.namespace().unwrap_or_default(), account.name_any())
}

fn labels(namespace: &PartialObjectMeta<Namespace>) -> Labels {
    let short = |(key, value): (&String, &String)| (key.as_str().into(), value.as_str().into());
    namespace.labels().iter().map(short).collect()
}

fn reduce(account: &ServiceAccount) -> ServiceAccountFacts {
    let secrets = account.image_pull_secrets.iter().flatten();
    ServiceAccountFacts {
        image_pull_secrets: secrets.map(|secret| secret.name.as_str().into()).collect(),
        enforce_mountable_secrets: account
            .annotations()
            .get(ENFORCE_MOUNTABLE_SECRETS)
            .is_some_and(|value| value == "true"),
    }
}
