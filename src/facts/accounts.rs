//! The service accounts of one namespace, and a memory of former ones.
//!
//! With `kubernetes.io/enforce-mountable-secrets: "true"` on a ServiceAccount, the API server refuses pods with a
//! secret that the account does not list. Injecting such a secret would stop the pod; not injecting a needed one stops
//! its pull. For an account that is unknown at the moment, this module estimates whether it carries the annotation,
//! from the past of the account and of its namespace.

use foldhash::{HashMap, HashSet};

/// The most names of former accounts that are remembered for a namespace, with and without the annotation each. A name
/// beyond the limit counts as never seen.
const MAX_FORMER: usize = 256;

/// The parts of a ServiceAccount that a verdict depends on.
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
    /// The number of known accounts that have the annotation.
    enforcing: usize,
    /// Accounts that had the annotation once, and have lost it or are unknown now.
    once_enforcing: HashSet<Box<str>>,
    /// Accounts that were known, never had the annotation, and are unknown now.
    never_enforcing: HashSet<Box<str>>,
}

impl ServiceAccounts {
    /// Returns an account, or `None` if it is unknown or does not exist.
    pub(super) fn get(&self, name: &str) -> Option<&ServiceAccountFacts> {
        self.known.get(name)
    }

    /// Returns whether no account is known or remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.once_enforcing.is_empty() && self.never_enforcing.is_empty()
    }

    /// Forgets the former accounts.
    pub(super) fn forget_former(&mut self) {
        self.once_enforcing.clear();
        self.never_enforcing.clear();
    }

    /// Returns whether an unknown account may have the annotation: it had it once, or it was never seen and another
    /// account of the namespace has or had it.
    pub(super) fn may_enforce(&self, name: &str) -> bool {
        self.once_enforcing.contains(name)
            || self.has_enforcing() && !self.never_enforcing.contains(name)
    }

    fn has_enforcing(&self) -> bool {
        self.enforcing > 0 || !self.once_enforcing.is_empty()
    }

    /// Records an account, or that it is unknown from now on.
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

    /// Removes every account that is not listed, as if each was deleted.
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
    fn an_unknown_account_may_enforce_if_it_or_a_neighbour_of_a_new_one_did() {
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
        // An account that returns is judged by its present annotation, and remembered with any earlier one.
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
        // Names beyond the limit count as never seen.
        assert!(accounts.may_enforce("true-999") && accounts.may_enforce("false-999"));
        assert!(!accounts.may_enforce("false-0"));
    }
}
