//! The key of fingerprints: in a Secret of our own namespace, so that they mean the same to all replicas and after a
//! restart, and nothing outside.

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

/// The key of its data.
const KEY: &str = "key";

/// Returns the key in a Secret, which is made where there is none. Errors are logged, counted as failures to watch Secrets,
/// reported as the reason why Secrets are not known, and tried again.
pub(super) async fn key(
    client: Client,
    name: ObjectName,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
) -> FingerprintKey {
    let secrets = Collection::of::<Secret>(client, &name.namespace);
    let (mut told, mut pauses) = (String::new(), Pauses::default());
    loop {
        let problem = match read_or_make(&secrets, &name).await {
            Ok(Some(key)) => return key,
            // Another replica made it in this moment.
            Ok(None) => String::new(),
            Err(problem) => format!("{problem:#}"),
        };
        if !problem.is_empty() {
            metrics.watch_failed(PULL_SECRETS, now());
            let why = format!("Secrets cannot be known yet: {problem}");
            readiness.lacks(Part::Facts, why);
        }
        if told != problem && !problem.is_empty() {
            error!(problem, "cannot know Secrets yet; trying again");
            told = problem;
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
            "the Secret {name} has no `{KEY}` of {} bytes: delete it, and a new one is made",
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
            info!(secret = %name, "made a key for fingerprints");
            Ok(FingerprintKey::new(&*bytes))
        }
        Err(error) if is_conflict(&error) => Ok(None),
        Err(error) => {
            Err(without_values(&error)).with_context(|| format!("cannot make the Secret {name}"))
        }
    }
}
