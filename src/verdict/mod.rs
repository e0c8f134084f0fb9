//! Judges subjects. `admission/endpoint` chooses among the entry points.

mod bans;
pub mod code;
mod coverage;
mod distinct;
pub mod finding;
mod grounds;
mod guard;
mod inject;
pub mod patch;
pub mod policy_edit;
mod pull_secrets;
mod references;
mod ruling;
pub mod words;
pub mod world;

pub use ruling::{Injection, Mutation, Notes, Outcome, PodPreview, Ruling};

use crate::objects::kind::Kind;
use crate::objects::subject::{ImageUse, ObjectSource, Operation, Subject};
use crate::verdict::world::World;
use coverage::Coverage;
use guard::Phase;
use inject::InjectedPod;

/// An image of a subject, and the verdict of the policy about it.
#[derive(Debug, Clone, Copy)]
pub struct JudgedImage<'a> {
    /// The image and its field.
    pub used: &'a ImageUse<'a>,
    /// A registry rule covers it.
    pub is_covered: bool,
}

/// Judges a request to `/mutate`. New pods get their secrets; a pod that a built-in controller creates is also judged
/// against the bans, in the same call.
#[must_use]
pub fn mutate<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Mutation<'a> {
    let coverage = Coverage::of(world, subject);
    let ruling = if world.controllers.created(subject) {
        ruling(world, subject, &coverage, Phase::Mutation)
    } else {
        Ruling::admit()
    };
    let mut mutation = Mutation::from(ruling);
    if matches!(mutation.outcome, Outcome::Reject(_)) {
        return mutation;
    }
    let InjectedPod {
        patch,
        findings,
        injections,
    } = inject::inject(world, subject, &coverage);
    mutation.notes.add(world, subject, &findings);
    for injection in &injections {
        let key = words::audit_key("injected", &injection.rule.name);
        words::note(&mut mutation.notes.audit, key, &injection.secrets.join(","));
    }
    mutation.outcome = patch.map_or(Outcome::Admit, Outcome::Inject);
    mutation.findings.extend(findings);
    mutation.injections = injections;
    mutation
}

/// Judges a request to `/validate`, except edits of the policy ([`policy_edit`]). Also judges pods of built-in
/// controllers, for both endpoints.
#[must_use]
pub fn validate<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Ruling<'a> {
    let coverage = Coverage::of(world, subject);
    ruling(world, subject, &coverage, Phase::Validation)
}

fn ruling<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
    phase: Phase,
) -> Ruling<'a> {
    let mut findings = guard::guard(world, subject, coverage, phase);
    // The user who applies a workload reads warnings. A controller, which creates its pods later, does not.
    if subject.kind != Kind::Pod && subject.source == ObjectSource::Request {
        findings.extend(inject::predict_findings(world, subject, coverage));
    }
    let mut ruling = Ruling {
        denial: words::denial(world, subject, &findings),
        ..Ruling::admit()
    };
    ruling.notes.add(world, subject, &findings);
    ruling.findings = findings;
    ruling
}

/// Returns the images of a subject that can be parsed, without those that are, or may be, placeholders: another webhook
/// or controller replaces them before a Pod is created.
#[must_use]
pub fn images<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Vec<JudgedImage<'a>> {
    let coverage = Coverage::of(world, subject);
    let images = coverage.certain_images().filter_map(|(used, covering)| {
        let is_covered = covering.as_ref().ok()?.is_some();
        Some(JudgedImage { used, is_covered })
    });
    images.collect()
}

/// Returns the Secrets that the pods of a subject lack and that may arrive soon: Secret and workload are often in the
/// same `kubectl apply`.
#[must_use]
pub fn lacking_secrets(world: &World<'_>, subject: &Subject<'_>) -> Vec<String> {
    if subject.kind == Kind::Pod && subject.operation != Operation::Create {
        return Vec::new();
    }
    let coverage = Coverage::of(world, subject);
    let names = inject::absent_secrets(world, subject, &coverage);
    names.into_iter().map(ToOwned::to_owned).collect()
}

/// Returns the secrets that the pods of a subject (a Pod, or a workload with a template) would get on creation.
#[must_use]
pub fn preview<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> PodPreview<'a> {
    inject::preview(world, subject, &Coverage::of(world, subject))
}
