//! Tests of the JSON schema of policies.

use super::TODAY;
use pullgate::policy::{Mode, Policy, Running, Unmatched};
use pullgate::secrets::account::{AccountClass, Product};
use serde_json::Value;
use std::collections::BTreeSet;

/// The schema is made from the types and the reader is written by hand: both have to ask for the same keys.
#[test]
fn the_schema_requires_what_the_reader_requires() {
    let schema = pullgate::policy::document::json_schema();
    assert!(
        !schema.to_string().contains("null"),
        "a key may be missing, and not null: {schema:#}"
    );
    for (definition, path, body) in [
        ("", "", "{}"),
        ("RegistryEntry", "registries[0]", "registries: [{}]"),
        (
            "Provision",
            "registries[0].provision",
            "registries: [{provision: {}}]",
        ),
        ("BanEntry", "bans[0]", "bans: [{}]"),
        (
            "CredentialClause",
            "bans[0].credentials",
            "bans: [{credentials: {}}]",
        ),
        ("ExceptionEntry", "exceptions[0]", "exceptions: [{}]"),
        ("ExemptEntry", "exempt", "exempt: {}"),
        (
            "NamespaceSelector",
            "exempt.namespaces",
            "exempt: {namespaces: {}}",
        ),
        (
            "LabelSelector",
            "exempt.namespaces.labels",
            "exempt: {namespaces: {labels: {}}}",
        ),
        (
            "Requirement",
            "exempt.namespaces.labels.matchExpressions[0]",
            "exempt: {namespaces: {labels: {matchExpressions: [{}]}}}",
        ),
    ] {
        let part = if definition.is_empty() {
            &schema
        } else {
            &schema["definitions"][definition]
        };
        let required = part["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|key| key.as_str().unwrap().to_owned());
        let diagnostics = Policy::load(body, TODAY)
            .diagnostics
            .into_iter()
            .filter(|d| d.path == path);
        let missing = diagnostics.filter_map(|d| {
            let key = d
                .message
                .strip_prefix("the key `")?
                .strip_suffix("` is missing")?;
            Some(key.to_owned())
        });
        assert_eq!(
            required.collect::<BTreeSet<_>>(),
            missing.collect::<BTreeSet<_>>(),
            "{definition}"
        );
    }
}

/// The words of the schema come from the types, those of the reader from `name`: they are the same, in the same order.
#[test]
fn the_schema_has_the_words_of_the_reader() {
    let schema = pullgate::policy::document::json_schema();
    let words = |definition: &str| -> Vec<String> {
        let definition = &schema["definitions"][definition];
        let simple = definition["enum"].as_array().into_iter().flatten();
        let described = definition["oneOf"].as_array().into_iter().flatten();
        let described = described.map(|choice| &choice["const"]);
        let words = simple.chain(described).filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    assert_eq!(
        words("AccountClass"),
        AccountClass::ALL.map(AccountClass::name)
    );
    assert_eq!(words("Product"), Product::ALL.map(Product::name));
    assert_eq!(words("Mode"), Mode::ALL.map(Mode::name));
    assert_eq!(words("Running"), Running::ALL.map(Running::name));
    assert_eq!(words("Unmatched"), Unmatched::ALL.map(Unmatched::name));
}
