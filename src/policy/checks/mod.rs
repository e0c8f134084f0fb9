//! Faults and warnings that only show across the entries of a document. Each check takes time in proportion to the
//! document, or has an [`Effort`] that ends it.

mod banned;
#[cfg(test)]
mod growth;
mod labels;
mod limits;
mod report;
mod same_patterns;
mod selection;

use crate::policy::document::{At, Document, ExceptionEntry};
use crate::policy::effort::{Effort, Ended};
use crate::policy::loading::Loading;
use crate::text::diagnostic::{Diagnostic, Severity, Span};
use crate::text::suggest::nearest;
use jiff::civil::Date;
use report::{Report, Unfinished};
use selection::{LabelNumbers, Rule, Selection};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::AtomicBool;

/// The most pairs of characters that are compared to find the ban that an unknown name was meant to be: about a
/// millisecond of work.
const MAX_SUGGESTING: usize = 200_000;

/// The most bytes that each check compares: less than a second of work, and more than a policy that a person writes
/// needs.
const MAX_COMPARED: usize = 500_000_000;

/// Returns the faults and warnings of a document as a whole.
pub(super) fn run(document: &Document, loading: &Loading<'_>) -> Vec<Diagnostic> {
    let mut report = Report::default();
    limits::check(document, loading.purpose, &mut report);
    let names = document.registries.iter().map(|rule| &rule.value.name);
    twice(names, "registry rule", &mut report);
    twice(
        document.bans.iter().map(|ban| &ban.value.name),
        "ban",
        &mut report,
    );
    for rule in &document.registries {
        twice(rule.value.images.iter(), "pattern", &mut report);
        twice(rule.value.secrets.iter().flatten(), "secret", &mut report);
    }
    instead_of_nothing(document, &mut report);
    unknown_bans(document, &mut report);
    for exception in &document.exceptions {
        expired(&exception.value, loading.today, &mut report);
    }
    labels::check(document, loading.today, &mut report);
    let efforts = Efforts::new(MAX_COMPARED, loading.stop);
    if compare(document, loading.today, &efforts, &mut report) == Err(Ended::Stopped) {
        report.diagnostics.push(too_long());
    }
    report.diagnostics
}

/// The efforts of the checks that compare entries.
struct Efforts<'s> {
    banned: Effort<'s>,
    same_patterns: Effort<'s>,
    exempt: Effort<'s>,
}

impl<'s> Efforts<'s> {
    fn new(limit: usize, stop: Option<&'s AtomicBool>) -> Self {
        let effort = || Effort::new(limit, stop);
        Self {
            banned: effort(),
            same_patterns: effort(),
            exempt: effort(),
        }
    }
}

/// Runs the checks that compare entries with each other.
fn compare(
    document: &Document,
    today: Date,
    efforts: &Efforts<'_>,
    report: &mut Report,
) -> Result<(), Ended> {
    let mut numbers = LabelNumbers::new();
    efforts.banned.spend(0)?;
    let rules = document.registries.iter();
    let rules: Vec<_> = rules
        .map(|entry| Rule {
            entry: &entry.value,
            selection: entry
                .value
                .namespaces
                .as_ref()
                .map(|selector| Selection::of(selector, &mut numbers)),
        })
        .collect();
    let exceptions = document.exceptions.iter();
    let exceptions: Vec<_> = exceptions
        .map(|exception| Selection::of(&exception.value.namespaces, &mut numbers))
        .collect();
    let exempt = document.exempt.as_ref();
    let exempt = exempt.map(|exempt| Selection::of(&exempt.value.namespaces, &mut numbers));
    let lifting = banned::Lifted {
        exceptions: &exceptions,
        exempt: exempt.as_ref(),
    };
    let result = banned::check(document, &rules, &lifting, today, &efforts.banned, report);
    told(
        result,
        "not all secrets of rules are compared with the bans from here on: that would take too long",
        report,
    )?;
    let result = same_patterns::check(&rules, &efforts.same_patterns, report);
    told(
        result,
        "not all rules with the same pattern are compared from here on: that would take too long",
        report,
    )?;
    if let Some(exempt) = &exempt {
        let result = in_exempt_namespaces(document, &rules, exempt, &efforts.exempt, report);
        told(
            result,
            "not all rules are compared with the exempt namespaces from here on: that would take too long",
            report,
        )?;
    }
    Ok(())
}

