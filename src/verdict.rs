//! The judgement: what becomes of a subject. `serve` and everything else that judges calls these two functions.

mod guard;
mod inject;
mod references;

use crate::finding::{Denial, Finding};
use crate::subject::Subject;
use crate::words;
use crate::world::World;
use json_patch::Patch;
use std::collections::BTreeMap;

/// What becomes of a request to `/validate`. It cannot hold a patch.
#[derive(Debug)]
pub struct Ruling {
    /// Why it is refused, if it is.
    pub denial: Option<Denial>,
    /// What else is said.
    pub notes: Notes,
}

/// What becomes of a request to `/mutate`.
#[derive(Debug)]
pub struct Mutation {
    /// What becomes of it.
    pub outcome: Outcome,
    /// What else is said.
    pub notes: Notes,
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

/// The judgement of `/mutate`: pods that are created get their secrets, and those that built-in controllers create are
/// judged in the same call.
#[must_use]
pub fn mutate(world: &World<'_>, subject: &Subject<'_>) -> Mutation {
    let mut ruling = if world.controllers.created(subject) {
        validate(world, subject)
    } else {
        Ruling::admit()
    };
    if let Some(denial) = ruling.denial {
        return Mutation {
            outcome: Outcome::Reject(denial),
            notes: ruling.notes,
        };
    }
    let injected = inject::inject(world, subject);
    let findings = injected.findings;
    ruling.notes.add(world, subject, &findings);
    for (key, value) in injected.audit {
        words::note(&mut ruling.notes.audit, key, &value);
    }
    Mutation {
        outcome: injected.patch.map_or(Outcome::Admit, Outcome::Inject),
        notes: ruling.notes,
    }
}

/// The judgement of `/validate`, and of pods of built-in controllers wherever they are judged.
#[must_use]
pub fn validate(world: &World<'_>, subject: &Subject<'_>) -> Ruling {
    if let Some(ruling) = guard::policy_document(world, subject) {
        return ruling;
    }
    let findings = guard::guard(world, subject);
    let mut ruling = Ruling {
        denial: words::denial(world, subject, &findings),
        notes: Notes::default(),
    };
    ruling.notes.add(world, subject, &findings);
    ruling
}

impl Ruling {
    fn admit() -> Self {
        Self {
            denial: None,
            notes: Notes::default(),
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

impl From<Ruling> for Mutation {
    fn from(ruling: Ruling) -> Self {
        let outcome = ruling.denial.map_or(Outcome::Admit, Outcome::Reject);
        Self {
            outcome,
            notes: ruling.notes,
        }
    }
}
