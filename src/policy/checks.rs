//! Faults and warnings that only show across the entries of a document.

use crate::policy::document::{
    At, BanEntry, Document, ExceptionEntry, Mode, NamespaceSelector, RegistryEntry,
};
use crate::policy::pattern::ImagePattern;
use crate::text::diagnostic::{Diagnostic, Severity, Span};
use crate::text::glob::Glob;
use crate::text::suggest::nearest;
use jiff::civil::Date;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Looking for what was meant takes long where there are many bans.
const MAX_SUGGESTIONS: usize = 20;

/// Adds what is wrong with a document as a whole.
pub(super) fn run(document: &Document, today: Date, diagnostics: &mut Vec<Diagnostic>) {
    let rules: Vec<_> = document
        .registries
        .iter()
        .map(|entry| &entry.value)
        .collect();
    twice(
        rules.iter().map(|rule| &rule.name),
        "registry rule",
        diagnostics,
    );
    twice(
        document.bans.iter().map(|ban| &ban.value.name),
        "ban",
        diagnostics,
    );
    for rule in &rules {
        twice(rule.images.iter(), "pattern", diagnostics);
        twice(rule.secrets.iter().flatten(), "secret", diagnostics);
        banned_secrets(document, rule, today, diagnostics);
    }
    same_patterns(&rules, diagnostics);
    for (entry, rule) in document.registries.iter().zip(&rules) {
        in_exempt_namespaces(document, entry.span, rule, diagnostics);
    }
    instead_of_nothing(document, &rules, diagnostics);
    unknown_bans(document, diagnostics);
    for exception in &document.exceptions {
        expired(&exception.value, today, diagnostics);
    }
}

/// A ban that an exception names, and that is not there, is a fault.
fn unknown_bans(document: &Document, diagnostics: &mut Vec<Diagnostic>) {
    let bans = document.bans.iter();
    let bans: Vec<&str> = bans.map(|ban| ban.value.name.value.as_str()).collect();
    let known: HashSet<&str> = bans.iter().copied().collect();
    let mut suggestions = 0..MAX_SUGGESTIONS;
    let exceptions = document.exceptions.iter();
    let named = exceptions.flat_map(|exception| exception.value.bans.iter().flatten());
    for name in named.filter(|name| !known.contains(name.value.as_str())) {
        let help = suggestions.next().and_then(|_| nearest(&name.value, &bans));
        let help = help.map(|known| format!("did you mean `{known}`?"));
        diagnostics.push(name.diagnose(
            Severity::Fault,
            format!("there is no ban `{}`", name.value),
            help,
        ));
    }
}

/// The second of two equal values is a fault.
fn twice<'d, T>(
    values: impl Iterator<Item = &'d At<T>>,
    what: &str,
    diagnostics: &mut Vec<Diagnostic>,
) where
    T: Eq + Hash + std::fmt::Display + 'd,
{
    let mut seen = HashMap::new();
    for at in values {
        if let Some(first) = seen.insert(&at.value, at) {
            let message = format!("the {what} `{}` is there twice", at.value);
            let help = format!(
                "the other one is on line {}: keep one of them",
                first.span.line
            );
            diagnostics.push(at.diagnose(Severity::Fault, message, Some(help)));
        }
    }
}

/// A rule that would inject what a ban refuses.
fn banned_secrets(
    document: &Document,
    rule: &RegistryEntry,
    today: Date,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for secret in rule.secrets.iter().flatten() {
        let bans_it = |ban: &&BanEntry| {
            let mut globs = ban.secrets.iter().flatten();
            ban.mode == Mode::Enforce && globs.any(|glob| glob.value.matches(secret.value.as_str()))
        };
        for ban in document
            .bans
            .iter()
            .map(|entry| &entry.value)
            .filter(bans_it)
        {
            // A policy that was good must not become bad by the passing of time.
            let lifted_from = |day| is_lifted(document, ban, rule, day);
            let (severity, why) = match (lifted_from(Date::MIN), lifted_from(today)) {
                (_, true) => continue,
                (true, false) => (
                    Severity::Warning,
                    "an exception allowed to inject it, and has expired",
                ),
                (false, false) => (
                    Severity::Fault,
                    "the rule would inject what the ban refuses",
                ),
            };
            let message = format!(
                "`{}` is banned by `{}`: {why}",
                secret.value, ban.name.value
            );
            let help = "inject another secret, or lift the ban for the namespaces of this rule by an exception";
            diagnostics.push(secret.diagnose(severity, message, Some(help.to_owned())));
        }
    }
}

/// Whether a ban is lifted wherever a rule exists, by exceptions that hold on a day or later, or does not concern it.
fn is_lifted(document: &Document, ban: &BanEntry, rule: &RegistryEntry, day: Date) -> bool {
    let lifts = |exception: &&ExceptionEntry| {
        exception.expires.value >= day
            && exception
                .bans
                .iter()
                .flatten()
                .any(|name| name.value == ban.name.value)
    };
    let exceptions = document
        .exceptions
        .iter()
        .map(|entry| &entry.value)
        .filter(lifts);
    let exempt = document.exempt.iter().map(|exempt| &exempt.namespaces);
    let lifted: Vec<_> = exceptions
        .map(|exception| &exception.namespaces)
        .chain(exempt)
        .collect();
    // One exception for each name of the rule is as good as one for all of them.
    let whole = || {
        lifted
            .iter()
            .any(|selector| selector.covers(rule.namespaces.as_ref()))
    };
    let each = |selector: &NamespaceSelector| {
        let only = |glob: &Glob| NamespaceSelector {
            names: Some(vec![glob.clone()]),
            labels: selector.labels.clone(),
        };
        let mut parts = selector.names.iter().flatten().map(only);
        selector.names.is_some()
            && parts.all(|part| lifted.iter().any(|selector| selector.covers(Some(&part))))
    };
    whole() || rule.namespaces.as_ref().is_some_and(each)
}

