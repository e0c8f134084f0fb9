//! The webhook configurations, of which only the `caBundle` matters.

use super::{FIELD_MANAGER, Observed, answer};
use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;

/// What matters of a webhook configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Configuration {
    /// Of each webhook.
    pub(super) bundles: Vec<Option<ByteString>>,
}

/// Each webhook gets the same bundle, so that it does not matter if somebody sorts them in the meantime.
pub(super) async fn patch<K: WebhookConfiguration>(
    api: &Api<K>,
    name: &str,
    seen: &mut Observed<Configuration>,
    bundle: &str,
) -> Result<()> {
    let Observed::Present(configuration) = seen else {
        return Ok(());
    };
    let operation = |number| {
        json!({
            "op": "add",
            "path": format!("/webhooks/{number}/clientConfig/caBundle"),
            "value": BASE64_STANDARD.encode(bundle),
        })
    };
    let operations: Vec<_> = (0..configuration.bundles.len()).map(operation).collect();
    let patch = Patch::Json::<()>(serde_json::from_value(operations.into())?);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patched = answer(api.patch(name, &params, &patch))
        .await
        .with_context(|| {
            format!("cannot patch the caBundle of the webhook configuration {name}")
        })?;
    *seen = Observed::Present(reduce(&patched));
    Ok(())
}

pub(super) fn reduce<K: WebhookConfiguration>(configuration: &K) -> Configuration {
    Configuration {
        bundles: configuration.bundles(),
    }
}

/// What the two kinds have in common.
pub(super) trait WebhookConfiguration:
    Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>
    + Clone
    + DeserializeOwned
    + Debug
    + Send
    + 'static
{
    fn bundles(&self) -> Vec<Option<ByteString>>;
}

impl WebhookConfiguration for MutatingWebhookConfiguration {
    fn bundles(&self) -> Vec<Option<ByteString>> {
        let webhooks = self.webhooks.iter().flatten();
        webhooks
            .map(|webhook| webhook.client_config.ca_bundle.clone())
            .collect()
    }
}

impl WebhookConfiguration for ValidatingWebhookConfiguration {
    fn bundles(&self) -> Vec<Option<ByteString>> {
        let webhooks = self.webhooks.iter().flatten();
        webhooks
            .map(|webhook| webhook.client_config.ca_bundle.clone())
            .collect()
    }
}

impl Observed<Configuration> {
    /// Whether a webhook of the configuration trusts something else.
    pub(super) fn differs(&self, bundle: &str) -> bool {
        let is_other = |found: &Option<ByteString>| {
            found
                .as_ref()
                .is_none_or(|found| found.0 != bundle.as_bytes())
        };
        matches!(self, Self::Present(seen) if seen.bundles.iter().any(is_other))
    }
}
