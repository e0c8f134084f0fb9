//! Tests of Pullgate on a real API server, through kubectl.
//!
//! `cargo test --test cluster [FILTER]`. One control plane serves all tests and stops with this process.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking and say what they do"
)]

mod commands;
#[allow(dead_code, reason = "only the tests with nodes use the other items")]
mod control_plane;
mod guard;
mod inject;
mod inventory;
mod process;
mod record;
mod recorder;
mod webhook;
mod why;

use control_plane::{ControlPlane, Reach};
use libtest_mimic::{Arguments, Trial};
use std::sync::Arc;

/// A test and its name.
type Test = (&'static str, fn(&ControlPlane));

fn main() {
    let mut arguments = Arguments::from_args();
    // The tests mostly wait for controllers, so three run at a time on any machine.
    arguments.test_threads.get_or_insert(3);
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .expect("the first provider");
    let tests: Vec<Test> = [
        commands::TESTS,
        guard::TESTS,
        inject::TESTS,
        inventory::TESTS,
        record::TESTS,
        why::TESTS,
    ]
    .concat();
    let is_wanted = |name: &str| {
        arguments
            .filter
            .as_ref()
            .is_none_or(|filter| name.contains(filter.as_str()))
    };
    let plane = (!arguments.list && tests.iter().any(|(name, _)| is_wanted(name)))
        .then(|| Arc::new(ControlPlane::start(Reach::Loopback)));
    let trial = |(name, test): Test| {
        let plane = plane.clone();
        Trial::test(name, move || {
            test(plane.as_deref().expect("started for every test that runs"));
            Ok(())
        })
    };
    let conclusion = libtest_mimic::run(&arguments, tests.into_iter().map(trial).collect());
    drop(plane);
    conclusion.exit();
}
