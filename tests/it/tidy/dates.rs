//! Dates in examples: a date that passes changes the meaning of an example, and the result of its tests, overnight.

use super::root;
use crate::support::TODAY;
use jiff::Span;
use jiff::civil::Date;
use std::path::{Path, PathBuf};

/// The files that users copy, and the policy of the demo.
const EXAMPLES: [&str; 7] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs",
    "charts",
    "examples",
    "src",
    "benches",
];

/// Tests that run the program, which goes by the real clock. All others judge at a fixed time.
const REAL_CLOCK: [&str; 7] = [
    "tests/it/admin",
    "tests/it/check",
    "tests/it/cli",
    "tests/it/server",
    "tests/chart",
    "tests/cluster",
    "tests/siege",
];

/// The years for which an example has to be good, from the fixed day on.
const YEARS: i64 = 10;

#[test]
fn no_example_ends_within_ten_years() {
    let soonest = soonest();
    let dates = dates_in(&EXAMPLES);
    assert!(dates.len() >= 4, "{dates:?}");
    let soon: Vec<_> = dates.iter().filter(|(_, date)| *date < soonest).collect();
    assert!(
        soon.is_empty(),
        "write a date after {soonest}, for example 2099-01-31: {soon:?}"
    );
}

/// A date that has passed already stays so.
#[test]
fn no_test_by_the_real_clock_ends_within_ten_years() {
    let (dates, soonest) = (dates_in(&REAL_CLOCK), soonest());
    assert!(dates.len() >= 2, "{dates:?}");
    let will_pass = |date: Date| (TODAY..soonest).contains(&date);
    let soon: Vec<_> = dates.iter().filter(|(_, date)| will_pass(*date)).collect();
    assert!(
        soon.is_empty(),
        "write a date before {TODAY} or after {soonest}: {soon:?}"
    );
}

#[test]
fn dates_are_found_as_yaml_and_json_have_them() {
    let text = "expires: 2027-01-31 # x\n{\"expires\": \"2028-01-31\"}\nexpires: {date}\nexpires: 31.1.2027";
    let found: Vec<String> = dates(text).map(|date| date.to_string()).collect();
    assert_eq!(found, ["2027-01-31", "2028-01-31"]);
}

fn soonest() -> Date {
    TODAY.checked_add(Span::new().years(YEARS)).expect("a date")
}

/// The dates on which exceptions end.
fn dates(text: &str) -> impl Iterator<Item = Date> + '_ {
    text.split("expires").skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches(['"', '\\', ':', ' ']);
        rest.get(..10)?.parse().ok()
    })
}

fn dates_in(paths: &[&str]) -> Vec<(PathBuf, Date)> {
    let mut found = Vec::new();
    for path in paths {
        look(&root().join(path), &mut found);
    }
    found
}

fn look(path: &Path, found: &mut Vec<(PathBuf, Date)>) {
    if path.is_dir() {
        for entry in path.read_dir().expect("a folder") {
            look(&entry.expect("an entry").path(), found);
        }
    } else if let Ok(text) = std::fs::read_to_string(path) {
        found.extend(dates(&text).map(|date| (path.to_owned(), date)));
    }
}
