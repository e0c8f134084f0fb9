//! What is known about the cluster beside the request. Each fact may be unknown, and what is unknown never denies.

mod accounts;
pub mod inventory;

pub use accounts::ServiceAccountFacts;

use crate::facts::inventory::{Inventory, InventoryMode};
use crate::secrets::credentials::FingerprintKey;
use accounts::ServiceAccounts;
use foldhash::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels of an object.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// The annotation by which a `ServiceAccount` restricts its pods to the secrets that it lists.
/// Deprecated since Kubernetes 1.32 and still enforced (`plugin/pkg/admission/serviceaccount`).
pub const ENFORCE_MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

/// A snapshot of the cluster, swapped whole; the default knows nothing. What is in it is shared between copies.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    labels: HashMap<Box<str>, Arc<Labels>>,
    service_accounts: HashMap<Box<str>, Arc<ServiceAccounts>>,
    service_accounts_synced: bool,
    inventory_mode: InventoryMode,
    inventory: Option<Inventory>,
    fingerprint_key: Option<Arc<FingerprintKey>>,
    /// The types of Secrets that the kubelet ignores, by namespace and name.
    ignored_secrets: HashMap<(Box<str>, Box<str>), Box<str>>,
    failing: [bool; WatchedObjects::COUNT],
}

/// The objects of one of the watches that facts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchedObjects {
    /// Namespaces.
    Namespaces,
    /// `ServiceAccounts`.
    ServiceAccounts,
    /// Docker-type Secrets.
    Secrets,
}

impl WatchedObjects {
    const COUNT: usize = 3;
}

impl Facts {
    /// The type of a Secret that the kubelet ignores; `None` where none of that name is known. Only files tell: in a cluster
    /// Secrets of other types are not asked for.
    #[must_use]
    pub fn ignored_secret_type(&self, namespace: &str, name: &str) -> Option<&str> {
        if !self.knows_ignored_secrets() {
            return None;
        }
        let of_type = self.ignored_secrets.get(&(namespace.into(), name.into()));
        of_type.map(|of_type| &**of_type)
    }

    /// Whether there is any Secret of a type that the kubelet ignores, as far as is known.
    #[must_use]
    pub fn knows_ignored_secrets(&self) -> bool {
        !self.ignored_secrets.is_empty()
    }

    /// Learns the type of a Secret that the kubelet ignores.
    pub fn set_ignored_secret_type(&mut self, namespace: &str, name: &str, of_type: &str) {
        let place = (namespace.into(), name.into());
        self.ignored_secrets.insert(place, of_type.into());
    }

    /// The labels of a namespace, or `None` where they are unknown.
    #[must_use]
    pub fn labels(&self, namespace: &str) -> Option<&Labels> {
        self.labels.get(namespace).map(|labels| &**labels)
    }

    /// A `ServiceAccount`, or `None` where it is unknown or does not exist.
    #[must_use]
    pub fn service_account(&self, namespace: &str, name: &str) -> Option<&ServiceAccountFacts> {
        self.service_accounts.get(namespace)?.get(name)
    }

    /// Returns whether a `ServiceAccount` that is unknown may restrict its pods to the secrets that it lists: it did so once,
    /// or it was never seen and another account of its namespace does or did.
    #[must_use]
    pub fn may_enforce_mountable_secrets(&self, namespace: &str, name: &str) -> bool {
        let accounts = self.service_accounts.get(namespace);
        accounts.is_some_and(|accounts| accounts.may_enforce(name))
    }

    /// Whether every `ServiceAccount` is known, so that one that is not here does not exist.
    #[must_use]
    pub fn service_accounts_synced(&self) -> bool {
        self.service_accounts_synced
    }

    /// Says that every `ServiceAccount` is known.
    pub fn set_service_accounts_synced(&mut self) {
        self.service_accounts_synced = true;
    }

    /// Returns whether the watch of these objects fails now, so that what is unknown of them stays unknown for a while.
    #[must_use]
    pub fn is_failing(&self, watched: WatchedObjects) -> bool {
        self.failing[watched as usize]
    }

