//! The results of a judgement.

use crate::objects::subject::Subject;
use crate::policy::RegistryRule;
use crate::verdict::finding::{Denial, Finding};
use crate::verdict::words;
use crate::verdict::world::World;
use json_patch::Patch;
use std::collections::BTreeMap;

/// The result of a request to `/validate`. It cannot hold a patch.
#[derive(Debug)]
pub struct Ruling<'a> {
    /// The refusal, if the request is refused.
    pub denial: Option<Denial>,
    /// Warnings and audit notes.
    pub notes: Notes,
    /// The findings.
    pub findings: Vec<Finding<'a>>,
}

/// The result of a request to `/mutate`.
#[derive(Debug)]
pub struct Mutation<'a> {
    /// Admission, patch or refusal.
    pub outcome: Outcome,
    /// Warnings and audit notes.
    pub notes: Notes,
    /// The findings.
    pub findings: Vec<Finding<'a>>,
    /// The secrets that the patch adds.
    pub injections: Vec<Injection<'a>>,
}

/// The secrets that a registry rule adds to a pod.
#[derive(Debug)]
pub struct Injection<'a> {
    /// The rule.
    pub rule: &'a RegistryRule,
    /// Its secrets that the pod lacked, in order; never empty.
    pub secrets: Vec<&'a str>,
}

/// Admission as it is, admission with a patch, or refusal; never two of them.
#[derive(Debug)]
pub enum Outcome {
    /// Admit the object as it is.
    Admit,
    /// Admit the object with this patch.
    Inject(Patch),
    /// Refuse the object.
    Reject(Denial),
}

/// The parts of an answer beside the decision.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Warnings, which kubectl shows.
    pub warnings: Vec<String>,
    /// Audit annotations; the keys have the form that the API server accepts.
    pub audit: BTreeMap<String, String>,
}

/// The secrets that the pods of a subject would get.
#[derive(Debug, Default)]
pub struct PodPreview<'a> {
    /// The secrets that would be added.
    pub injections: Vec<Injection<'a>>,
    /// Findings about secrets that cannot be added.
    pub findings: Vec<Finding<'a>>,
}

impl Ruling<'_> {
    /// Admits without any notes.
    pub(super) fn admit() -> Self {
        Self {
            denial: None,
            notes: Notes::default(),
            findings: Vec::new(),
        }
    }
}

impl Notes {
    /// Adds the findings that do not deny. Controllers read no warnings, so for them everything goes to the audit log
    /// only.
    pub(super) fn add(
        &mut self,
        world: &World<'_>,
        subject: &Subject<'_>,
        findings: &[Finding<'_>],
    ) {
        if findings.is_empty() {
            return;
        }
        if !world.controllers.created(subject) {
            self.warnings.extend(words::warnings(subject, findings));
        }
        words::audit(&mut self.audit, findings);
    }
}

impl Mutation<'_> {
    /// Admits without any notes.
    #[must_use]
    pub fn admit() -> Self {
        Ruling::admit().into()
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
