//! Counts the cost of the worst inputs known, for every kind of object and for every reader and check.
//! `cargo bench --profile worst --bench worst [-- FILTER]` runs the cases with the filter in their name, or those of
//! that kind or reader.
//!
//! Each case runs under callgrind with an input, with one of twice its size, and with one of four times. Fails where a
//! case takes more than 2.2 times the work for twice the bytes, and names those that take more than 300 instructions a
//! byte. Policies and manifests take more than that: their reader makes a tree that knows the position of each value.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints results and panics on errors"
)]

mod bodies;
mod cases;
mod work;

use cases::{Case, cases};
use std::process::{Command, ExitCode};
use std::thread;

/// The approximate size of the smallest input, in bytes. From this size on, the fixed costs of a case weigh little.
const SMALLEST: usize = 32 * 1024;
/// The number of instructions a byte above which a case is named.
const MOST_A_BYTE: f64 = 300.0;
/// The limit for the growth of the work when the input doubles.
const MOST_GROWTH: f64 = 2.2;

fn main() -> ExitCode {
    let args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let args: Vec<String> = args.collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--run", name, bytes] => run(name, bytes.parse().expect("a number")),
        _ => table(args.first().copied().unwrap_or_default()),
    }
}

fn table(filter: &str) -> ExitCode {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("there is no valgrind on the PATH: install it first");
        return ExitCode::FAILURE;
    }
    println!(
        "{:<40} {:>9} {:>8} {:>8} {:>8}",
        "", "bytes", "a byte", "growth", "growth"
    );
    let (mut dear, mut failed) = (Vec::new(), Vec::new());
    let is_wanted = |case: &&Case| case.name.contains(filter) || case.of.contains(&filter);
    for case in cases().iter().filter(is_wanted) {
        let sizes = [1, 2, 4].map(|times| SMALLEST * times);
        let costs = thread::scope(|scope| {
            let counted = sizes.map(|size| scope.spawn(move || Cost::of(case, size)));
            counted.map(|counted| counted.join().expect("no panic"))
        });
        let a_byte = costs.iter().map(Cost::a_byte).fold(0.0, f64::max);
        let growth = [costs[0].growth_to(&costs[1]), costs[1].growth_to(&costs[2])];
        println!(
            "{:<40} {:>9} {a_byte:>8.0} {:>8.2} {:>8.2}",
            case.name, costs[2].bytes, growth[0], growth[1]
        );
        if a_byte > MOST_A_BYTE {
            dear.push(case.name);
        }
        if growth.iter().any(|growth| *growth > MOST_GROWTH) {
            failed.push(case.name);
        }
    }
    if !dear.is_empty() {
        let names = dear.join("; ");
        println!("more than {MOST_A_BYTE} instructions a byte: {names}");
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    let names = failed.join("; ");
    println!("more than {MOST_GROWTH} times the work for twice the bytes: {names}");
    ExitCode::FAILURE
}

/// The cost of an input.
struct Cost {
    bytes: f64,
    instructions: f64,
}

impl Cost {
    fn of(case: &Case, size: usize) -> Self {
        let counted = instructions(case.name, size);
        let number = |value: usize| f64::from(u32::try_from(value).expect("small"));
        Self {
            bytes: number((case.work)(size).bytes),
            instructions: number(counted / 1_000) * 1_000.0,
        }
    }

    fn a_byte(&self) -> f64 {
        self.instructions / self.bytes
    }

    /// Returns how many times the work grows for twice the bytes. Corrects for a larger input that has not exactly
    /// twice the bytes.
    fn growth_to(&self, larger: &Self) -> f64 {
        2.0 * larger.a_byte() / self.a_byte()
    }
}

/// Returns the instructions of the work on an input, without those that make the input.
fn instructions(name: &str, size: usize) -> usize {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*measured*",
        ])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--run", name, &size.to_string()])
        .output()
        .expect("valgrind");
    let talk = String::from_utf8_lossy(&output.stderr);
    let mut lines = talk.lines();
    let collected = lines.find_map(|line| line.split("Collected : ").nth(1));
    let number = collected.and_then(|number| number.trim().parse().ok());
    number
        .filter(|number| *number > 0)
        .unwrap_or_else(|| unreachable!("callgrind prints what it collected: {talk}"))
}

/// Runs one case once, under callgrind.
fn run(name: &str, size: usize) -> ExitCode {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == name).expect("a case");
    let work = (case.work)(size);
    measured(&*work.run);
    ExitCode::SUCCESS
}

/// Runs the work. Callgrind counts the instructions within this function, which it finds by name. An instruction
/// follows the call, so that the compiler does not turn the call into a jump: callgrind would not see the end of a
/// jump.
#[inline(never)]
fn measured(work: &dyn Fn()) {
    work();
    std::hint::black_box(());
}