    /// Says whether the watch of these objects fails.
    pub fn set_failing(&mut self, watched: WatchedObjects, is_failing: bool) {
        self.failing[watched as usize] = is_failing;
    }

    /// The names of the namespaces whose labels are known.
    #[must_use]
    pub fn namespaces(&self) -> impl ExactSizeIterator<Item = &str> {
        self.labels.keys().map(|name| &**name)
    }

    /// How much is known of Secrets once all of them are.
    #[must_use]
    pub fn inventory_mode(&self) -> InventoryMode {
        self.inventory_mode
    }

    /// The docker-type Secrets, or `None` where not all of them are known.
    #[must_use]
    pub fn inventory(&self) -> Option<&Inventory> {
        self.inventory.as_ref()
    }

    /// What fingerprints of credentials are made with.
    #[must_use]
    pub fn fingerprint_key(&self) -> Option<&FingerprintKey> {
        self.fingerprint_key.as_deref()
    }

    /// Says how much will be known of Secrets, and what fingerprints are made with.
    pub fn set_inventory_mode(&mut self, mode: InventoryMode, key: Option<FingerprintKey>) {
        self.inventory_mode = mode;
        self.fingerprint_key = key.map(Arc::new);
    }

    /// Learns all docker-type Secrets.
    pub fn set_inventory(&mut self, inventory: Inventory) {
        self.inventory = Some(inventory);
    }

    /// Learns the labels of a namespace, or forgets them. Returns whether that is something new.
    pub fn set_labels(&mut self, namespace: &str, labels: Option<Labels>) -> bool {
        let is_new = self.labels(namespace) != labels.as_ref();
        match labels {
            Some(_) if !is_new => {}
            Some(labels) => drop(self.labels.insert(namespace.into(), Arc::new(labels))),
            None => drop(self.labels.remove(namespace)),
        }
        is_new
    }

    /// Forgets a namespace that is gone, and what is remembered of its former service accounts. Those that are known stay:
    /// another watch says when they are gone, and they may belong to a namespace that was made anew.
    pub fn remove_namespace(&mut self, namespace: &str) {
        self.labels.remove(namespace);
        if let Some(accounts) = self.service_accounts.get_mut(namespace) {
            Arc::make_mut(accounts).forget_former();
        }
        self.drop_empty(namespace);
    }

    /// Learns what matters of a `ServiceAccount`, or that it is unknown from now on. Returns whether that is
    /// something new.
    pub fn set_service_account(
        &mut self,
        namespace: &str,
        name: &str,
        account: Option<ServiceAccountFacts>,
    ) -> bool {
        if self.service_account(namespace, name) == account.as_ref() {
            return false;
        }
        let accounts = Arc::make_mut(self.service_accounts.entry(namespace.into()).or_default());
        accounts.set(name, account);
        self.drop_empty(namespace);
        true
    }

    fn drop_empty(&mut self, namespace: &str) {
        let accounts = self.service_accounts.get(namespace);
        if accounts.is_some_and(|accounts| accounts.is_empty()) {
            self.service_accounts.remove(namespace);
        }
    }

    /// Forgets every namespace that is not among these, and what is remembered of its service accounts.
    pub fn retain_namespaces(&mut self, is_there: impl Fn(&str) -> bool) {
        self.labels.retain(|namespace, _| is_there(namespace));
        for (namespace, accounts) in &mut self.service_accounts {
            if !is_there(namespace) {
                Arc::make_mut(accounts).forget_former();
            }
        }
        self.service_accounts
            .retain(|_, accounts| !accounts.is_empty());
    }

    /// Forgets every `ServiceAccount` that is not among these.
    pub fn retain_service_accounts(&mut self, is_there: impl Fn(&str, &str) -> bool) {
        for (namespace, accounts) in &mut self.service_accounts {
            Arc::make_mut(accounts).retain(|name| is_there(namespace, name));
        }
        self.service_accounts
            .retain(|_, accounts| !accounts.is_empty());
    }
}
