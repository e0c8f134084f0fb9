//! What the server judges by: snapshots that are swapped whole, so that a review never waits for a writer.

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

/// How long a review waits for the watch to know what it is about. A namespace and what is in it often come in one
/// `kubectl apply`, and the watch is a few milliseconds behind the API server.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long somebody who lacks a Secret waits for it to come after all, from the same `kubectl apply`.
const PATIENCE_FOR_SECRETS: Duration = Duration::from_millis(200);

/// The policy, the facts and what else a judgement depends on.
#[derive(Debug)]
pub struct Live {
    policy: ArcSwap<Policy>,
    policy_object: ArcSwapOption<String>,
    facts: ArcSwap<Facts>,
    facts_changed: Notify,
    watches: Watches,
    controllers: Controllers,
}

/// Whether somebody learns facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watches {
    /// The cluster is watched: what is unknown may soon be known.
    Cluster,
    /// Nobody does: what is unknown stays unknown.
    Nothing,
}

impl Live {
    /// A state that knows a policy and no facts.
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

    /// Judges by what is known now.
    pub fn judge<T>(&self, judge: impl FnOnce(&World<'_>) -> T) -> T {
        let (policy, facts) = (self.policy.load(), self.facts.load());
        judge(&World {
            policy: &policy,
            facts: &facts,
            controllers: &self.controllers,
            now: Timestamp::now(),
        })
    }

    /// Judges by this policy from now on.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// The uid of the object that the policy is in, or that there is none.
    pub fn set_policy_object(&self, uid: Option<String>) {
        self.policy_object.store(uid.map(Arc::new));
    }

    /// The uid of the object that the policy is in.
    #[must_use]
    pub fn policy_object(&self) -> Option<Arc<String>> {
        self.policy_object.load_full()
    }

    /// Judges by these facts from now on.
    pub fn set_facts(&self, facts: Facts) {
        self.facts.store(Arc::new(facts));
        self.facts_changed.notify_waiters();
    }

    /// Waits until the namespace of a subject, and the `ServiceAccount` of a Pod, are known; for half a second at most,
    /// and only if they are watched. Both often come in the same `kubectl apply` as what is judged. While a watch fails,
    /// nothing comes from it: then there is nothing to wait for.
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
        // Still unknown: the judgement knows what to do without.
        within(PATIENCE, known).await;
    }

    /// Returns the pull secrets that pods of a subject lack, where it is worth to wait for them: a warning about a Secret
    /// that is on its way would be wrong a moment later. Controllers are not told anyway.
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

    /// Waits until these Secrets are in the namespace of a subject, for 200 ms at most.
    pub async fn wait_for_secrets(&self, subject: &Subject<'_>, mut lacking: Vec<String>) {
        // Facts change often, and an object can list many secrets: of those that came none is looked for again.
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
