//! Decides whether a ban by `credentials` covers the content of a Secret, and on which grounds.

use crate::policy::CredentialClause;
use crate::secrets::credentials::{Content, Credential};
use crate::verdict::finding::Grounds;
use crate::verdict::world::World;

/// The namespaces in which a credential counts as present.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holder<'n> {
    /// The namespaces that are known to have it.
    Known,
    /// Those, and this namespace as well.
    With(&'n str),
    /// Those, and this namespace as well; report nothing if this namespace already had the credential.
    Joining(&'n str),
}

/// Returns the first credential that a clause covers with certainty, or else the first that it may cover. All
/// conditions of the clause must hold for the same credential.
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
    // A guess only warns, so it must not hide a certain match.
    let better = first
        .is_guess()
        .then(|| found.find(|grounds| !grounds.is_guess()));
    Some(better.flatten().unwrap_or(first))
}

/// Does the same for a Secret in a review. Its content is in the request and so not an unknown fact: a Secret with more
/// entries than Pullgate reads counts as one with a banned account.
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

/// Returns whether a credential is in more than `limit` namespaces. Stops counting at the limit.
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
