//! The policy in force. Every policy is accepted or refused, counted and logged here.

use crate::policy::source::PolicyText;
use crate::policy::{Loaded, Loading, Policy};
use crate::runtime::clock::{now, today};
use crate::runtime::lifecycle::{Part, Readiness};
use crate::runtime::live::Live;
use crate::runtime::metrics::{Metrics, PolicySource};
use crate::text::diagnostic::{Diagnostic, Severity};
use std::sync::Arc;
use tracing::{error, info, warn};

/// Puts policies in force.
#[derive(Debug, Clone)]
pub struct PolicyInForce {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

/// A policy with faults. The previous one stays in force.
#[derive(Debug)]
pub struct PolicyRefused {
    faults: Vec<Diagnostic>,
}

impl PolicyRefused {
    /// Returns one line about the first fault, with `file` as the name of the file.
    #[must_use]
    pub fn first(&self, file: &str) -> String {
        let first = self.faults.first();
        first.map(|fault| fault.line(file)).unwrap_or_default()
    }
}

impl PolicyInForce {
    /// Creates it for this state, these metrics and this readiness.
    #[must_use]
    pub fn new(live: Arc<Live>, metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Self {
        Self {
            live,
            metrics,
            readiness,
        }
    }

    /// Puts a policy in force if it has no faults. Logs its faults and warnings with `file` as the name of the file.
    ///
    /// # Errors
    /// The policy has faults. It is counted as refused, and the previous one stays in force.
    pub fn take(
        &self,
        text: PolicyText<'_>,
        file: &str,
        source: PolicySource,
    ) -> Result<(), PolicyRefused> {
        let Loaded {
            policy,
            diagnostics,
        } = load(text);
        log(&diagnostics, file);
        let Some(policy) = policy else {
            let is_fault = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Fault;
            let faults: Vec<_> = diagnostics.into_iter().filter(is_fault).collect();
            self.metrics.policy.refused(faults.len());
            error!(
                file,
                "the policy has faults and is not used; the previous one, if any, stays in force"
            );
            return Err(PolicyRefused { faults });
        };
        self.set(policy, source);
        info!(file, "the policy changed");
        Ok(())
    }

    /// Puts a policy without a text in force: the empty one, or the example.
    pub fn set(&self, policy: Policy, source: PolicySource) {
        self.live.set_policy(policy);
        self.metrics.policy.loaded(now(), source);
        self.readiness.has(Part::Policy);
    }

    /// Puts an accepted policy in force in place of one with faults, which stay counted. Returns whether the accepted
    /// policy has no faults itself.
    #[must_use]
    pub fn fall_back(&self, accepted: &str) -> bool {
        let Some(policy) = load(PolicyText::Value(accepted)).policy else {
            return false;
        };
        self.live.set_policy(policy);
        self.metrics.policy.in_force(now(), PolicySource::Accepted);
        self.readiness.has(Part::Policy);
        true
    }

    /// Records in `/readyz` why no policy is in force. Has no effect if one is.
    pub fn lacks(&self, why: String) {
        self.readiness.lacks(Part::Policy, why);
    }

    /// Sets the uid of the object that holds the policy, or that there is no such object.
    pub fn set_object(&self, uid: Option<String>) {
        self.live.set_policy_object(uid);
    }
}

/// Loads a policy away from the async tasks: 1 MiB takes so long that reviews would wait for the thread.
fn load(text: PolicyText<'_>) -> Loaded {
    tokio::task::block_in_place(|| text.load_as(&Loading::in_force(today())))
}

/// Logs the faults and warnings of a policy, one line each.
fn log(diagnostics: &[Diagnostic], file: &str) {
    for diagnostic in diagnostics {
        match diagnostic.severity {
            Severity::Fault => error!("{}", diagnostic.line(file)),
            Severity::Warning | Severity::Note => warn!("{}", diagnostic.line(file)),
        }
    }
}
