//! Tests of `schema`.

use super::{policy_file, pullgate};
use serde_json::Value;

/// The schema is made from the types and the reader is written by hand: both have to know the same keys.
#[test]
fn the_schema_knows_the_keys_that_the_reader_knows() {
    let run = pullgate(&["schema"], "");
    let schema: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let keys_of = |schema: &Value| -> Vec<String> {
        let mut keys: Vec<String> = schema["properties"]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        keys.sort();
        keys
    };
    // Where an unknown key is written, the reader lists those that it knows.
    let rows = [
        ("", "UNKNOWN: 1"),
        ("RegistryEntry", "registries: [{UNKNOWN: 1}]"),
        ("Provision", "registries: [{provision: {UNKNOWN: 1}}]"),
        ("BanEntry", "bans: [{UNKNOWN: 1}]"),
        ("CredentialClause", "bans: [{credentials: {UNKNOWN: 1}}]"),
        ("ExceptionEntry", "exceptions: [{UNKNOWN: 1}]"),
        ("ExemptEntry", "exempt: {UNKNOWN: 1}"),
        ("NamespaceSelector", "exempt: {namespaces: {UNKNOWN: 1}}"),
        (
            "LabelSelector",
            "exempt: {namespaces: {labels: {UNKNOWN: 1}}}",
        ),
        (
            "Requirement",
            "exempt: {namespaces: {labels: {matchExpressions: [{UNKNOWN: 1}]}}}",
        ),
    ];
    for (definition, body) in rows {
        let part = if definition.is_empty() {
            &schema
        } else {
            &schema["definitions"][definition]
        };
        assert_eq!(part["additionalProperties"], false, "{definition}");
        let dir = tempfile::tempdir().expect("a folder");
        let file = policy_file(
            &dir,
            &format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{body}\n"),
        );
        let told = pullgate(&["check", "--policy", &file], "").stdout;
        let list = told
            .split("known here: ")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .expect(&told);
        let mut known: Vec<String> = list
            .split(", ")
            .map(|key| key.trim_matches('`').to_owned())
            .collect();
        known.sort();
        assert_eq!(known, keys_of(part), "{definition}");
    }
    let objects = schema["definitions"]
        .as_object()
        .expect("definitions")
        .values()
        .filter(|part| part["properties"].is_object());
    assert_eq!(
        objects.count(),
        rows.len() - 1,
        "a type is missing in this test"
    );
}
