//! Watches namespaces and service accounts and keeps what matters of them.

use crate::facts::{ENFORCE_MOUNTABLE_SECRETS, Facts, Labels, ServiceAccountFacts};
use crate::live::Live;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use std::collections::HashSet;
use tracing::warn;

/// How many events are taken in before the facts are swapped: a start brings thousands at once.
const BATCH: usize = 1024;

/// Keeps the facts of a state up to date, for ever. Errors of the watches are logged and tried again; what was known
/// stays known meanwhile.
pub async fn watch(client: Client, live: &Live) {
    let mut changes = changes(client).ready_chunks(BATCH);
    let mut learner = Learner::default();
    while let Some(batch) = changes.next().await {
        for change in batch {
            learner.learn(change);
        }
        live.set_facts(learner.facts.clone());
    }
}

/// What a watch says.
enum Change {
    Namespace(Event<PartialObjectMeta<Namespace>>),
    ServiceAccount(Event<ServiceAccount>),
}

fn changes(client: Client) -> BoxStream<'static, Change> {
    let namespaces = watcher(
        Api::<PartialObjectMeta<Namespace>>::all(client.clone()),
        watcher::Config::default(),
    );
    let accounts = watcher(
        Api::<ServiceAccount>::all(client),
        watcher::Config::default(),
    );
    let namespaces = told(namespaces.default_backoff(), "namespaces").map(Change::Namespace);
    let accounts = told(accounts.default_backoff(), "service accounts").map(Change::ServiceAccount);
    futures::stream::select(namespaces, accounts).boxed()
}

fn told<T>(
    events: impl Stream<Item = Result<T, watcher::Error>>,
    what: &'static str,
) -> impl Stream<Item = T> {
    events.filter_map(move |event| async move {
        event
            .inspect_err(|error| {
                warn!(
                    error = error as &dyn std::error::Error,
                    "cannot watch {what}; trying again"
                );
            })
            .ok()
    })
}

/// Facts, and what a list that is under way has named so far: what it does not name is gone.
#[derive(Default)]
struct Learner {
    facts: Facts,
    namespaces: HashSet<String>,
    accounts: HashSet<(String, String)>,
}

impl Learner {
    fn learn(&mut self, change: Change) {
        match change {
            Change::Namespace(event) => self.namespace(event),
            Change::ServiceAccount(event) => self.service_account(event),
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
