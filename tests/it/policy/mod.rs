//! The policy: the example of the documentation is good, every fault is told with its place, and the index agrees with
//! the rule of precedence.

mod any_text;
mod faults;
mod limits;
mod rules;
mod schema;

use jiff::civil::{Date, date};
use pullgate::policy::{Loaded, Policy};
use pullgate::text::diagnostic::Severity;

pub(crate) const EXAMPLE: &str = include_str!("../../../src/commands/example-policy.yaml");
const TODAY: Date = date(2026, 11, 22);
const HEAD: &str = "apiVersion: pullgate.dev/v1\nkind: PullPolicy\n";

/// A policy that has to be good.
pub(crate) fn policy(body: &str) -> Policy {
    let loaded = load(body);
    loaded
        .policy
        .unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn load(body: &str) -> Loaded {
    Policy::load(&format!("{HEAD}{body}"), TODAY)
}

/// Each diagnostic as `LINE:COLUMN SEVERITY PATH: MESSAGE (HELP)`; lines count from the body.
fn diagnostics(body: &str) -> Vec<String> {
    let show = |d: pullgate::text::diagnostic::Diagnostic| {
        let severity = if d.severity == Severity::Fault {
            "fault"
        } else {
            "warning"
        };
        let help = d.help.map(|help| format!(" ({help})")).unwrap_or_default();
        format!(
            "{}:{} {severity} {}: {}{help}",
            d.span.line - 2,
            d.span.column,
            d.path,
            d.message
        )
    };
    load(body).diagnostics.into_iter().map(show).collect()
}
