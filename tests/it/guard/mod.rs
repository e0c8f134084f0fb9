//! Tests of verdicts that need no cluster.

mod controllers;
mod deletion;
mod exceptions;
mod injection;
mod messages;
mod modes;
mod other_objects;
mod placeholders;
mod public_cases;
mod references;
mod service_accounts;

use crate::support::create_pod;
use serde_json::{Value, json};

const REPLICASET_CONTROLLER: &str = "system:serviceaccount:kube-system:replicaset-controller";

fn object(path: &str, spec: Value) -> Value {
    let nested = path
        .rsplit('.')
        .fold(spec, |inner, key| json!({key: inner}));
    let mut object = nested;
    object["metadata"] = json!({"name": "web"});
    object
}

fn banned_pod() -> Value {
    create_pod(json!({"imagePullSecrets": [{"name": "regcred-shared"}]}))
}
