//! The data of a `ControllerRevision`: the patch by which the controller of a `StatefulSet` makes pods of an earlier
//! template.
//!
//! It merges the patch into the `StatefulSet` and decodes the result by `encoding/json` (`ApplyRevision` in
//! `pkg/controller/statefulset/stateful_set_utils.go` of Kubernetes 1.37). There, unlike at the API server,
//! `ImagePullSecrets` is `imagePullSecrets`, and null is nothing. Here the same is done before the patch is read.

use crate::kubelet::golang::json::names_field;
use serde_json::{Map, Value};

/// Every field that leads to something that matters of a template.
const FIELDS: [&str; 33] = [
    "annotations",
    "azureFile",
    "cephfs",
    "cinder",
    "containers",
    "csi",
    "env",
    "envFrom",
    "ephemeralContainers",
    "flexVolume",
    "image",
    "imagePullSecrets",
    "initContainers",
    "iscsi",
    "metadata",
    "name",
    "nodePublishSecretRef",
    "projected",
    "rbd",
    "reference",
    "scaleIO",
    "secret",
    "secretKeyRef",
    "secretName",
    "secretRef",
    "serviceAccount",
    "serviceAccountName",
    "sources",
    "spec",
    "storageos",
    "template",
    "valueFrom",
    "volumes",
];

/// The patch with the names of its fields as everyone else writes them.
///
/// # Errors
/// The text is not JSON, or is nested deeper than `serde_json` goes.
pub(super) fn patch(json: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(json).map(named_as_usual)
}

fn named_as_usual(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut named = Map::new();
            for (name, value) in members {
                let field = FIELDS.iter().find(|field| names_field(&name, field));
                let name = field.map_or(name, |field| (*field).to_owned());
                add(&mut named, name, named_as_usual(value));
            }
            Value::Object(named)
        }
        Value::Array(items) => {
            let items = items.into_iter().filter(|item| !item.is_null());
            Value::Array(items.map(named_as_usual).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// Adds a member. Of two that name one field Go decodes both into it, so everything that is in either of them counts.
fn add(members: &mut Map<String, Value>, name: String, value: Value) {
    match (members.get_mut(&name), value) {
        (_, Value::Null) => {}
        (Some(Value::Object(known)), Value::Object(more)) => {
            for (name, value) in more {
                add(known, name, value);
            }
        }
        (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
        (_, value) => drop(members.insert(name, value)),
    }
}
