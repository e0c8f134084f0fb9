//! Tests of the JSON schema of policies.

use super::TODAY;
use pullgate::policy::Policy;
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