/// Rules of one pattern: a fault without `namespaces`, a warning where they can overlap or one is never reached.
fn same_patterns(rules: &[&RegistryEntry], diagnostics: &mut Vec<Diagnostic>) {
    let mut by_pattern: HashMap<&ImagePattern, Vec<(&At<ImagePattern>, &RegistryEntry)>> =
        HashMap::new();
    for rule in rules {
        for image in &rule.images {
            by_pattern
                .entry(&image.value)
                .or_default()
                .push((image, rule));
        }
    }
    for uses in by_pattern.values() {
        for (number, (at, rule)) in uses.iter().enumerate() {
            let (earlier, later) = uses.split_at(number);
            let others = || {
                earlier
                    .iter()
                    .map(|(_, other)| *other)
                    .filter(|other| !std::ptr::eq(*other, *rule))
            };
            let look = |is_bound: bool| {
                let mut bound = others().filter(|other| other.namespaces.is_some() == is_bound);
                bound.find_map(|other| clash(at, other, rule))
            };
            // A fault must not hide behind a warning.
            diagnostics.extend(look(false).or_else(|| look(true)));
            let hidden = later
                .iter()
                .find(|(_, other)| hides_everywhere(other, rule));
            diagnostics.extend(hidden.map(|(_, other)| never_reached(at, other)));
        }
    }
}

fn clash(
    at: &At<ImagePattern>,
    earlier: &RegistryEntry,
    rule: &RegistryEntry,
) -> Option<Diagnostic> {
    match (&earlier.namespaces, &rule.namespaces) {
        (None, None) => {
            let message = format!(
                "the pattern `{}` is in rule `{}` already",
                at.value, earlier.name.value
            );
            let help = "give one of the rules `namespaces`, or keep one of them".to_owned();
            Some(at.diagnose(Severity::Fault, message, Some(help)))
        }
        (Some(first), None) => (first.covers(None)).then(|| never_reached(at, earlier)),
        (Some(first), Some(second)) if first.covers(Some(second)) => {
            Some(never_reached(at, earlier))
        }
        (Some(first), Some(second)) if first.may_overlap(second) => {
            Some(overlap(at, earlier, rule))
        }
        _ => None,
    }
}

/// A later rule for all namespaces comes before an earlier one without `namespaces`.
fn hides_everywhere(later: &RegistryEntry, rule: &RegistryEntry) -> bool {
    rule.namespaces.is_none()
        && later
            .namespaces
            .as_ref()
            .is_some_and(|selector| selector.covers(None))
}

fn never_reached(at: &At<ImagePattern>, winner: &RegistryEntry) -> Diagnostic {
    let message = format!(
        "this can never apply: rule `{}` has the same pattern and wins everywhere",
        winner.name.value
    );
    at.diagnose(
        Severity::Warning,
        message,
        Some("remove the pattern here, or narrow the other rule".to_owned()),
    )
}

fn overlap(at: &At<ImagePattern>, earlier: &RegistryEntry, rule: &RegistryEntry) -> Diagnostic {
    let (first, second) = (&earlier.name, &rule.name);
    let message = format!(
        "rules `{}` and `{}` have this pattern and namespaces that can overlap",
        first.value, second.value
    );
    at.diagnose(
        Severity::Warning,
        message,
        Some("where both match, the one that comes first in the document wins".to_owned()),
    )
}

fn in_exempt_namespaces(
    document: &Document,
    span: Span,
    rule: &RegistryEntry,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(exempt) = document.exempt.as_ref().map(|exempt| &exempt.namespaces) else {
        return;
    };
    if exempt.covers(rule.namespaces.as_ref()) {
        let name = &rule.name;
        let message = format!(
            "rule `{}` can never apply: all its namespaces are exempt",
            name.value
        );
        diagnostics.push(Diagnostic {
            span,
            ..name.diagnose(Severity::Warning, message, None)
        });
    }
}

fn instead_of_nothing(
    document: &Document,
    rules: &[&RegistryEntry],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let injected: HashSet<_> = rules
        .iter()
        .flat_map(|rule| rule.secrets.iter().flatten())
        .map(|at| &at.value)
        .collect();
    for instead in document
        .bans
        .iter()
        .filter_map(|ban| ban.value.instead.as_ref())
    {
        if !injected.contains(&instead.value) {
            let message = format!("no registry rule injects `{}`", instead.value);
            let help = "whoever follows this advice has to list the secret by hand; add a rule, or name an injected one";
            diagnostics.push(instead.diagnose(Severity::Warning, message, Some(help.to_owned())));
        }
    }
}

fn expired(exception: &ExceptionEntry, today: Date, diagnostics: &mut Vec<Diagnostic>) {
    if exception.expires.value < today {
        let message = format!(
            "the exception expired on {}: it lifts nothing any more",
            exception.expires.value
        );
        let help = "remove it, or give it a new date".to_owned();
        diagnostics.push(
            exception
                .expires
                .diagnose(Severity::Warning, message, Some(help)),
        );
    }
}
