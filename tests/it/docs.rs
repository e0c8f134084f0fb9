//! The documentation shows real output.

use crate::policy::EXAMPLE;
use pullgate::facts::inventory::InventoryMode;
use pullgate::policy::Policy;
use pullgate::runtime::clock::today;
use pullgate::secrets::account::{AccountClass, Product};
use pullgate::text::diagnostic::Severity;
use pullgate::verdict::code::{FindingCode, FoundIn};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let begin = format!("```{language}\n");
    let blocks = text.split(begin.as_str()).skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_policy_that_is_shown_is_one() {
    let text = read("docs/policy.md");
    let policies = blocks(&text, "yaml");
    assert!(policies.len() >= 6);
    for policy in policies {
        let loaded = Policy::load(policy, today());
        let faults: Vec<_> = loaded
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity != Severity::Note)
            .map(|diagnostic| diagnostic.line("policy.yaml"))
            .collect();
        assert!(faults.is_empty(), "{faults:?}\n{policy}");
    }
}

/// The files and values that the operations guide shows can be copied.
#[test]
fn every_file_of_the_operations_guide_is_yaml() {
    let text = read("docs/operations.md");
    let shown = blocks(&text, "yaml");
    assert!(shown.len() >= 5, "{}", shown.len());
    for yaml in shown {
        let parsed: Result<Vec<Value>, _> = serde_saphyr::from_multiple(yaml);
        assert!(
            parsed.is_ok_and(|all| all.iter().all(Value::is_object)),
            "{yaml}"
        );
    }
}

#[test]
fn every_command_that_is_shown_says_what_is_shown() {
    let text = read("docs/commands.md");
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    std::fs::create_dir(folder.path().join("deploy")).expect("a folder");
    write("policy.yaml", EXAMPLE);
    write("deploy/api.yaml", blocks(&text, "yaml")[0]);
    let examples = blocks(&text, "console");
    assert!(examples.len() >= 3);
    for example in examples {
        let (command, expected) = example
            .split_once('\n')
            .expect("a command and what it says");
        let args = command
            .strip_prefix("$ pullgate ")
            .expect("a command of ours");
        let output = Command::new(env!("CARGO_BIN_EXE_pullgate"))
            .args(args.split(' '))
            .current_dir(folder.path())
            .output()
            .expect("pullgate");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{command}"
        );
    }
}

/// Each code of a finding has its line: in the table of docs/metrics.md, or in docs/commands.md where only files have
/// it.
#[test]
fn every_code_of_a_finding_has_its_line() {
    let metrics = read("docs/metrics.md");
    let section = metrics.split("## Findings").nth(1).expect("the section");
    let table = section.lines().skip_while(|line| !line.starts_with("|---"));
    let table = table.take_while(|line| line.starts_with('|'));
    let rows = table.filter_map(|line| line.strip_prefix("| `"));
    let rows: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let of = |place: FoundIn| {
        let codes = FindingCode::ALL.into_iter();
        codes
            .filter(move |code| code.found_in() == place)
            .map(FindingCode::name)
    };
    assert_eq!(rows, of(FoundIn::Reviews).collect());
    let commands = read("docs/commands.md");
    for name in of(FoundIn::Files).filter(|name| *name != "exception") {
        assert!(commands.contains(&format!("`{name}`")), "{name}");
    }
}

/// Each class of account and each product has its row in docs/policy.md, and each mode of the inventory its value in
/// the schema of the chart.
#[test]
fn every_word_of_the_policy_and_the_chart_is_documented() {
    let policy = read("docs/policy.md");
    for class in AccountClass::ALL.map(AccountClass::name) {
        assert!(policy.contains(&format!("| `{class}` |")), "{class}");
    }
    for product in Product::ALL.map(Product::name) {
        assert!(policy.contains(&format!("`{product}`")), "{product}");
    }
    let schema: Value =
        serde_json::from_str(&read("charts/pullgate/values.schema.json")).expect("JSON");
    let modes = schema["properties"]["inventory"]["enum"].as_array();
    let modes = modes.expect("a list").iter().filter_map(Value::as_str);
    assert_eq!(
        modes.collect::<Vec<_>>(),
        InventoryMode::ALL.map(InventoryMode::name)
    );
}

/// The policy for namespace labels protects the labels that docs/operations.md names, and a test on a real API server
/// applies it.
#[test]
fn the_admission_policy_to_copy_is_bound() {
    let text = read("docs/admission/namespace-labels.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let kinds: Vec<_> = objects
        .iter()
        .map(|object| object["kind"].as_str())
        .collect();
    let policy = Some("ValidatingAdmissionPolicy");
    assert_eq!(kinds, [policy, Some("ValidatingAdmissionPolicyBinding")]);
    assert_eq!(
        objects[1]["spec"]["policyName"],
        objects[0]["metadata"]["name"]
    );
    assert_eq!(objects[1]["spec"]["validationActions"][0], "Deny");
    assert!(read("docs/operations.md").contains("(admission/namespace-labels.yaml)"));
}
