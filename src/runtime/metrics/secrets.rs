//! The metrics of docker-type Secrets.

use crate::reports::secret_statistics::{SHARED, SecretState, SecretStatistics};
use crate::secrets::account::AccountClass;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::cmp::Reverse;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The resource name of the watches of docker-type Secrets.
pub const PULL_SECRETS: &str = "pullsecrets";
/// The number of seconds without a failed watch after which the inventory counts as current. A failed watch is retried
/// every 5 s.
const CALM: i64 = 15;

/// The metrics of docker-type Secrets.
#[derive(Debug, Default)]
pub struct SecretMetrics {
    secrets: Family<ClassLabels, Gauge>,
    shared: Family<SharedLabels, Gauge>,
    injected: Family<InjectedLabels, Gauge>,
    expiry: Family<RuleLabels, Gauge>,
    changed: Family<SecretLabels, Gauge>,
    current: Gauge,
    is_synced: AtomicBool,
    failed: AtomicI64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SharedLabels {
    more_than: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InjectedLabels {
    rule: String,
    secret: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    rule: String,
    secret: String,
}

impl SecretMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "secrets",
            "Docker-type Secrets by the gravest class of account in them, and by their state",
            self.secrets.clone(),
        );
        registry.register(
            "shared_credentials",
            "Credentials that are in more than this number of namespaces",
            self.shared.clone(),
        );
        registry.register(
            "injected_secrets",
            "Namespaces by the state of a secret that a rule injects",
            self.injected.clone(),
        );
        registry.register_with_unit(
            "credential_expiry_timestamp",
            "When the first credential of a secret that a rule injects expires",
            Unit::Seconds,
            self.expiry.clone(),
        );
        registry.register_with_unit(
            "injected_secret_changed_timestamp",
            "When the oldest copy of an injected secret was changed",
            Unit::Seconds,
            self.changed.clone(),
        );
        registry.register_with_unit(
            "inventory_current_timestamp",
            "When the facts about Secrets were last known to be up to date",
            Unit::Seconds,
            self.current.clone(),
        );
    }

    /// Records that all Secrets are known.
    pub fn synced(&self) {
        self.is_synced.store(true, Ordering::Relaxed);
    }

    /// Records a failure of the watch of this resource at this second of Unix time.
    pub(super) fn watch_failed(&self, resource: &str, now: i64) {
        if resource == PULL_SECRETS {
            self.failed.store(now, Ordering::Relaxed);
        }
    }

    /// Records an answer of the API server at this second of Unix time.
    pub(super) fn contact(&self, now: i64) {
        let is_calm = now - self.failed.load(Ordering::Relaxed) >= CALM;
        if is_calm && self.is_synced.load(Ordering::Relaxed) {
            self.current.set(now);
        }
    }

    /// Replaces the last statistics by these.
    pub fn count(&self, statistics: &SecretStatistics) {
        for class in AccountClass::ALL {
            for state in SecretState::ALL {
                let count = statistics.secrets.get(&(class, state)).copied();
                let (class, state) = (class.name(), state.name());
                let gauge = self.secrets.get_or_create(&ClassLabels { class, state });
                gauge.set(count.unwrap_or_default());
            }
        }
        for (limit, count) in SHARED.into_iter().zip(statistics.shared) {
            let more_than = i64::try_from(limit).unwrap_or(i64::MAX);
            let labels = SharedLabels { more_than };
            self.shared.get_or_create(&labels).set(count);
        }
        self.count_injected(statistics);
    }

    fn count_injected(&self, statistics: &SecretStatistics) {
        let (mut injected, mut expiries, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for one in &statistics.injected {
            let (rule, secret) = (&one.rule, &one.secret);
            let labels = |state| InjectedLabels {
                rule: rule.clone(),
                secret: secret.clone(),
                state,
            };
            let there = SecretState::ALL.into_iter().map(|state| {
                let count = one.present.get(&state).copied().unwrap_or_default();
                (labels(state.name()), count)
            });
            injected.extend(there);
            injected.extend(one.absent.map(|count| (labels("absent"), count)));
            expiries.extend(
                one.expires
                    .map(|at| (RuleLabels { rule: rule.clone() }, at)),
            );
            let labels = SecretLabels {
                rule: rule.clone(),
                secret: secret.clone(),
            };
            changes.extend(one.changed.map(|at| (labels, at)));
        }
        // If a rule has several secrets, the one that expires first must win: the last value set stays.
        expiries.sort_by_key(|(_, at)| Reverse(*at));
        replace(&self.injected, injected);
        replace(&self.expiry, expiries);
        replace(&self.changed, changes);
    }
}

fn replace<L: Clone + Hash + Eq>(family: &Family<L, Gauge>, values: Vec<(L, i64)>) {
    family.clear();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
}
