//! Tests that the table of worst inputs (`benches/worst`) has a case for every input that a tenant can write.

#[path = "../../benches/worst/bodies.rs"]
mod bodies;
#[path = "../../benches/worst/cases.rs"]
mod cases;
#[path = "../../benches/worst/work.rs"]
mod work;

use cases::cases;
use pullgate::objects::kind::Kind;
use std::collections::HashSet;

/// The readers and checks, besides the kinds of objects.
const READERS: [&str; 13] = [
    "policy",
    "docker config",
    "keyring",
    "references",
    "globs",
    "selectors",
    "YAML",
    "patch",
    "words",
    "preview",
    "SARIF",
    "challenges",
    "foreign texts",
];

#[test]
fn every_kind_and_every_reader_has_a_case() {
    let cases = cases();
    let covered: HashSet<&str> = cases.iter().flat_map(|case| case.of).copied().collect();
    let kinds = Kind::ALL.map(Kind::name);
    let known: HashSet<&str> = kinds.into_iter().chain(READERS).collect();
    let mut lacking: Vec<_> = known.difference(&covered).collect();
    lacking.sort_unstable();
    assert_eq!(
        lacking,
        [""; 0].iter().collect::<Vec<_>>(),
        "add a case to benches/worst/cases.rs"
    );
    assert!(
        covered.is_subset(&known),
        "a case covers an unknown kind or reader: {covered:?}"
    );
    let names: HashSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
}

/// Every case runs, and its inputs are as large as it says.
#[test]
fn every_case_does_its_work_on_inputs_of_any_size() {
    for case in cases() {
        let (small, large) = ((case.work)(4_096), (case.work)(16_384));
        (small.run)();
        (large.run)();
        let (small, large) = (small.bytes, large.bytes);
        assert!(
            small >= 2_048 && large >= 2 * small,
            "{}: {small} and {large} bytes",
            case.name
        );
    }
}
