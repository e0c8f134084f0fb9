//! The load test. It compares Pullgate with a server of the same stack that gives a constant answer (the limit), and
//! with a server that works like most webhooks. `cargo bench --bench load [-- ROUNDS] [FILTER]`; the filter
//! `typical, 16` selects one part.
//!
//! The servers run on one processor and the clients on another. The servers take turns, round by round, and the ratios
//! are medians over the rounds, because the speed of a shared machine changes from minute to minute.
//!
//! `PULLGATE_EARLIER=FILE` adds an earlier binary of Pullgate to the contestants.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints results and panics on errors"
)]

#[path = "../common/client.rs"]
mod client;
mod contest;
mod contestants;
mod patterns;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/scene.rs"]
#[allow(dead_code, reason = "each benchmark uses only some items")]
mod scene;
#[path = "../common/stand_in.rs"]
mod stand_in;
mod stand_ins;
#[path = "../common/typed.rs"]
mod typed;

use contest::Contest;
use contestants::Contestants;
use scene::Size;
use std::process::{Command, ExitCode};

const CLIENTS: &str = "1";
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, name, dir] = &args[..]
        && serve == "--serve"
    {
        stand_ins::serve(name, dir.as_ref());
        return ExitCode::SUCCESS;
    }
    if !pin_clients() {
        println!(
            "install taskset and setpriv (util-linux), and use two processors: servers and clients need one each"
        );
        return ExitCode::FAILURE;
    }
    let rounds = args.iter().find_map(|arg| arg.parse().ok());
    let filter = args
        .iter()
        .find(|arg| *arg != "--bench" && arg.parse::<usize>().is_err());
    run(rounds.unwrap_or(ROUNDS), filter.map_or("", |filter| filter));
    ExitCode::SUCCESS
}

fn run(rounds: usize, filter: &str) {
    let contestants = Contestants::prepare();
    if filter.is_empty() {
        contestants.starts(2 * rounds);
    }
    let contest = Contest::new(contestants.start_all(), rounds, filter);
    contest.idle();
    for size in [Size::Typical, Size::Large] {
        for connections in [1, 16, 64] {
            contest.throughput(size, connections);
        }
    }
    contest.steady(Size::Typical);
    contest.churn(Size::Typical);
    contest.memory();
}

/// Moves this process to its processor, before it starts threads.
fn pin_clients() -> bool {
    let this = std::process::id().to_string();
    let mut taskset = Command::new("taskset");
    let output = taskset.args(["-pc", CLIENTS, &this]).output();
    output.is_ok_and(|output| output.status.success())
}
