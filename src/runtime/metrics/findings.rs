//! The metrics of findings and of injections.

use crate::verdict::Mutation;
use crate::verdict::finding::{Effect, Fault, Finding, WhyNotDenied};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The metrics of findings and of injections.
#[derive(Debug, Default)]
pub(super) struct FindingMetrics {
    findings: Family<FindingLabels, Counter>,
    injections: Family<InjectionLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    finding: &'static str,
    ban: String,
    mode: &'static str,
    outcome: &'static str,
    dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InjectionLabels {
    rule: String,
    dry_run: bool,
}

impl FindingMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "findings",
            "Faults found in reviews, and their outcome",
            self.findings.clone(),
        );
        registry.register(
            "injections",
            "Pods that got secrets of a registry rule",
            self.injections.clone(),
        );
    }

    /// Counts the findings and the injections of a review.
    pub(super) fn count(&self, mutation: &Mutation<'_>, dry_run: bool) {
        // An object can have tens of thousands of equal findings in a row. They are counted in one step.
        let labels = |finding: &Finding<'_>| {
            let ban = finding.fault.ban().map(std::ptr::from_ref);
            (finding.fault.code().name(), ban, outcome(finding))
        };
        let alike = mutation.findings.chunk_by(|a, b| labels(a) == labels(b));
        for findings in alike {
            let count = u64::try_from(findings.len()).unwrap_or(u64::MAX);
            let labels = FindingLabels::of(&findings[0], dry_run);
            self.findings.get_or_create(&labels).inc_by(count);
        }
        for injection in &mutation.injections {
            let rule = injection.rule.name.clone();
            self.injections
                .get_or_create(&InjectionLabels { rule, dry_run })
                .inc();
        }
    }
}

impl FindingLabels {
    fn of(finding: &Finding<'_>, dry_run: bool) -> Self {
        let ban = finding.fault.ban();
        Self {
            finding: finding.fault.code().name(),
            ban: ban.map(|ban| ban.name.clone()).unwrap_or_default(),
            mode: ban.map(|ban| ban.mode.name()).unwrap_or_default(),
            outcome: outcome(finding),
            dry_run,
        }
    }
}

fn outcome(finding: &Finding<'_>) -> &'static str {
    // Its effect is a warning, but the exception says more.
    if matches!(finding.fault, Fault::Lifted { .. }) {
        "lifted"
    } else {
        effect(finding.effect)
    }
}

/// The reason why a finding does not deny is more precise than the mode, so the label shows the reason.
fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Deny => "denied",
        Effect::Warn(WhyNotDenied::NotAsked) => "warned",
        Effect::Audit(WhyNotDenied::NotAsked) => "audited",
        Effect::Warn(WhyNotDenied::AlreadyThere) | Effect::Audit(WhyNotDenied::AlreadyThere) => {
            "old"
        }
        Effect::Warn(WhyNotDenied::AdmittedEarlier)
        | Effect::Audit(WhyNotDenied::AdmittedEarlier) => "running",
        Effect::Warn(WhyNotDenied::LabelsUnknown) | Effect::Audit(WhyNotDenied::LabelsUnknown) => {
            "labels_unknown"
        }
        Effect::Warn(WhyNotDenied::InjectedByPolicy)
        | Effect::Audit(WhyNotDenied::InjectedByPolicy) => "injected_here",
        Effect::Warn(WhyNotDenied::Uncertain) | Effect::Audit(WhyNotDenied::Uncertain) => "unsure",
    }
}
