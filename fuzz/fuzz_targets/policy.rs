//! Any text is a policy or has faults, and each fault can be shown.
#![cfg_attr(feature = "libfuzzer", no_main)]

use jiff::civil::date;
use pullgate::policy::Policy;
use pullgate::text::diagnostic::{Colour, Severity, render};
use pullgate_fuzz::fuzz_target;

fuzz_target!(|text: &str| {
    let loaded = Policy::load(text, date(2026, 1, 1));
    let is_faulty = loaded
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Fault);
    assert_eq!(loaded.policy.is_none(), is_faulty);
    let shown = render(&loaded.diagnostics, "policy.yaml", text, Colour::Never);
    assert_eq!(shown.is_empty(), loaded.diagnostics.is_empty());
});
