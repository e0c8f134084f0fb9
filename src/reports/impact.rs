//! What an edit of the policy would do to what runs: the same judgement as ever, by the policy before and the one after.

use crate::objects::subject::Subject;
use crate::policy::selector::Match;
use crate::policy::{Policy, Running};
use crate::verdict::finding::{Effect, Finding};
use crate::verdict::words;
use crate::verdict::world::World;
use crate::verdict::{self, JudgedImage};
use std::collections::BTreeSet;

/// How many characters of names one line has; a warning of the API server has 256 in all.
const MAX_NAMES: usize = 150;

/// What an edit comes to; the default has looked at nothing.
#[derive(Debug, Default)]
pub struct Impact {
    looked_at: usize,
    stopped: BTreeSet<String>,
    denied: BTreeSet<String>,
    given: BTreeSet<String>,
    taken: BTreeSet<String>,
    uncovered: BTreeSet<String>,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    All,
    /// Not everything, and why.
    Part(&'static str),
}

impl Impact {
    /// Looks at one workload, as if somebody created it now.
    pub fn add(&mut self, before: &World<'_>, after: &Policy, subject: &Subject<'_>) {
        let after = &World {
            policy: after,
            ..*before
        };
        self.looked_at += 1;
        let (old, new) = (Judged::new(before, subject), Judged::new(after, subject));
        if new.is_stopped && !old.is_stopped {
            self.stopped.insert(subject.to_string());
        }
        if new.is_denied && !old.is_denied {
            self.denied.insert(subject.to_string());
        }
        note(
            &mut self.given,
            subject,
            new.secrets.difference(&old.secrets),
        );
        note(
            &mut self.taken,
            subject,
            old.secrets.difference(&new.secrets),
        );
        let uncovered = new.uncovered.difference(&old.uncovered);
        self.uncovered.extend(uncovered.map(ToString::to_string));
    }

    /// What there is to say, a line each, as warnings of an admission answer.
    #[must_use]
    pub fn warnings(&self, extent: Extent) -> Vec<String> {
        let of_workloads = ["workload", "workloads"];
        let lines = [
            line(&self.stopped, of_workloads, "would get no new pods"),
            line(
                &self.denied,
                of_workloads,
                "would be denied if created anew",
            ),
            line(
                &self.given,
                of_workloads,
                "would newly get pull secrets with the next pod",
            ),
            line(
                &self.taken,
                of_workloads,
                "would no longer get pull secrets with the next pod",
            ),
            line(
                &self.uncovered,
                ["image", "images"],
                "would no longer be covered by a rule",
            ),
        ];
        let mut told: Vec<_> = lines.into_iter().flatten().collect();
        let looked_at = match extent {
            Extent::All => format!("all workloads looked at: {}", self.looked_at),
            Extent::Part(why) => format!("not all workloads looked at, {why}: {}", self.looked_at),
        };
        if told.is_empty() {
            told.push(format!(
                "no workload is newly denied, injected or uncovered ({looked_at})"
            ));
        } else {
            told.push(looked_at);
        }
        words::within_limits(told.into_iter(), 0)
    }
}

/// What matters of the judgement of a workload.
struct Judged<'a> {
    is_denied: bool,
    /// Whether also the pods are denied that controllers make for it.
    is_stopped: bool,
    secrets: BTreeSet<&'a str>,
    uncovered: BTreeSet<&'a str>,
}

impl<'a> Judged<'a> {
    fn new(world: &World<'a>, subject: &'a Subject<'_>) -> Self {
        let ruling = verdict::validate(world, subject);
        let stops = |finding: &Finding<'_>| {
            let ban = finding.fault.ban();
            finding.effect == Effect::Deny && ban.is_some_and(|ban| ban.running == Running::Deny)
        };
        let injections = verdict::preview(world, subject).injections.into_iter();
        Self {
            is_denied: ruling.denial.is_some(),
            is_stopped: ruling.findings.iter().any(stops),
            secrets: injections.flat_map(|injection| injection.secrets).collect(),
            uncovered: uncovered(world, subject),
        }
    }
}

fn note<'s>(
    found: &mut BTreeSet<String>,
    subject: &Subject<'_>,
    secrets: impl Iterator<Item = &'s &'s str>,
) {
    let secrets: Vec<&str> = secrets.copied().collect();
    if !secrets.is_empty() {
        found.insert(format!("{subject} ({})", secrets.join(", ")));
    }
}

/// The images of a subject that no rule covers.
fn uncovered<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> BTreeSet<&'a str> {
    if world.policy.exempt(world.namespace(subject)) == Match::Yes {
        return BTreeSet::new();
    }
    let images = verdict::images(world, subject).into_iter();
    let is_uncovered = |image: &JudgedImage<'_>| !image.is_covered;
    images
        .filter(is_uncovered)
        .map(|image| &*image.used.image)
        .collect()
}

fn line(found: &BTreeSet<String>, [one, more]: [&str; 2], what: &str) -> Option<String> {
    let count = found.len();
    let noun = if count == 1 { one } else { more };
    if count == 0 {
        return None;
    }
    let mut names = String::new();
    let mut untold = count;
    for name in found {
        if !names.is_empty() && names.len() + name.len() > MAX_NAMES {
            break;
        }
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(name);
        untold -= 1;
    }
    let rest = if untold > 0 {
        format!(" and {untold} more")
    } else {
        String::new()
    };
    Some(format!("{count} {noun} {what}: {names}{rest}"))
}
