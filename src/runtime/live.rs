//! The policy and the facts of the serving process, as snapshots.
//!
//! A writer builds a new snapshot and swaps it in as a whole; a review loads the current one. So a review never waits
//! for a writer, and sees one consistent policy and one consistent set of facts. A lock was no option: a writer that
//! holds it while it applies thousands of changes would stop all reviews, and they have 3 s.
//!
//! A snapshot may lag behind the API server by some milliseconds, because facts arrive by watches. So a review may
//! wait, for a limited time, for a fact that it depends on. An unknown fact never denies.

use crate::facts::{Facts, WatchedObjects};
use crate::objects::kind::Kind;
use crate::objects::subject::{PodSpec, Subject};
use crate::policy::Policy;
use crate::runtime::deadline::within;
use crate::verdict;
use crate::verdict::world::{Controllers, World};
use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The longest wait of a review for facts about its object. A namespace and its objects are often in one
/// `kubectl apply`, and the watch is a few milliseconds behind the API server.
const PATIENCE: Duration = Duration::from_millis(500);
/// The longest wait for a missing Secret, which may arrive from the same `kubectl apply`.
const PATIENCE_FOR_SECRETS: Duration = Duration::from_millis(200);

/// The policy, the facts and the other inputs of a judgement.
#[derive(Debug)]
pub struct Live {
    policy: ArcSwap<Policy>,
    policy_object: ArcSwapOption<String>,
    facts: ArcSwap<Facts>,
    facts_changed: Notify,
    watches: Watches,
    controllers: Controllers,
}

/// Tells whether facts arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watches {
    /// The cluster is watched: an unknown fact may become known soon.
    Cluster,
    /// Nothing is watched: unknown facts stay unknown.
    Nothing,
}

impl Live {
    /// Creates a state with a policy and without facts.
    #[must_use]
    pub fn new(policy: Policy, controllers: Controllers, watches: Watches) -> Self {
        Self {
            policy: ArcSwap::from_pointee(policy),
            policy_object: ArcSwapOption::empty(),
            facts: ArcSwap::default(),
            facts_changed: Notify::new(),
            watches,
            controllers,
        }
    }

    /// Judges by the current snapshots.
    pub fn judge<T>(&self, judge: impl FnOnce(&World<'_>) -> T) -> T {
        let (policy, facts) = (self.policy.load(), self.facts.load());
        judge(&World {
            policy: &policy,
            facts: &facts,
            controllers: &self.controllers,
            now: Timestamp::now(),
        })
    }

    /// Replaces the policy.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// Sets the uid of the object that holds the policy, or that there is no such object.
    pub fn set_policy_object(&self, uid: Option<String>) {
        self.policy_object.store(uid.map(Arc::new));
    }

    /// Returns the uid of the object that holds the policy.
    #[must_use]
    pub fn policy_object(&self) -> Option<Arc<String>> {
        self.policy_object.load_full()
    }

    /// Replaces the facts.
    pub fn set_facts(&self, facts: Facts) {
        self.facts.store(Arc::new(facts));
        self.facts_changed.notify_waiters();
    }

    /// Waits until the namespace of a subject, and the `ServiceAccount` of a Pod, are known. Waits at most half a
    /// second, and only if the cluster is watched: they are often in the same `kubectl apply` as the subject. While a
    /// watch fails, it delivers nothing, so there is nothing to wait for.
    pub async fn wait_for_facts(&self, subject: &Subject<'_>) {
        if self.watches == Watches::Nothing || !subject.is_judged() {
            return;
        }
        let namespace = &*subject.namespace;
        let pod = subject
            .object
            .pod
            .as_ref()
            .filter(|_| subject.kind == Kind::Pod);
        let are_known = |facts: &Facts| {
            let knows = |pod: &PodSpec<'_>| {
                facts
                    .service_account(namespace, pod.service_account())
                    .is_some()
            };
            let knows_accounts = || facts.service_accounts_synced() && pod.is_none_or(knows);
            (facts.labels(namespace).is_some() || facts.is_failing(WatchedObjects::Namespaces))
                && (facts.is_failing(WatchedObjects::ServiceAccounts) || knows_accounts())
        };
        let known = async {
            loop {
                let changed = self.facts_changed.notified();
                if are_known(&self.facts.load()) {
                    return;
                }
                changed.await;
            }
        };
        // A fact that is still unknown does no harm: the judgement handles it.
        within(PATIENCE, known).await;
    }

    /// Returns the pull secrets that the pods of a subject lack, if waiting for them is worthwhile: a warning about a
    /// Secret that is about to arrive would be wrong a moment later. Controllers read no warnings, so nothing is waited
    /// for.
    #[must_use]
    pub fn lacking_secrets(&self, subject: &Subject<'_>) -> Vec<String> {
        if self.watches == Watches::Nothing || !subject.is_judged() {
            return Vec::new();
        }
        self.judge(|world| {
            if world.facts.is_failing(WatchedObjects::Secrets) || world.controllers.created(subject)
            {
                return Vec::new();
            }
            verdict::lacking_secrets(world, subject)
        })
    }

    /// Waits until these Secrets are in the namespace of a subject, at most 200 ms.
    pub async fn wait_for_secrets(&self, subject: &Subject<'_>, mut lacking: Vec<String>) {
        // Facts change often, and an object may list many secrets, so a secret that has arrived is not looked up again.
        let mut is_there = || {
            let facts = self.facts.load();
            let inventory = facts.inventory();
            let Some(inventory) = inventory.filter(|_| !facts.is_failing(WatchedObjects::Secrets))
            else {
                return true;
            };
            while let Some(name) = lacking.last() {
                if inventory.get(&subject.namespace, name).is_none() {
                    return false;
                }
                lacking.pop();
            }
            true
        };
        let there = async {
            loop {
                let changed = self.facts_changed.notified();
                if is_there() {
                    return;
                }
                changed.await;
            }
        };
        within(PATIENCE_FOR_SECRETS, there).await;
    }
}
