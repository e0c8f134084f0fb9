//! What a judgement comes to.

use crate::objects::subject::Subject;
use crate::policy::RegistryRule;
use crate::verdict::finding::{Denial, Finding};
use crate::verdict::words;
use crate::verdict::world::World;
use json_patch::Patch;
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
pub struct PodPreview<'a> {
    /// What is put in.
    pub injections: Vec<Injection<'a>>,
    /// What cannot be put in.
    pub findings: Vec<Finding<'a>>,
}

impl Ruling<'_> {
    /// Admits without a word.
    pub(super) fn admit() -> Self {
        Self {
            denial: None,
            notes: Notes::default(),
            findings: Vec::new(),
        }
    }
}

impl Notes {
    /// Adds what findings have to say that do not deny. Controllers read no warnings: for them all goes to the audit log.
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
    /// Admits without a word.
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
