//! Facts about the cluster apart from the request. Each fact may be unknown, and an unknown fact never denies.

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

/// The annotation by which a `ServiceAccount` restricts its pods to the secrets that it lists. Deprecated since
/// Kubernetes 1.32 and still enforced (`plugin/pkg/admission/serviceaccount`).
pub const ENFORCE_MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

/// A snapshot of the cluster, swapped as a whole. The default knows nothing. Copies share their contents, so a copy is
/// cheap.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    labels: HashMap<Box<str>, Arc<Labels>>,
    service_accounts: HashMap<Box<str>, Arc<ServiceAccounts>>,
    service_accounts_synced: bool,
    inventory_mode: InventoryMode,
    inventory: Option<Inventory>,
    fingerprint_key: Option<Arc<FingerprintKey>>,
    failing: [bool; WatchedObjects::COUNT],
}

/// The objects of one watch that delivers facts.
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
    /// Returns the labels of a namespace, or `None` if they are unknown.
    #[must_use]
    pub fn labels(&self, namespace: &str) -> Option<&Labels> {
        self.labels.get(namespace).map(|labels| &**labels)
    }

    /// Returns a `ServiceAccount`, or `None` if it is unknown or does not exist.
    #[must_use]
    pub fn service_account(&self, namespace: &str, name: &str) -> Option<&ServiceAccountFacts> {
        self.service_accounts.get(namespace)?.get(name)
    }

    /// Returns whether an unknown `ServiceAccount` may restrict its pods to the secrets that it lists: it did so once,
    /// or it was never seen and another account of its namespace does or did.
    #[must_use]
    pub fn may_enforce_mountable_secrets(&self, namespace: &str, name: &str) -> bool {
        let accounts = self.service_accounts.get(namespace);
        accounts.is_some_and(|accounts| accounts.may_enforce(name))
    }

    /// Returns whether all `ServiceAccounts` are known, so that one that is missing here does not exist.
    #[must_use]
    pub fn service_accounts_synced(&self) -> bool {
        self.service_accounts_synced
    }

    /// Records that all `ServiceAccounts` are known.
    pub fn set_service_accounts_synced(&mut self) {
        self.service_accounts_synced = true;
    }

    /// Returns whether the watch of these objects fails now. Then an unknown object stays unknown for a while, and
    /// waiting for it is useless.
    #[must_use]
    pub fn is_failing(&self, watched: WatchedObjects) -> bool {
        self.failing[watched as usize]
    }

    /// Records whether the watch of these objects fails.
    pub fn set_failing(&mut self, watched: WatchedObjects, is_failing: bool) {
        self.failing[watched as usize] = is_failing;
    }

    /// Returns the names of the namespaces with known labels.
    #[must_use]
    pub fn namespaces(&self) -> impl ExactSizeIterator<Item = &str> {
        self.labels.keys().map(|name| &**name)
    }

    /// Returns how much is known of Secrets as soon as all of them are known.
    #[must_use]
    pub fn inventory_mode(&self) -> InventoryMode {
        self.inventory_mode
    }

    /// Returns the docker-type Secrets, or `None` as long as not all of them are known.
    #[must_use]
    pub fn inventory(&self) -> Option<&Inventory> {
        self.inventory.as_ref()
    }

    /// Returns the key of the fingerprints of credentials.
    #[must_use]
    pub fn fingerprint_key(&self) -> Option<&FingerprintKey> {
        self.fingerprint_key.as_deref()
    }

    /// Sets how much will be known of Secrets, and the key of their fingerprints.
    pub fn set_inventory_mode(&mut self, mode: InventoryMode, key: Option<FingerprintKey>) {
        self.inventory_mode = mode;
        self.fingerprint_key = key.map(Arc::new);
    }

    /// Records all docker-type Secrets.
    pub fn set_inventory(&mut self, inventory: Inventory) {
        self.inventory = Some(inventory);
    }

    /// Records or removes the labels of a namespace. Returns whether this changed anything.
    pub fn set_labels(&mut self, namespace: &str, labels: Option<Labels>) -> bool {
        let is_new = self.labels(namespace) != labels.as_ref();
        match labels {
            Some(_) if !is_new => {}
            Some(labels) => drop(self.labels.insert(namespace.into(), Arc::new(labels))),
            None => drop(self.labels.remove(namespace)),
        }
        is_new
    }

    /// Removes a deleted namespace and its former service accounts. Known accounts stay: the watch of accounts reports
    /// their end, and they may belong to a new namespace of the same name.
    pub fn remove_namespace(&mut self, namespace: &str) {
        self.labels.remove(namespace);
        if let Some(accounts) = self.service_accounts.get_mut(namespace) {
            Arc::make_mut(accounts).forget_former();
        }
        self.drop_empty(namespace);
    }

    /// Records a `ServiceAccount`, or that it is unknown from now on. Returns whether this changed anything.
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

    /// Removes every namespace that is not listed, and its former service accounts.
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

    /// Removes every `ServiceAccount` that is not listed.
    pub fn retain_service_accounts(&mut self, is_there: impl Fn(&str, &str) -> bool) {
        for (namespace, accounts) in &mut self.service_accounts {
            Arc::make_mut(accounts).retain(|name| is_there(namespace, name));
        }
        self.service_accounts
            .retain(|_, accounts| !accounts.is_empty());
    }
}
