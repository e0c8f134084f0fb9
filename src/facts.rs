//! What is known about the cluster beside the request. Each fact may be unknown, and what is unknown never denies.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Labels of an object.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// The annotation by which a ServiceAccount restricts its pods to the secrets that it lists.
/// Deprecated since Kubernetes 1.32 and still enforced (`plugin/pkg/admission/serviceaccount`).
pub const ENFORCE_MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

/// A snapshot of the cluster, swapped whole; the default knows nothing.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Namespaces of which something is known.
    pub namespaces: HashMap<Box<str>, Arc<NamespaceFacts>>,
    /// Whether every ServiceAccount is known, so that one that is not here does not exist.
    pub service_accounts_synced: bool,
}

/// What is known about one namespace.
#[derive(Debug, Clone, Default)]
pub struct NamespaceFacts {
    /// Its labels, where they are known.
    pub labels: Option<Labels>,
    /// Those of its service accounts that are known.
    pub service_accounts: HashMap<Box<str>, ServiceAccountFacts>,
}

/// What matters of a ServiceAccount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAccountFacts {
    /// `imagePullSecrets[].name`, in order.
    pub image_pull_secrets: Vec<Box<str>>,
    /// Whether `kubernetes.io/enforce-mountable-secrets` is `"true"`.
    pub enforce_mountable_secrets: bool,
}

impl Facts {
    /// The labels of a namespace, or `None` where they are unknown.
    #[must_use]
    pub fn labels(&self, namespace: &str) -> Option<&Labels> {
        self.namespaces.get(namespace)?.labels.as_ref()
    }

    /// A ServiceAccount, or `None` where it is unknown or does not exist.
    #[must_use]
    pub fn service_account(&self, namespace: &str, name: &str) -> Option<&ServiceAccountFacts> {
        self.namespaces.get(namespace)?.service_accounts.get(name)
    }

    /// The facts about a namespace, to be changed; made where there were none.
    pub fn namespace_mut(&mut self, namespace: &str) -> &mut NamespaceFacts {
        Arc::make_mut(self.namespaces.entry(namespace.into()).or_default())
    }
}
