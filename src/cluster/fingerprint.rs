//! The key of fingerprints: in a Secret of our own namespace, so that they mean the same to all replicas and after a
//! restart, and nothing outside.

use super::{LONGEST_PAUSE, ObjectName, Pauses, answer, is_conflict, without_values};
use crate::secrets::credentials::FingerprintKey;
use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};
use rustls::crypto::aws_lc_rs;
use tracing::{error, info};
use zeroize::Zeroizing;

/// The key of its data.
const KEY: &str = "key";

/// The key in a Secret, which is made where there is none. Whatever goes wrong is tried again.
pub(super) async fn key(client: Client, name: ObjectName) -> FingerprintKey {
    let secrets = Api::namespaced(client, &name.namespace);
    let (mut told, mut pauses) = (String::new(), Pauses::default());
    loop {
        let problem = match read_or_make(&secrets, &name).await {
            Ok(Some(key)) => return key,
            // Another replica made it in this moment.
            Ok(None) => String::new(),
            Err(problem) => format!("{problem:#}"),
        };
        if told != problem && !problem.is_empty() {
            error!(problem, "cannot know Secrets yet; trying again");
            told = problem;
        }
        tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

async fn read_or_make(secrets: &Api<Secret>, name: &ObjectName) -> Result<Option<FingerprintKey>> {
    let found = answer(secrets.get_opt(&name.name))
        .await
        .map_err(|error| without_values(&error))
        .with_context(|| format!("cannot read the Secret {name}"))?;
    let Some(found) = found else {
        return make(secrets, name).await;
    };
    let value = found.data.as_ref().and_then(|data| data.get(KEY));
    let key = value.and_then(|value| FingerprintKey::new(&value.0));
    key.map(Some).with_context(|| {
        format!(
            "the Secret {name} has no `{KEY}` of {} bytes: delete it, and a new one is made",
            FingerprintKey::LENGTH
        )
    })
}

async fn make(secrets: &Api<Secret>, name: &ObjectName) -> Result<Option<FingerprintKey>> {
    let mut bytes = Zeroizing::new([0; FingerprintKey::LENGTH]);
    let random = aws_lc_rs::default_provider().secure_random;
    random
        .fill(&mut *bytes)
        .map_err(|_| anyhow::anyhow!("the operating system gives no random numbers"))?;
    let mut secret = super::own_secret(&name.name, "Opaque");
    let data = [(KEY.to_owned(), ByteString(bytes.to_vec()))];
    secret.data = Some(data.into());
    let params = PostParams {
        field_manager: Some(super::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match answer(secrets.create(&params, &secret)).await {
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
