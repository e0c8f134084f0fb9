//! The policy as a cluster has it.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use std::time::Duration;

/// What the API server may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the key `policy.yaml` of a `ConfigMap` holds.
///
/// # Errors
/// It is not there, or the API server does not say.
pub async fn read(client: Client, namespace: &str, name: &str) -> Result<String> {
    let config_maps: Api<ConfigMap> = Api::namespaced(client, namespace);
    let what = || format!("cannot read the ConfigMap {namespace}/{name}");
    let config_map = tokio::time::timeout(DEADLINE, config_maps.get(name))
        .await
        .context("the API server does not answer")
        .with_context(what)?
        .with_context(what)?;
    let policy = config_map
        .data
        .and_then(|mut data| data.remove("policy.yaml"));
    policy.with_context(|| format!("the ConfigMap {namespace}/{name} has no key policy.yaml"))
}