/// Adds a warning if a check ended early, unless the caller no longer wants an answer.
fn told(result: Result<(), Unfinished>, message: &str, report: &mut Report) -> Result<(), Ended> {
    match result {
        Err(unfinished) if unfinished.ended == Ended::Exhausted => {
            report.diagnostics.push(unfinished.warning(message));
            Ok(())
        }
        other => other.map_err(|unfinished| unfinished.ended),
    }
}

/// Returns the fault for checks that the caller ended.
fn too_long() -> Diagnostic {
    Diagnostic {
        severity: Severity::Fault,
        path: String::new(),
        span: Span {
            line: 1,
            column: 1,
            ..Span::default()
        },
        message: "the policy took too long to check".to_owned(),
        help: Some("try again; if that does not help, make the policy smaller".to_owned()),
    }
}

/// Adds a fault for each ban that an exception names and that does not exist.
fn unknown_bans(document: &Document, report: &mut Report) {
    let bans = document.bans.iter();
    let bans: Vec<&str> = bans.map(|ban| ban.value.name.value.as_str()).collect();
    let known: HashSet<&str> = bans.iter().copied().collect();
    let length: usize = bans.iter().map(|name| name.len()).sum();
    let mut left = MAX_SUGGESTING;
    let mut suggest = |name: &str| {
        left = left.checked_sub(name.len() * length)?;
        nearest(name, &bans)
    };
    let exceptions = document.exceptions.iter();
    let named = exceptions.flat_map(|exception| exception.value.bans.iter().flatten());
    for name in named.filter(|name| !known.contains(name.value.as_str())) {
        let help = suggest(&name.value).map(|known| format!("did you mean `{known}`?"));
        report.add(name.diagnose(
            Severity::Fault,
            format!("no ban has the name `{}`", name.value),
            help,
        ));
    }
}

/// Adds a fault for the second of two equal values.
fn twice<'d, T>(values: impl Iterator<Item = &'d At<T>>, what: &str, report: &mut Report)
where
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
            report.add(at.diagnose(Severity::Fault, message, Some(help)));
        }
    }
}

fn in_exempt_namespaces(
    document: &Document,
    rules: &[Rule<'_>],
    exempt: &Selection<'_>,
    effort: &Effort<'_>,
    report: &mut Report,
) -> Result<(), Unfinished> {
    for (entry, rule) in document.registries.iter().zip(rules) {
        let name = &rule.entry.name;
        let covers = match &rule.selection {
            Some(selection) => exempt.covers(selection, effort),
            None => Ok(exempt.is_everything()),
        };
        if covers.map_err(|ended| Unfinished::at(ended, name))? {
            let message = format!(
                "rule `{}` can never apply: all its namespaces are exempt",
                name.value
            );
            report.add(Diagnostic {
                span: entry.span,
                ..name.diagnose(Severity::Warning, message, None)
            });
        }
    }
    Ok(())
}

fn instead_of_nothing(document: &Document, report: &mut Report) {
    let injected: HashSet<_> = document
        .registries
        .iter()
        .flat_map(|rule| rule.value.secrets.iter().flatten())
        .map(|at| &at.value)
        .collect();
    for instead in document
        .bans
        .iter()
        .filter_map(|ban| ban.value.instead.as_ref())
    {
        if !injected.contains(&instead.value) {
            let message = format!("no registry rule injects `{}`", instead.value);
            let help = "a user who follows this advice has to list the secret by hand; add a rule, or name an injected secret";
            report.add(instead.diagnose(Severity::Warning, message, Some(help.to_owned())));
        }
    }
}

fn expired(exception: &ExceptionEntry, today: Date, report: &mut Report) {
    if exception.expires.value < today {
        let message = format!(
            "the exception expired on {}: it lifts nothing any more",
            exception.expires.value
        );
        let help = "remove it, or give it a new date".to_owned();
        report.add(
            exception
                .expires
                .diagnose(Severity::Warning, message, Some(help)),
        );
    }
}
