//! Counts the instructions of a review: a number that does not depend on the load of the machine.
//! `cargo bench --bench instructions [-- FILTER]`
//!
//! Each case runs under callgrind twice, with few reviews and with more; the difference is the cost of the additional
//! reviews. `docs/performance.md` shows how to find the functions that take the instructions.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints results and panics on errors"
)]

#[path = "common/scene.rs"]
#[allow(dead_code, reason = "each benchmark uses only some items")]
mod scene;
#[path = "common/typed.rs"]
mod typed;

use pullgate::admission::Review;
use scene::{Scene, Size};
use std::hint::black_box;
use std::process::{Command, ExitCode};

/// The numbers of reviews in the two runs.
const FEW: u64 = 20;
const MANY: u64 = 120;

/// The part of a review that is counted.
#[derive(Debug, Clone, Copy)]
enum Part {
    Parse,
    Judge,
    Answer,
    Whole,
    Typed,
}

/// A scene, and the part of it that is counted.
struct Case {
    name: String,
    part: Part,
    scene: fn(&Case) -> Scene,
    size: Size,
    number: usize,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--run", name, count] => run(name, count.parse().expect("a number")),
        _ => table(args.first().copied().unwrap_or_default()),
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |what: &str, part, scene: fn(&Case) -> Scene, size: Size, number: usize| {
        let of = if number == 0 {
            String::new()
        } else {
            format!(", {number}")
        };
        let name = format!("{what}, {size}{of}");
        cases.push(Case {
            name,
            part,
            scene,
            size,
            number,
        });
    };
    for size in Size::ALL {
        add("parse", Part::Parse, |case| Scene::new(case.size), size, 0);
        add("judge", Part::Judge, |case| Scene::new(case.size), size, 0);
        add(
            "answer",
            Part::Answer,
            |case| Scene::new(case.size),
            size,
            0,
        );
        add(
            "injected",
            Part::Whole,
            |case| Scene::new(case.size),
            size,
            0,
        );
        let admitted = |case: &Case| Scene::with_nothing_to_do(case.size);
        add("admitted", Part::Whole, admitted, size, 0);
        add("typed", Part::Typed, |case| Scene::new(case.size), size, 0);
    }
    for rules in [10, 100, 1_000, 10_000] {
        let scene = |case: &Case| Scene::new(case.size).with_rules(case.number);
        add("rules", Part::Whole, scene, Size::Typical, rules);
    }
    for known in [1, 1_000, 50_000] {
        let scene = |case: &Case| Scene::new(case.size).with_facts(case.number);
        add("known", Part::Whole, scene, Size::Typical, known);
    }
    cases
}

fn table(filter: &str) -> ExitCode {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("there is no valgrind on the PATH: install it first");
        return ExitCode::FAILURE;
    }
    println!("{:<28} {:>9} {:>14}", "", "bytes", "instructions");
    for case in cases().iter().filter(|case| case.name.contains(filter)) {
        let counted = |count| instructions(&case.name, count);
        let each = (counted(MANY) - counted(FEW)) / (MANY - FEW);
        let bytes = (case.scene)(case).body.len();
        println!("{:<28} {bytes:>9} {each:>14}", case.name);
    }
    ExitCode::SUCCESS
}

/// Returns the instructions of a whole process that handles the given number of reviews.
fn instructions(name: &str, count: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--run", name, &count.to_string()])
        .output()
        .expect("valgrind");
    let talk = String::from_utf8_lossy(&output.stderr);
    let collected = talk
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    collected
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or_else(|| unreachable!("callgrind prints what it collected: {talk}"))
}

/// Does the work that callgrind counts.
fn run(name: &str, count: u64) -> ExitCode {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == name).expect("a case");
    let scene = (case.scene)(case);
    let review: Review<'_> = scene.parse();
    let mutation = scene.judge(&review);
    for _ in 0..count {
        match case.part {
            Part::Parse => drop(black_box(scene.parse())),
            Part::Judge => drop(black_box(scene.judge(&review))),
            Part::Answer => drop(black_box(review.answer(&mutation))),
            Part::Whole => drop(black_box(scene.answer())),
            Part::Typed => drop(black_box(typed::answer(&scene.body, &scene.policy))),
        }
    }
    ExitCode::SUCCESS
}
