//! The key of fingerprints. It is in a Secret of Pullgate's own namespace, so that fingerprints are equal in all
//! replicas and after a restart, and meaningless elsewhere.

use super::collection::{Collection, is_conflict, own_metadata};
use super::{LONGEST_PAUSE, ObjectName, Pauses, without_values};
use crate::runtime::clock::now;
use crate::runtime::lifecycle::{Part, Readiness};
use crate::runtime::metrics::{Metrics, PULL_SECRETS};
use crate::secrets::credentials::FingerprintKey;
use anyhow::{Context, Result, anyhow};
use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use rustls::crypto::aws_lc_rs;
use serde_json::json;
use std::sync::Arc;
use tracing::{error, info};
use zeroize::Zeroizing;

/// The entry of the Secret that holds the key.
const KEY: &str = "key";

/// Returns the key, and creates the Secret if it is missing. An error is logged, counted as a failure to watch Secrets,
/// shown in `/readyz` and retried.
pub(super) async fn key(
    client: Client,
    name: ObjectName,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
) -> FingerprintKey {
    let secrets = Collection::of::<Secret>(client, &name.namespace);
    let (mut last_problem, mut pauses) = (String::new(), Pauses::default());
    loop {
        let problem = match read_or_make(&secrets, &name).await {
            Ok(Some(key)) => return key,
            // Another replica created it at this moment.
            Ok(None) => String::new(),
            Err(problem) => format!("{problem:#}"),
        };
        if !problem.is_empty() {
            metrics.watch_failed(PULL_SECRETS, now());
            let why = format!("Secrets are not known yet: {problem}");
            readiness.lacks(Part::Facts, why);
        }
        if last_problem != problem && !problem.is_empty() {
            error!(problem, "cannot watch Secrets yet; trying again");
            last_problem = problem;
        }
        tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

async fn read_or_make(secrets: &Collection, name: &ObjectName) -> Result<Option<FingerprintKey>> {
    let found = secrets
        .get_value(&name.name)
        .await
        .map_err(|error| without_values(&error))
        .with_context(|| format!("cannot read the Secret {name}"))?;
    let Some(found) = found else {
        return make(secrets, name).await;
    };
    let decode = |value: &str| BASE64_STANDARD.decode(value).map(Zeroizing::new).ok();
    let value = found["data"][KEY].as_str().and_then(decode);
    let key = value.and_then(|value| FingerprintKey::new(&value));
    key.map(Some).with_context(|| {
        format!(
            "the Secret {name} has no `{KEY}` of {} bytes: delete it, and Pullgate creates a new one",
            FingerprintKey::LENGTH
        )
    })
}

async fn make(secrets: &Collection, name: &ObjectName) -> Result<Option<FingerprintKey>> {
    let mut bytes = Zeroizing::new([0; FingerprintKey::LENGTH]);
    let random = aws_lc_rs::default_provider().secure_random;
    random
        .fill(&mut *bytes)
        .map_err(|_| anyhow!("the operating system gives no random numbers"))?;
    let secret = json!({
        "metadata": own_metadata(&name.name), "type": "Opaque",
        "data": {KEY: BASE64_STANDARD.encode(&bytes[..])},
    });
    match secrets.create(&secret).await {
        Ok(_) => {
            info!(secret = %name, "created a key for fingerprints");
            Ok(FingerprintKey::new(&*bytes))
        }
        Err(error) if is_conflict(&error) => Ok(None),
        Err(error) => {
            Err(without_values(&error)).with_context(|| format!("cannot create the Secret {name}"))
        }
    }
}
