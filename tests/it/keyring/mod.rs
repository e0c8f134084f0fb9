//! The kubelet's keyring: its own tables, and a differential test against its own packages.

mod generator;
mod kubelet;
mod tables;

use serde_json::Value;

fn str(value: &Value) -> &str {
    value.as_str().expect("a string")
}
