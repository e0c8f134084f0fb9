//! The effect of a policy edit on workloads that exist: each is judged by the policy before and by the policy after.

use crate::objects::subject::Subject;
use crate::policy::selector::Match;
use crate::policy::{Policy, Running};
use crate::verdict::finding::{Effect, Finding};
use crate::verdict::words;
use crate::verdict::world::World;
use crate::verdict::{self, JudgedImage};
use std::collections::BTreeSet;

/// The most characters of names in a line. The API server cuts a warning to 256 characters.
const MAX_NAMES: usize = 150;

/// The effect of an edit. The default has looked at no workload.
#[derive(Debug, Default)]
pub struct Impact {
    looked_at: usize,
    stopped: BTreeSet<String>,
    denied: BTreeSet<String>,
    given: BTreeSet<String>,
    taken: BTreeSet<String>,
    uncovered: BTreeSet<String>,
}

/// The share of the workloads that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All workloads.
    All,
    /// Some of them, and the reason.
    Part(&'static str),
}

impl Impact {
    /// Judges a workload as if a user created it now.
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

    /// The effects as warnings of an admission answer, a line each.
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

/// The parts of a judgement that a preview compares.
struct Judged<'a> {
    is_denied: bool,
    /// Whether pods that controllers make for it are denied too.
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
