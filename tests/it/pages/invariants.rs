//! Tests of docs/invariants.md: it has every number that a test name uses, with every file that has such a test.

use super::{files, read, root};
use std::collections::{BTreeMap, BTreeSet};

/// A promise or a trap, by its number.
type Number = (&'static str, u32);

/// The numbers of the names of tests in a text: functions, and names in tables.
fn numbers(text: &str) -> BTreeSet<Number> {
    let kinds = ["promise", "trap"].into_iter();
    let numbers = kinds.flat_map(|kind| {
        let begins = [format!("fn {kind}_"), format!("\"{kind}_")];
        let found = begins.into_iter().flat_map(move |begin| {
            let rests = text.split(begin.as_str()).skip(1);
            let numbers = rests.filter_map(|rest| rest.split_once('_')?.0.parse().ok());
            numbers.collect::<Vec<u32>>()
        });
        found.map(move |number| (kind, number))
    });
    numbers.collect()
}

/// The files with tests of each number, as the files have them.
fn tests() -> BTreeMap<Number, BTreeSet<String>> {
    let mut tests: BTreeMap<Number, BTreeSet<String>> = BTreeMap::new();
    let this = "tests/it/pages/invariants.rs";
    for path in files(&["rs"]).into_iter().filter(|path| path != this) {
        for number in numbers(&read(&path)) {
            tests.entry(number).or_default().insert(path.clone());
        }
    }
    tests
}

/// The rows of the two tables: the number, and the cells after it.
fn rows(text: &str) -> BTreeMap<Number, Vec<String>> {
    let mut rows = BTreeMap::new();
    for (kind, heading) in [("promise", "## Promises"), ("trap", "## Traps")] {
        let section = text.split(heading).nth(1).expect("the section");
        let section = section.split("\n## ").next().expect("its text");
        for row in section.lines() {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().to_owned()).collect();
            let number = cells.get(1).and_then(|cell| cell.parse().ok());
            if let Some(number) = number {
                let before = rows.insert((kind, number), cells[2..].to_vec());
                assert!(before.is_none(), "{kind} {number} twice");
            }
        }
    }
    rows
}

/// The texts of a cell in backticks that are files of the repository.
fn named(cell: &str) -> BTreeSet<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_number_of_a_test_is_in_the_list_with_its_files() {
    let rows = rows(&read("docs/invariants.md"));
    let counts = ["promise", "trap"].map(|kind| rows.keys().filter(|(of, _)| *of == kind).count());
    assert_eq!(counts, [9, 41]);
    let tests = tests();
    assert!(tests.len() >= 30, "{tests:?}");
    let unknown: Vec<_> = tests
        .iter()
        .filter(|(number, _)| !rows.contains_key(*number))
        .collect();
    assert!(unknown.is_empty(), "not in docs/invariants.md: {unknown:?}");
    for (number, cells) in &rows {
        let found = tests.get(number).cloned().unwrap_or_default();
        assert_eq!(named(&cells[1]), found, "{number:?}: the column of tests");
        for path in named(&cells[2]).iter().filter(|path| path.contains('/')) {
            assert!(root().join(path).exists(), "{path} of {number:?}");
        }
        let is_held = !found.is_empty() || !cells[2].is_empty();
        assert!(
            is_held,
            "{number:?} has neither a test nor a module nor a remark"
        );
    }
}

#[test]
fn numbers_are_read_from_functions_and_tables() {
    let text = "fn promise_4_a() {}\n    (\"trap_20_b\", c),\n// promise_7_d and trap_9";
    assert_eq!(numbers(text), [("promise", 4), ("trap", 20)].into());
}
