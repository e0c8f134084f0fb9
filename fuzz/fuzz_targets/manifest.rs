//! `check` judges any text without a panic, in each of its formats.
#![cfg_attr(feature = "libfuzzer", no_main)]

use jiff::Timestamp;
use jiff::civil::date;
use pullgate::policy::Policy;
use pullgate::reports::check::{Input, Report, Settings};
use pullgate::text::diagnostic::Colour;
use pullgate_fuzz::fuzz_target;
use std::sync::LazyLock;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let text = include_str!("../../src/commands/example-policy.yaml");
    Policy::load(text, date(2026, 1, 1))
        .policy
        .expect("a policy")
});

fuzz_target!(|text: &str| {
    let mut report = Report::default();
    let settings = Settings {
        policy: &POLICY,
        namespace: "default",
        now: Timestamp::UNIX_EPOCH,
        strict_names: true,
    };
    report.add_manifests(
        vec![Input {
            name: "x.yaml".to_owned(),
            text: text.to_owned(),
            is_policy: false,
        }],
        &settings,
    );
    let _ = (report.text(Colour::Never), report.json(), report.sarif(""));
});
