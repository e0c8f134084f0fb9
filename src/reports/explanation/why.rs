//! The reason why a registry rule covers an image and the other rules do not.

use crate::kubelet::image::Image;
use crate::policy::pattern::Host;
use crate::policy::selector::{Match, Namespace};
use crate::policy::{Candidate, Policy, Unmatched};

/// Returns the rule, and the reason why it wins over each other rule, a line each.
pub(super) fn why(
    policy: &Policy,
    image: &Image<'_>,
    namespace: Namespace<'_>,
) -> Vec<(&'static str, String)> {
    let here = namespace.name;
    if policy.exempt(namespace) == Match::Yes {
        return vec![(
            "rule",
            format!("none: namespace {here} is exempt, and left alone"),
        )];
    }
    let candidates = policy.candidates(image, namespace);
    let winner = candidates
        .iter()
        .position(|candidate| candidate.applies != Match::No);
    let mut lines = vec![(
        "rule",
        winner.map_or_else(
            || uncovered(policy, here),
            |number| named(&candidates[number]),
        ),
    )];
    for (number, other) in candidates
        .iter()
        .enumerate()
        .filter(|(number, _)| Some(*number) != winner)
    {
        let reason = match winner {
            Some(winner) if winner < number && other.applies != Match::No => {
                why_before(&candidates[winner], other)
            }
            _ => format!("not in namespace {here}"),
        };
        lines.push(("not", format!("{}: {reason}", named(other))));
    }
    if winner.is_some_and(|number| candidates[number].applies == Match::Unknown) {
        lines.push(("if", format!("the labels of namespace {here} match")));
    }
    lines
}

fn named(candidate: &Candidate<'_>) -> String {
    format!("{} (pattern {})", candidate.rule.name, candidate.pattern)
}

fn uncovered(policy: &Policy, namespace: &str) -> String {
    let then = match policy.unmatched() {
        Unmatched::Allow => "allowed",
        Unmatched::Warn => "admitted with a warning",
        Unmatched::Deny => "refused",
    };
    format!("none covers it in namespace {namespace}: {then} by `unmatched`")
}

/// Returns the difference that decided between two rules that cover the same image.
fn why_before(winner: &Candidate<'_>, loser: &Candidate<'_>) -> String {
    let is_exact = |candidate: &Candidate<'_>| matches!(candidate.pattern.host(), Host::Exact(_));
    let reason = if winner.pattern.path().len() != loser.pattern.path().len() {
        "its path is shorter"
    } else if is_exact(winner) != is_exact(loser) {
        "its host has a `*`"
    } else if winner.pattern.host().literals() != loser.pattern.host().literals() {
        "more of its host is `*`"
    } else if winner.rule.namespaces.is_some() != loser.rule.namespaces.is_some() {
        "it is for all namespaces"
    } else {
        "it comes later in the policy"
    };
    reason.to_owned()
}
