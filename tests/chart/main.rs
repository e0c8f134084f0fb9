//! Tests of the chart, rendered and linted by the real helm. `BLESS=1` writes `default.yaml` in this folder, and the
//! table in the chart's README.

#![expect(
    clippy::expect_used,
    reason = "tests fail by panicking and say what they do"
)]

mod combinations;
mod manifests;
mod monitoring;
mod permissions;
mod values;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/pullgate")
}

static HELM: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/build");
    let output = Command::new(script).output().expect("bash");
    assert!(output.status.success(), "{script}: {output:?}");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("helm")
});

fn helm(args: &[&str], values: &[&str]) -> Output {
    let mut helm = Command::new(&*HELM);
    helm.args(args).arg(chart());
    for value in values {
        helm.args(["--set", value]);
    }
    helm.output().expect("helm")
}

/// Returns the objects that helm renders from these values.
fn render(values: &[&str]) -> String {
    let output = helm(&["template", "pullgate", "--namespace", "pullgate"], values);
    assert!(
        output.status.success(),
        "{values:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    documents.into_iter().filter(Value::is_object).collect()
}

fn of_kind(text: &str, kind: &str) -> Vec<Value> {
    let documents = documents(text).into_iter();
    documents
        .filter(|document| document["kind"] == kind)
        .collect()
}

fn blessed(path: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, text).expect("a file");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == text,
        "{} is not up to date: run with BLESS=1",
        path.display()
    );
}
