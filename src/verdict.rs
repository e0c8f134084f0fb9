//! The judgement: what becomes of a subject. `serve` and everything else that judges calls these two functions.

mod guard;
mod inject;
mod references;

use crate::facts::Facts;
use crate::finding::Finding;
use crate::policy::Policy;
use crate::selector::Namespace;
use crate::subject::{Operation, Subject};
use crate::words;
use jiff::civil::Date;
use json_patch::Patch;
use std::collections::BTreeMap;

/// All that a judgement depends on beside its subject.
#[derive(Debug, Clone, Copy)]
pub struct World<'w> {
    /// The policy.
    pub policy: &'w Policy,
    /// What is known about the cluster.
    pub facts: &'w Facts,
    /// Whose creations are part of workloads that were judged before.
    pub controllers: &'w Controllers,
    /// The day (UTC).
    pub today: Date,
}

/// The users as which built-in controllers create objects.
#[derive(Debug, Clone)]
pub struct Controllers {
    extra: Vec<String>,
}

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

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What whoever asked is told.
    pub message: String,
    /// Field and sentence of each finding that denies.
    pub causes: Vec<(String, String)>,
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
    ruling.notes.audit.extend(injected.audit);
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

impl<'w> World<'w> {
    /// The namespace of a subject, with what is known of its labels.
    #[must_use]
    pub fn namespace(&self, subject: &'w Subject<'_>) -> Namespace<'w> {
        Namespace {
            name: &subject.namespace,
            labels: self.facts.labels(&subject.namespace),
        }
    }
}

impl Controllers {
    /// The service accounts of kube-controller-manager's controllers that create pods and what makes pods, as they are
    /// with `--use-service-account-credentials`, which every distribution sets.
    const BUILT_IN: [&'static str; 7] = [
        "deployment",
        "replicaset",
        "replication",
        "statefulset",
        "daemon-set",
        "job",
        "cronjob",
    ];
    /// Its identity without that flag.
    const MANAGER: &'static str = "system:kube-controller-manager";

    /// The built-in controllers, and these users.
    #[must_use]
    pub fn new(extra: Vec<String>) -> Self {
        Self { extra }
    }

    /// Whether the subject is created by one of them for an object that it controls. The identity of the caller decides:
    /// anyone can write an ownerReference.
    #[must_use]
    pub fn created(&self, subject: &Subject<'_>) -> bool {
        subject.operation == Operation::Create
            && subject.object.metadata.controller.is_some()
            && (is_built_in(&subject.user) || self.extra.iter().any(|user| *user == subject.user))
    }
}

fn is_built_in(user: &str) -> bool {
    let controller = user
        .strip_prefix("system:serviceaccount:kube-system:")
        .and_then(|user| user.strip_suffix("-controller"));
    user == Controllers::MANAGER
        || controller.is_some_and(|name| Controllers::BUILT_IN.contains(&name))
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
