//! The metrics of the policy in force.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The metrics of the policy in force.
#[derive(Debug, Default)]
pub struct PolicyMetrics {
    generation: Gauge,
    loaded: Gauge,
    faults: Gauge,
    sources: Family<SourceLabels, Gauge>,
}

/// The origin of the policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySource {
    /// A file, or the example of the demo.
    File,
    /// The `ConfigMap` that people edit.
    ConfigMap,
    /// An earlier accepted policy, because the `ConfigMap` has faults.
    Accepted,
    /// There is no policy, so the empty one is in force.
    None,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
}

impl PolicyMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "policy_generation",
            "Policies that were put in force since the start",
            self.generation.clone(),
        );
        registry.register_with_unit(
            "policy_loaded_timestamp",
            "When the policy in force was loaded",
            Unit::Seconds,
            self.loaded.clone(),
        );
        registry.register(
            "policy_faults",
            "Faults of the policy that was seen last; with any, the one before is in force",
            self.faults.clone(),
        );
        registry.register(
            "policy_in_force",
            "1 for where the policy in force comes from",
            self.sources.clone(),
        );
    }

    /// Records that a policy without faults was put in force at this second of Unix time.
    pub fn loaded(&self, now: i64, source: PolicySource) {
        self.in_force(now, source);
        self.faults.set(0);
    }

    /// Records that a policy was put in force, perhaps in place of one with faults.
    pub fn in_force(&self, now: i64, source: PolicySource) {
        self.generation.inc();
        self.loaded.set(now);
        self.sources.clear();
        let source = source.name();
        self.sources.get_or_create(&SourceLabels { source }).set(1);
    }

    /// Records the number of faults of a policy that is not put in force.
    pub fn refused(&self, faults: usize) {
        self.faults.set(i64::try_from(faults).unwrap_or(i64::MAX));
    }
}

impl PolicySource {
    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::ConfigMap => "configmap",
            Self::Accepted => "accepted",
            Self::None => "none",
        }
    }
}
