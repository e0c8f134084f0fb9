//! Tests of Pullgate as it is used: installed by helm in a cluster with nodes that pull images, and called through its
//! Service.
//!
//! `cargo test --test nodes [FILTER]`. `tests/cluster/play` opens a shell with the same cluster.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they do"
)]

#[path = "../control_plane.rs"]
#[allow(dead_code, reason = "only the tests without nodes use the other items")]
mod control_plane;
mod ground;
mod install;
mod load;
mod namespaces;
#[path = "../process.rs"]
#[allow(dead_code, reason = "only the tests without nodes use the other items")]
mod process;
mod registry;
mod scenarios;
#[path = "../../../benches/common/process.rs"]
#[allow(dead_code, reason = "only benchmarks use the other items")]
mod server;
#[path = "../../it/tls.rs"]
#[allow(dead_code, reason = "only the integration tests use the other items")]
mod tls;

use ground::Ground;
use libtest_mimic::{Arguments, Trial};
use std::process::{Command, ExitCode};
use std::sync::Arc;

/// A test and its name.
type Test = (&'static str, fn(&Ground));

/// The argument of `tests/cluster/play`.
const PLAY: &str = "play";

fn main() -> ExitCode {
    if let Some(ended) = namespaces::enter() {
        return ended;
    }
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .expect("the first provider");
    if std::env::args().nth(1).as_deref() == Some(PLAY) {
        return play();
    }
    let mut arguments = Arguments::from_args();
    // All tests change the same cluster, so they run one after the other.
    arguments.test_threads = Some(1);
    let is_wanted = |name: &str| {
        let filter = arguments.filter.as_ref();
        filter.is_none_or(|filter| name.contains(filter.as_str()))
    };
    let tests: Vec<Test> = scenarios::tests();
    let ground = (!arguments.list && tests.iter().any(|(name, _)| is_wanted(name)))
        .then(|| Arc::new(Ground::start()));
    let trial = |(name, test): Test| {
        let ground = ground.clone();
        Trial::test(name, move || {
            test(ground.as_deref().expect("started for every test that runs"));
            Ok(())
        })
    };
    let conclusion = libtest_mimic::run(&arguments, tests.into_iter().map(trial).collect());
    drop(ground);
    conclusion.exit_code()
}

fn play() -> ExitCode {
    let ground = Ground::start();
    ground.install(&[]);
    ground.apply(scenarios::POLICY);
    println!(
        "\nA cluster with Pullgate: kubectl and helm are on the PATH, node1 and node2 pull contoso.azurecr.io/shop/api:1\n\
         with the Secret contoso-pull, which is in the namespace shop. Leave the shell, and all of it is gone.\n"
    );
    ground.namespace_with_pull_secret("shop");
    let path = std::env::var("PATH").unwrap_or_default();
    let status = Command::new("bash")
        .arg("--norc")
        .env("PS1", "pullgate$ ")
        .env("PATH", format!("{}:{path}", ground.plane.bin().display()))
        .env("KUBECONFIG", ground.plane.kubeconfig())
        .env("HOME", ground.plane.dir())
        .status();
    match status {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot start bash: {error}");
            ExitCode::FAILURE
        }
    }
}
