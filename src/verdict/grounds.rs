//! Whether a ban by `credentials` covers what a Secret holds, and by what of it.

use crate::policy::CredentialClause;
use crate::secrets::credentials::{Content, Credential};
use crate::verdict::finding::Grounds;
use crate::verdict::world::World;

/// In which namespaces a credential counts as being.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holder<'n> {
    /// In those that are known to have it.
    Known,
    /// In this one too.
    With(&'n str),
    /// In this one too, and nowhere if it was there before.
    Joining(&'n str),
}

/// The first credential that a clause certainly covers, or else the first that it perhaps covers. What the clause says has
/// to hold of one and the same.
pub(super) fn find(
    world: &World<'_>,
    clause: &CredentialClause,
    content: &Content,
    holder: Holder<'_>,
) -> Option<Grounds> {
    let credentials = content.credentials().iter();
    let mut found = credentials.filter_map(|credential| {
        let registry = credential.registry();
        let account = match &clause.class {
            None => None,
            Some(classes) => {
                let accounts = credential.accounts(world.policy.product_of(registry));
                let banned = accounts.filter(|account| classes.contains(&account.class));
                Some(banned.max_by_key(|account| account.confidence)?)
            }
        };
        let limit = clause.shared_across_namespaces;
        let passes = limit.is_none_or(|limit| is_beyond(world, limit, credential, holder));
        passes.then(|| Grounds::Credential {
            registry: registry.to_owned(),
            account,
            shared_beyond: limit,
        })
    });
    let first = found.next()?;
    // A guess, which only warns, must not hide a credential that is sure.
    let better = first
        .is_guess()
        .then(|| found.find(|grounds| !grounds.is_guess()));
    Some(better.flatten().unwrap_or(first))
}

/// The same for a Secret that a review holds. Its content is not an unknown fact: a Secret with more entries than are read
/// counts as one with a banned account.
pub(super) fn of_secret(
    world: &World<'_>,
    clause: &CredentialClause,
    content: &Content,
    holder: Holder<'_>,
) -> Option<Grounds> {
    if *content == Content::TooManyEntries && clause.class.is_some() {
        return Some(Grounds::TooManyEntries);
    }
    find(world, clause, content, holder)
}

/// Looks at no more namespaces than it takes.
fn is_beyond(world: &World<'_>, limit: u32, credential: &Credential, holder: Holder<'_>) -> bool {
    let Some((inventory, fingerprint)) = world.facts.inventory().zip(credential.fingerprint) else {
        return false;
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let known = || inventory.namespaces_with(fingerprint);
    let is_there = |namespace: &str| inventory.has_credential(namespace, fingerprint);
    let more = match holder {
        Holder::Known => 0,
        Holder::Joining(namespace) if is_there(namespace) => return false,
        Holder::With(namespace) if is_there(namespace) => 0,
        Holder::With(_) | Holder::Joining(_) => 1,
    };
    known().take(limit.saturating_add(1)).count() + more > limit
}
