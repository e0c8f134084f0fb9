//! Tests of the chart's values: their schema, their documentation, and the refusal of bad values.

use crate::{HELM, blessed, chart, helm, of_kind};
use jiff::civil::date;
use pullgate::policy::Policy;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

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

/// `policy.document` takes each policy of `examples/` as it is, and the ConfigMap holds the same policy.
#[test]
fn every_example_is_a_policy_document_for_the_chart() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(examples).expect("examples") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a policy");
        let document: Value = serde_saphyr::from_str(&text).expect("YAML");
        let values = json!({"policy": {"create": true, "document": document}});
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("values.json");
        std::fs::write(&file, values.to_string()).expect("a file");
        let output = Command::new(&*HELM)
            .args(["template", "pullgate"])
            .arg(chart())
            .arg("--values")
            .arg(&file)
            .output()
            .expect("helm");
        assert!(output.status.success(), "{}: {output:?}", path.display());
        let rendered = String::from_utf8(output.stdout).expect("UTF-8");
        let maps = of_kind(&rendered, "ConfigMap");
        let policy = maps[0]["data"]["policy.yaml"].as_str().expect("a policy");
        let rendered: Value = serde_saphyr::from_str(policy).expect("YAML");
        assert_eq!(rendered, document, "{}", path.display());
        let loaded = Policy::load(policy, date(2098, 1, 1));
        assert!(loaded.policy.is_some(), "{:?}", loaded.diagnostics);
    }
}

/// Every value has a description, and the README has them all.
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
    let mut table = "| value | default | description |\n|---|---|---|\n".to_owned();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut description = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(words) = trimmed.strip_prefix("# -- ") {
            description = Some(words.to_owned());
            continue;
        }
        if let (Some(begun), Some(more)) = (&mut description, trimmed.strip_prefix("# ")) {
            begun.push(' ');
            begun.push_str(more);
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
