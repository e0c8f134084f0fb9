//! The docker-type Secrets of a cluster in numbers.

use crate::facts::inventory::{Inventory, KnownSecret, SecretFacts};
use crate::policy::selector::{Match, Namespace};
use crate::policy::{Policy, RegistryRule};
use crate::secrets::account::AccountClass;
use crate::secrets::credentials::Content;
use crate::verdict::world::World;
use std::collections::BTreeMap;

/// How far a credential has to be shared to be counted, in namespaces.
pub const SHARED: [usize; 5] = [1, 2, 5, 10, 50];
/// How many pairs of rules and namespaces are looked at, so that counting never takes long.
const MAX_PAIRS: usize = 1_000_000;

/// What there is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SecretStatistics {
    /// How many Secrets there are of each class and state.
    pub secrets: BTreeMap<(AccountClass, SecretState), i64>,
    /// How many credentials are in more namespaces than each of [`SHARED`].
    pub shared: [i64; SHARED.len()],
    /// What is known of each secret that a rule injects.
    pub injected: Vec<InjectedSecret>,
}

/// Whether a Secret can serve, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretState {
    /// Nothing is wrong with it, as far as is known.
    Good,
    /// The kubelet fails every pull of a pod that lists it.
    Malformed,
    /// A credential in it has expired.
    Expired,
    /// None of its credentials can ever be used.
    Useless,
    /// It holds no credential: a placeholder, perhaps.
    Empty,
}

/// A secret that a rule injects, over all namespaces where the rule exists.
#[derive(Debug, PartialEq, Eq)]
pub struct InjectedSecret {
    /// The name of the rule.
    pub rule: String,
    /// The name of the secret.
    pub secret: String,
    /// In how many namespaces it is, by its state there.
    pub present: BTreeMap<SecretState, i64>,
    /// In how many it is not, which is no fault where no pod needs it; `None` where there are too many to count.
    pub absent: Option<i64>,
    /// When the first of its credentials for the registry of the rule expires, in seconds of Unix time.
    pub expires: Option<i64>,
    /// When the one that was changed longest ago was changed, in seconds of Unix time.
    pub changed: Option<i64>,
}

impl SecretState {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Good,
        Self::Malformed,
        Self::Expired,
        Self::Useless,
        Self::Empty,
    ];

    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Malformed => "malformed",
            Self::Expired => "expired",
            Self::Useless => "useless",
            Self::Empty => "empty",
        }
    }

    fn of(content: &Content, now: i64) -> Self {
        let credentials = match content {
            Content::Malformed(_) => return Self::Malformed,
            Content::Unread | Content::TooManyEntries => return Self::Good,
            Content::Credentials(credentials) => credentials,
        };
        if credentials.is_empty() {
            Self::Empty
        } else if credentials
            .iter()
            .any(|credential| credential.is_expired(now))
        {
            Self::Expired
        } else if content.flaws().count() == credentials.len() {
            Self::Useless
        } else {
            Self::Good
        }
    }
}

impl SecretStatistics {
    /// Counts what is known; nothing as long as not all Secrets are.
    #[must_use]
    pub fn take(world: &World<'_>) -> Option<Self> {
        let inventory = world.facts.inventory()?;
        let now = world.now.as_second();
        let mut statistics = Self::default();
        for KnownSecret { facts, .. } in inventory.iter() {
            let class = gravest(world.policy, &facts.content);
            let state = SecretState::of(&facts.content, now);
            *statistics.secrets.entry((class, state)).or_default() += 1;
        }
        for namespaces in inventory.spread() {
            for (count, limit) in statistics.shared.iter_mut().zip(SHARED) {
                *count += i64::from(namespaces > limit);
            }
        }
        let rules = world.policy.registries().iter();
        let each = rules.flat_map(|rule| rule.secret_names().map(move |secret| (rule, secret)));
        let mut pairs = MAX_PAIRS;
        statistics.injected = each
            .map(|(rule, secret)| injected(world, inventory, rule, secret, &mut pairs))
            .collect();
        Some(statistics)
    }
}

/// The class of a Secret: the gravest of those of its credentials.
fn gravest(policy: &Policy, content: &Content) -> AccountClass {
    let of = content.credentials().iter().map(|credential| {
        let product = policy.product_of(credential.registry());
        credential.account(product).class
    });
    of.min_by_key(|class| class.rank())
        .unwrap_or(AccountClass::Unknown)
}

fn injected(
    world: &World<'_>,
    inventory: &Inventory,
    rule: &RegistryRule,
    secret: &str,
    pairs: &mut usize,
) -> InjectedSecret {
    let exists = |name: &&str| {
        let namespace = Namespace {
            name,
            labels: world.facts.labels(name),
        };
        rule.applies(namespace) != Match::No && world.policy.exempt(namespace) != Match::Yes
    };
    let holders: Vec<_> = inventory.namespaces_of(secret).filter(exists).collect();
    let facts = || {
        holders
            .iter()
            .filter_map(|name| inventory.get(name, secret))
    };
    let mut present = BTreeMap::new();
    for facts in facts() {
        let state = SecretState::of(&facts.content, world.now.as_second());
        *present.entry(state).or_default() += 1;
    }
    let namespaces = world.facts.namespaces();
    let left = pairs.checked_sub(namespaces.len());
    *pairs = left.unwrap_or(0);
    let count = |there: usize| i64::try_from(there).unwrap_or(i64::MAX);
    let absent = left.map(|_| count(namespaces.filter(exists).count()) - count(holders.len()));
    InjectedSecret {
        rule: rule.name.clone(),
        secret: secret.to_owned(),
        present,
        absent: absent.map(|absent| absent.max(0)),
        expires: facts().filter_map(|facts| expiry(rule, facts)).min(),
        changed: facts()
            .filter_map(|facts| facts.changed)
            .min()
            .map(i64::from),
    }
}

fn expiry(rule: &RegistryRule, facts: &SecretFacts) -> Option<i64> {
    let is_of_rule = |registry: &str| {
        let registry = registry.to_ascii_lowercase();
        rule.images
            .iter()
            .any(|pattern| pattern.host().covers(&registry))
    };
    let credentials = facts.content.credentials().iter();
    let mut own = credentials.filter(|credential| is_of_rule(credential.registry()));
    own.by_ref()
        .filter_map(|credential| credential.expires)
        .min()
}
