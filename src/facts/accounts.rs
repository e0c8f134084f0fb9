//! The service accounts of one namespace, and what is remembered of those that are gone.
//!
//! A `ServiceAccount` with `kubernetes.io/enforce-mountable-secrets: "true"` has the API server refuse pods with a secret
//! that it does not list. Injecting such a secret would stop the pod, and not injecting one stops its pull. So it matters
//! what an account that is unknown just now is likely to say.

use foldhash::{HashMap, HashSet};

/// The most names of former accounts of each sort that are remembered for a namespace. A name beyond that counts as one
/// that was never seen.
const MAX_FORMER: usize = 256;

/// What matters of a `ServiceAccount`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAccountFacts {
    /// `imagePullSecrets[].name`, in order.
    pub image_pull_secrets: Vec<Box<str>>,
    /// Whether `kubernetes.io/enforce-mountable-secrets` is `"true"`.
    pub enforce_mountable_secrets: bool,
}

/// The service accounts of one namespace.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceAccounts {
    known: HashMap<Box<str>, ServiceAccountFacts>,
    /// How many of the known ones have the annotation.
    enforcing: usize,
    /// Those that had the annotation once, and have it no longer or are unknown.
    once_enforcing: HashSet<Box<str>>,
    /// Those that are unknown now, were known, and never had it.
    never_enforcing: HashSet<Box<str>>,
}

impl ServiceAccounts {
    /// Returns an account, or `None` where it is unknown or does not exist.
    pub(super) fn get(&self, name: &str) -> Option<&ServiceAccountFacts> {
        self.known.get(name)
    }

    /// Returns whether nothing is known or remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.once_enforcing.is_empty() && self.never_enforcing.is_empty()
    }

    /// Forgets what is remembered of accounts that are unknown.
    pub(super) fn forget_former(&mut self) {
        self.once_enforcing.clear();
        self.never_enforcing.clear();
    }

    /// Returns whether an account that is unknown now may have the annotation: it had it once, or it was never seen and
    /// another account of the namespace has it or had it.
    pub(super) fn may_enforce(&self, name: &str) -> bool {
        self.once_enforcing.contains(name)
            || self.has_enforcing() && !self.never_enforcing.contains(name)
    }

    fn has_enforcing(&self) -> bool {
        self.enforcing > 0 || !self.once_enforcing.is_empty()
    }

    /// Learns what matters of an account, or that it is unknown from now on.
    pub(super) fn set(&mut self, name: &str, account: Option<ServiceAccountFacts>) {
        let enforces = |account: &Option<ServiceAccountFacts>| {
            account
                .as_ref()
                .is_some_and(|account| account.enforce_mountable_secrets)
        };
        let enforces_now = enforces(&account);
        let is_known = account.is_some();
        let old = match account {
            Some(account) => self.known.insert(name.into(), account),
            None => self.known.remove(name),
        };
        self.enforcing += usize::from(enforces_now);
        self.enforcing -= usize::from(enforces(&old));
        if enforces(&old) && !enforces_now {
            insert(&mut self.once_enforcing, name);
        }
        if is_known {
            self.never_enforcing.remove(name);
        } else if old.is_some_and(|old| !old.enforce_mountable_secrets)
            && self.has_enforcing()
            && !self.once_enforcing.contains(name)
        {
            insert(&mut self.never_enforcing, name);
        }
    }

    /// Forgets every account that is not among these, as if each was deleted.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        let names = self.known.keys();
        let gone: Vec<_> = names.filter(|name| !is_there(name)).cloned().collect();
        for name in gone {
            self.set(&name, None);
        }
    }
}

fn insert(names: &mut HashSet<Box<str>>, name: &str) {
    if names.len() < MAX_FORMER {
        names.insert(name.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ServiceAccounts {
        fn know(&mut self, name: &str, enforce_mountable_secrets: bool) {
            let account = ServiceAccountFacts {
                image_pull_secrets: Vec::new(),
                enforce_mountable_secrets,
            };
            self.set(name, Some(account));
        }
    }

    #[test]
    fn an_unknown_account_may_enforce_what_it_or_if_it_is_new_its_namespace_enforced() {
        let mut accounts = ServiceAccounts::default();
        accounts.know("plain", false);
        accounts.know("strict", true);
        accounts.know("reformed", true);
        accounts.know("reformed", false);
        for name in ["plain", "strict", "reformed"] {
            accounts.set(name, None);
        }
        assert!(!accounts.may_enforce("plain"));
        assert!(accounts.may_enforce("strict"));
        assert!(accounts.may_enforce("reformed"));
        assert!(accounts.may_enforce("new"));
        // One that comes back is known by what it says now, and remembered by what it ever said.
        accounts.know("strict", false);
        accounts.set("strict", None);
        assert!(accounts.may_enforce("strict"));
    }

    #[test]
    fn where_no_account_enforces_anything_none_may() {
        let mut accounts = ServiceAccounts::default();
        accounts.know("plain", false);
        assert!(!accounts.may_enforce("new"));
        accounts.retain(|_| false);
        assert!(!accounts.may_enforce("plain") && accounts.is_empty());
    }

    #[test]
    fn no_more_names_are_remembered_than_the_limit() {
        let mut accounts = ServiceAccounts::default();
        for enforces in [true, false] {
            for number in 0..1000 {
                let name = format!("{enforces}-{number}");
                accounts.know(&name, enforces);
                accounts.set(&name, None);
            }
        }
        assert_eq!(accounts.once_enforcing.len(), MAX_FORMER);
        assert_eq!(accounts.never_enforcing.len(), MAX_FORMER);
        assert_eq!((accounts.known.len(), accounts.enforcing), (0, 0));
        // Those beyond it count as never seen.
        assert!(accounts.may_enforce("true-999") && accounts.may_enforce("false-999"));
        assert!(!accounts.may_enforce("false-0"));
    }
}
