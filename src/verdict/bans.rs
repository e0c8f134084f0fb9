//! Finds the bans on a secret, by its name and by its content.

use super::grounds::{self, Holder};
use crate::policy::selector::{Match, Namespace};
use crate::policy::{Ban, RegistryRule};
use crate::verdict::finding::{Grounds, WhyNotDenied};
use crate::verdict::world::World;

/// A ban on a secret.
#[derive(Clone)]
pub(super) struct BanOn<'a> {
    pub(super) number: usize,
    pub(super) ban: &'a Ban,
    pub(super) grounds: Grounds,
    /// Why a reference to the secret is not denied, in any mode of the ban. Other reasons may come later.
    pub(super) why_not_denied: Option<WhyNotDenied>,
}

/// Returns the bans on a secret of a namespace, those by name first. The cost depends on the secret and the policy, not
/// on the number of references, so callers ask once for each secret of an object.
pub(super) fn bans_on<'a>(
    world: &World<'a>,
    namespace: Namespace<'_>,
    secret: &str,
) -> Vec<BanOn<'a>> {
    let policy = world.policy;
    let by_name = policy.bans_on(secret);
    let by_name = by_name.map(|(number, ban)| (number, ban, Grounds::Name));
    let mut clauses = policy.credential_bans().peekable();
    let facts = clauses.peek().and_then(|_| {
        let inventory = world.facts.inventory()?;
        inventory.get(namespace.name, secret)
    });
    let by_content = facts.into_iter().flat_map(|facts| {
        let clauses = policy.credential_bans();
        clauses.filter_map(|banned| {
            let content = &facts.content;
            let grounds = grounds::find(world, banned.clause, content, Holder::Known)?;
            Some((banned.number, banned.ban, grounds))
        })
    });
    let bans = by_name.chain(by_content);
    let bans = bans.map(|(number, ban, grounds)| BanOn {
        number,
        ban,
        why_not_denied: why_not_denied(world, namespace, &grounds, secret),
        grounds,
    });
    bans.collect()
}

/// Returns why a reference is not denied, or `None` if it may be denied. A policy does not refuse a secret that it
/// injects itself. Sharing a credential is the fault of the person who copies it, not of the person who refers to it. A
/// guess is no ground for a denial.
fn why_not_denied(
    world: &World<'_>,
    namespace: Namespace<'_>,
    grounds: &Grounds,
    secret: &str,
) -> Option<WhyNotDenied> {
    let Grounds::Credential { shared_beyond, .. } = grounds else {
        return None;
    };
    let applies = |rule: &RegistryRule| rule.applies(namespace) != Match::No;
    if world.policy.rules_injecting(secret).any(applies) {
        return Some(WhyNotDenied::InjectedByPolicy);
    }
    grounds
        .is_guess()
        .then_some(WhyNotDenied::Uncertain)
        .or(shared_beyond.map(|_| WhyNotDenied::NotAsked))
}
