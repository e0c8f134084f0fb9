//! The judgement: what becomes of a subject. `serve` and everything else that judges calls these two functions.

mod coverage;
pub mod finding;
mod grounds;
mod guard;
mod inject;
pub mod patch;
mod pull_secrets;
mod references;
pub mod words;
pub mod world;

use crate::objects::subject::{Kind, Operation, Source, Subject};
use crate::policy::RegistryRule;
use crate::verdict::finding::{Denial, Fault, Finding, Trouble};
use crate::verdict::patch::Patch;
use crate::verdict::world::World;
use coverage::Coverage;
use inject::Injected;
use std::collections::BTreeMap;

/// What becomes of a request to `/validate`. It cannot hold a patch.
#[derive(Debug)]
pub struct Ruling<'a> {
    /// Why it is refused, if it is.
    pub denial: Option<Denial>,
    /// What else is said.
    pub notes: Notes,
    /// What was found.
    pub findings: Vec<Finding<'a>>,
}

/// What becomes of a request to `/mutate`.
#[derive(Debug)]
pub struct Mutation<'a> {
    /// What becomes of it.
    pub outcome: Outcome,
    /// What else is said.
    pub notes: Notes,
    /// What was found.
    pub findings: Vec<Finding<'a>>,
    /// What the patch adds.
    pub injections: Vec<Injection<'a>>,
}

/// What a registry rule puts into a pod.
#[derive(Debug)]
pub struct Injection<'a> {
    /// The rule.
    pub rule: &'a RegistryRule,
    /// Its secrets that were not there, in order; never empty.
    pub secrets: Vec<&'a str>,
}

/// Admitted as it is, admitted with a patch, or refused; never two of them.
#[derive(Debug)]
pub enum Outcome {
    /// Admitted as it is.
    Admit,
    /// Admitted with this patch.
    Inject(Patch),
    /// Refused.
    Reject(Denial),
}

/// What an answer says beside yes or no.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Shown by kubectl.
    pub warnings: Vec<String>,
    /// Put into the audit log; keys as the API server takes them.
    pub audit: BTreeMap<String, String>,
}

/// What the pods of a subject would get.
#[derive(Debug, Default)]
pub struct Preview<'a> {
    /// What is put in.
    pub injections: Vec<Injection<'a>>,
    /// What cannot be put in.
    pub findings: Vec<Finding<'a>>,
}

/// The judgement of `/mutate`: pods that are created get their secrets, and those that built-in controllers create are
/// judged in the same call.
#[must_use]
pub fn mutate<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Mutation<'a> {
    let coverage = Coverage::of(world, subject);
    let ruling = if world.controllers.created(subject) {
        ruling(world, subject, &coverage)
    } else {
        Ruling::admit()
    };
    let mut mutation = Mutation::from(ruling);
    if matches!(mutation.outcome, Outcome::Reject(_)) {
        return mutation;
    }
    let Injected {
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

/// The judgement of `/validate`, and of pods of built-in controllers wherever they are judged.
#[must_use]
pub fn validate<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Ruling<'a> {
    ruling(world, subject, &Coverage::of(world, subject))
}

fn ruling<'a>(world: &World<'a>, subject: &'a Subject<'_>, coverage: &Coverage<'a>) -> Ruling<'a> {
    if let Some(ruling) = guard::policy_document(world, subject) {
        return ruling;
    }
    let mut findings = guard::guard(world, subject, coverage);
    // Whoever applies a workload is there to be told; its pods are made when nobody looks.
    if subject.kind != Kind::Pod && subject.source == Source::Request {
        findings.extend(inject::foresee(world, subject, coverage));
    }
    let mut ruling = Ruling {
        denial: words::denial(world, subject, &findings),
        ..Ruling::admit()
    };
    ruling.notes.add(world, subject, &findings);
    ruling.findings = findings;
    ruling
}

/// The text of a policy that a request is to put into the `ConfigMap` of the policy, where it is such a request.
#[must_use]
pub fn policy_edit<'s>(subject: &'s Subject<'_>) -> Option<&'s str> {
    guard::policy_edit(subject)
}

/// Whether pods of a subject lack a Secret that may be on its way: it often comes in the same `kubectl apply`.
#[must_use]
pub fn lacks_secrets(world: &World<'_>, subject: &Subject<'_>) -> bool {
    let is_asked = subject.kind != Kind::Pod || subject.operation == Operation::Create;
    let is_missing = |finding: &Finding<'_>| {
        let Fault::PullSecret { trouble, .. } = &finding.fault else {
            return false;
        };
        matches!(trouble, Trouble::Missing { .. })
    };
    let coverage = Coverage::of(world, subject);
    is_asked
        && inject::foresee(world, subject, &coverage)
            .iter()
            .any(is_missing)
}

/// What the pods of a subject, be it a Pod or the template of some, would get when they are created.
#[must_use]
pub fn preview<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Preview<'a> {
    inject::preview(world, subject, &Coverage::of(world, subject))
}

impl Ruling<'_> {
    fn admit() -> Self {
        Self {
            denial: None,
            notes: Notes::default(),
            findings: Vec::new(),
        }
    }
}

impl Notes {
    /// Adds what findings have to say that do not deny. Controllers read no warnings: for them all goes to the audit log.
    fn add(&mut self, world: &World<'_>, subject: &Subject<'_>, findings: &[Finding<'_>]) {
        if findings.is_empty() {
            return;
        }
        if !world.controllers.created(subject) {
            self.warnings.extend(words::warnings(subject, findings));
        }
        words::audit(&mut self.audit, findings);
    }
}

impl<'a> From<Ruling<'a>> for Mutation<'a> {
    fn from(ruling: Ruling<'a>) -> Self {
        Self {
            outcome: ruling.denial.map_or(Outcome::Admit, Outcome::Reject),
            notes: ruling.notes,
            findings: ruling.findings,
            injections: Vec::new(),
        }
    }
}
