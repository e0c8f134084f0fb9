//! What an edit of the policy would do to what runs: the same judgement as ever, by the policy before and the one after.

use crate::image::Image;
use crate::policy::Policy;
use crate::selector::Match;
use crate::subject::{Kind, Subject};
use crate::verdict;
use crate::words;
use crate::world::World;
use std::collections::BTreeSet;

/// How many characters of names one line has; a warning of the API server has 256 in all.
const MAX_NAMES: usize = 150;

/// What an edit comes to; the default has looked at nothing.
#[derive(Debug, Default)]
pub struct Impact {
    looked_at: usize,
    denied: BTreeSet<String>,
    injected: BTreeSet<String>,
    uncovered: BTreeSet<String>,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    All,
    /// The time was up before.
    Part,
}

/// Whether names are told: they are not for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Numbers, and the first names.
    Names,
    /// Numbers alone.
    Numbers,
}

impl Impact {
    /// Looks at one workload, as if somebody created it now.
    pub fn add(&mut self, before: &World<'_>, after: &Policy, subject: &Subject<'_>) {
        let after = &World {
            policy: after,
            ..*before
        };
        self.looked_at += 1;
        let is_denied = |world| verdict::validate(world, subject).denial.is_some();
        if is_denied(after) && !is_denied(before) {
            self.denied.insert(subject.to_string());
        }
        let known = injected(before, subject);
        let new: Vec<_> = injected(after, subject)
            .into_iter()
            .filter(|secret| !known.contains(secret))
            .collect();
        if !new.is_empty() {
            self.injected
                .insert(format!("{subject} ({})", new.join(", ")));
        }
        let covered = uncovered(before, subject);
        let uncovered = uncovered(after, subject);
        self.uncovered
            .extend(uncovered.difference(&covered).map(ToString::to_string));
    }

    /// What there is to say, a line each, as warnings of an admission answer.
    #[must_use]
    pub fn warnings(&self, extent: Extent, detail: Detail) -> Vec<String> {
        let lines = [
            line(
                &self.denied,
                ["running workload", "running workloads"],
                "would be denied if created anew",
                detail,
            ),
            line(
                &self.injected,
                ["running workload", "running workloads"],
                "would newly get pull secrets with the next pod",
                detail,
            ),
            line(
                &self.uncovered,
                ["image", "images"],
                "would no longer be covered by a rule",
                detail,
            ),
        ];
        let mut told: Vec<_> = lines.into_iter().flatten().collect();
        let looked_at = match extent {
            Extent::All => format!("all workloads looked at: {}", self.looked_at),
            Extent::Part => format!(
                "not all workloads looked at, the time was up: {}",
                self.looked_at
            ),
        };
        if told.is_empty() {
            told.push(format!(
                "this edit changes nothing for running workloads ({looked_at})"
            ));
        } else {
            told.push(looked_at);
        }
        words::within_limits(told.into_iter(), 0)
    }
}

/// The secrets that the pods of a subject get.
fn injected<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Vec<&'a str> {
    let preview = verdict::preview(world, subject);
    let injections = preview.injections.into_iter();
    injections.flat_map(|injection| injection.secrets).collect()
}

/// The images of a subject that no rule covers; those that cannot be parsed are nobody's news.
fn uncovered<'a>(world: &World<'_>, subject: &'a Subject<'_>) -> BTreeSet<&'a str> {
    let namespace = world.namespace(subject);
    if world.policy.exempt(namespace) == Match::Yes {
        return BTreeSet::new();
    }
    let images = subject.object.pod.iter().flat_map(|pod| &pod.images);
    let is_uncovered = |image: &&str| {
        Image::parse(image).is_ok_and(|image| world.policy.rule_for(&image, namespace).is_none())
    };
    images
        .map(|used| &*used.image)
        .filter(is_uncovered)
        .collect()
}

fn line(
    found: &BTreeSet<String>,
    [one, more]: [&str; 2],
    what: &str,
    detail: Detail,
) -> Option<String> {
    let count = found.len();
    let noun = if count == 1 { one } else { more };
    if count == 0 {
        return None;
    }
    if detail == Detail::Numbers {
        return Some(format!("{count} {noun} {what}"));
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

/// Whether a workload is looked at: what another that is looked at controls is part of that one.
#[must_use]
pub fn is_of_its_own(subject: &Subject<'_>) -> bool {
    let controller = subject.object.metadata.controller.as_ref();
    controller.is_none_or(|(kind, _)| {
        let groups = ["", "apps", "batch"];
        groups
            .iter()
            .all(|group| Kind::of(group, kind) == Kind::Other)
    })
}
