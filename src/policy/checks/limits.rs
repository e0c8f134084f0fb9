//! The limits of a policy.

use super::report::Report;
use crate::policy::document::{Document, NamespaceSelector};
use crate::policy::loading::Purpose;
use crate::text::diagnostic::{Diagnostic, Severity, Span};

/// The most registry rules of a policy.
const MAX_RULES: usize = 10_000;
/// The most image patterns of all its rules.
const MAX_PATTERNS: usize = 100_000;
/// The most globs of namespace names, in rules, exceptions and `exempt`.
const MAX_NAMESPACE_GLOBS: usize = 20_000;

/// A place of a document, and the number that it adds to a count.
struct Share {
    count: usize,
    path: String,
    span: Span,
}

/// Checks the limits. An edit above a limit gets a fault. A policy in force gets a warning: an upgrade must not take it
/// out of force.
pub(super) fn check(document: &Document, purpose: Purpose, report: &mut Report) {
    let rules = document.registries.iter();
    let share = |count, path: &str, span| Share {
        count,
        path: path.to_owned(),
        span,
    };
    let patterns = rules.clone().map(|rule| {
        let path = format!("{}.images", rule.path);
        share(rule.value.images.len(), &path, rule.span)
    });
    let globs = |selector: Option<&NamespaceSelector>, path: &str, span| {
        let names = selector.and_then(|selector| selector.names.as_ref());
        let path = format!("{path}.namespaces.names");
        share(names.map_or(0, Vec::len), &path, span)
    };
    let of_rules = rules
        .clone()
        .map(|rule| globs(rule.value.namespaces.as_ref(), &rule.path, rule.span));
    let of_exceptions = document.exceptions.iter();
    let of_exceptions =
        of_exceptions.map(|entry| globs(Some(&entry.value.namespaces), &entry.path, entry.span));
    let of_exempt = document.exempt.iter();
    let of_exempt =
        of_exempt.map(|exempt| globs(Some(&exempt.value.namespaces), &exempt.path, exempt.span));
    let all_globs = of_rules.chain(of_exceptions).chain(of_exempt);
    let rules = rules.map(|rule| share(1, &rule.path, rule.span));
    let above = [
        above(rules, MAX_RULES, "registry rules"),
        above(patterns, MAX_PATTERNS, "image patterns"),
        above(all_globs, MAX_NAMESPACE_GLOBS, "globs of namespaces"),
    ];
    for (at, message) in above.into_iter().flatten() {
        report.add(Diagnostic {
            severity: match purpose {
                Purpose::Edit => Severity::Fault,
                Purpose::InForce => Severity::Warning,
            },
            path: at.path,
            span: at.span,
            message,
            help: Some("merge some, or remove what is no longer used".to_owned()),
        });
    }
}

/// Returns the place at which a limit is passed.
fn above(
    mut shares: impl Iterator<Item = Share>,
    limit: usize,
    of: &str,
) -> Option<(Share, String)> {
    let mut count = 0;
    let at = shares.find(|share| {
        count += share.count;
        count > limit
    })?;
    let all = count + shares.map(|share| share.count).sum::<usize>();
    Some((at, format!("{all} {of}; a policy has at most {limit}")))
}
