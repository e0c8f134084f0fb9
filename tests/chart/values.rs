//! Tests of the chart's values: their schema, their documentation, and the refusal of bad values.

use crate::{blessed, chart, helm};
use serde_json::Value;
use std::fmt::Write as _;

#[test]
fn bad_values_are_refused_by_name() {
    for (value, told) in [
        ("replcas=3", "additional properties 'replcas' not allowed"),
        ("tls.mode=vault", "/tls/mode"),
        ("tls.mode=provided", "tls.provided.caBundle is needed"),
        ("replicas=0", "/replicas"),
        (
            "webhooks.guard.failurePolicy=Maybe",
            "/webhooks/guard/failurePolicy",
        ),
        (
            "webhooks.policy.timeoutSeconds=3",
            "/webhooks/policy/timeoutSeconds",
        ),
        ("extraControllers[0]=a'b", "/extraControllers/0"),
        ("inventory=everything", "/inventory"),
        ("resourceQuota.pods=0", "/resourceQuota/pods"),
        (
            "networkPolicy.webhookFrom[0].cidr=10.0.0.0/8",
            "/networkPolicy/webhookFrom/0",
        ),
        ("image.digest=latest", "/image/digest"),
        ("bindAddress=::", "/bindAddress"),
        (
            "tls.certManager.issuerRef.kind=Issuer",
            "/tls/certManager/issuerRef",
        ),
    ] {
        let output = helm(&["template", "pullgate"], &[value]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(told),
            "{value}: {error}"
        );
    }
}

fn values() -> String {
    std::fs::read_to_string(chart().join("values.yaml")).expect("values.yaml")
}

/// The schema allows no other keys, and each of its keys is a value with a default.
#[test]
fn the_schema_has_the_keys_of_the_values() {
    let values: Value = serde_saphyr::from_str(&values()).expect("YAML");
    let schema = std::fs::read_to_string(chart().join("values.schema.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    compare("", &values, &schema);
}

/// Every value has a description, and the README lists every value.
#[test]
fn the_readme_of_the_chart_has_every_value() {
    let path = chart().join("README.md");
    let readme = std::fs::read_to_string(&path).expect("README.md");
    let (head, rest) = readme.split_once("<!-- values -->\n").expect("a mark");
    let (_, tail) = rest.split_once("<!-- end of values -->").expect("a mark");
    let table = table();
    blessed(
        &path,
        &format!("{head}<!-- values -->\n{table}<!-- end of values -->{tail}"),
    );
}

fn compare(path: &str, values: &Value, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{path}");
    for (key, schema) in properties.iter().filter(|(key, _)| *key != "global") {
        let path = format!("{path}.{key}");
        assert!(!values[key].is_null(), "{path} has no default");
        compare(&path, &values[key], schema);
    }
}

fn table() -> String {
    let text = values();
    let values: Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut table = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut description = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(words) = trimmed.strip_prefix("# -- ") {
            description = Some(words.to_owned());
            continue;
        }
        let Some((key, _)) = trimmed
            .split_once(':')
            .filter(|_| !trimmed.starts_with('#'))
        else {
            continue;
        };
        let indent = line.len() - trimmed.len();
        parents.retain(|(of, _)| *of < indent);
        parents.push((indent, key.to_owned()));
        let keys: Vec<_> = parents.iter().map(|(_, key)| key.as_str()).collect();
        let found = keys.iter().fold(&values, |value, key| &value[*key]);
        match description.take() {
            Some(words) => {
                let words = words.replace('|', "\\|");
                let _ = writeln!(table, "| `{}` | `{found}` | {words} |", keys.join("."));
            }
            None => assert!(
                found.is_object(),
                "{} has no description: add a line `# -- …` before it",
                keys.join(".")
            ),
        }
    }
    table
}
