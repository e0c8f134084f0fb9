//! Fields that are texts, and hold something else: the API server refuses the whole object then.
//!
//! Reading an object asks only for the fields that a judgement depends on. But `value: 5` of an environment variable or
//! a label `on` without quotes are the usual mistakes of YAML, and an object with them is never created.

use crate::objects::kind::Kind;
use crate::text::yaml::{Node, Plain, Value, plain};
use std::fmt::Write as _;

/// Keys with a text as their value in every type of Kubernetes that has such a field, unless the value is an object.
const TEXTS: [&str; 17] = [
    "generateName",
    "hostname",
    "image",
    "imagePullPolicy",
    "key",
    "mountPath",
    "name",
    "namespace",
    "nodeName",
    "path",
    "restartPolicy",
    "secretName",
    "serviceAccount",
    "serviceAccountName",
    "type",
    "value",
    "workingDir",
];

/// Keys of mappings and lists of texts.
const COLLECTIONS: [&str; 7] = [
    "annotations",
    "args",
    "command",
    "labels",
    "matchLabels",
    "nodeSelector",
    "stringData",
];

/// The first field that has to be a text and is not: the value, and its path.
pub(super) fn first_fault(kind: Kind, node: &Node) -> Option<(&Node, String)> {
    // The data of a revision are those of any controller.
    if matches!(kind, Kind::Other | Kind::ControllerRevision) {
        return None;
    }
    let mut path = String::new();
    let is_data = matches!(kind, Kind::Secret | Kind::ConfigMap);
    let data = node.get("data").filter(|_| is_data);
    let mut found = find(node, false, &mut path);
    if let Some(data) = data.filter(|_| found.is_none()) {
        path.push_str("data");
        found = find(data, true, &mut path);
    }
    found.map(|node| (node, path))
}

fn find<'n>(node: &'n Node, are_texts: bool, path: &mut String) -> Option<&'n Node> {
    let length = path.len();
    let mut enter = |name: std::fmt::Arguments<'_>, value: &'n Node, is_text, are_texts| {
        let _ = path.write_fmt(name);
        if is_text && !is_text_or_null(value) {
            return Some(value);
        }
        let found = find(value, are_texts, path);
        if found.is_none() {
            path.truncate(length);
        }
        found
    };
    match &node.value {
        Value::Scalar { .. } => None,
        Value::Sequence(items) => items
            .iter()
            .enumerate()
            .find_map(|(i, item)| enter(format_args!("[{i}]"), item, are_texts, false)),
        Value::Mapping(entries) => entries.iter().find_map(|(key, value)| {
            let key = key.text().unwrap_or_default();
            let dot = if length == 0 { "" } else { "." };
            let is_text = are_texts || TEXTS.contains(&key);
            enter(
                format_args!("{dot}{key}"),
                value,
                is_text,
                COLLECTIONS.contains(&key),
            )
        }),
    }
}

/// Other faults of a type are found where the object is read.
fn is_text_or_null(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, plain: true } => {
            matches!(plain(text), Plain::Text | Plain::Null)
        }
        Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => true,
    }
}
