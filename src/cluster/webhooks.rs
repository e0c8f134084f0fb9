//! Reads and patches the `caBundle` fields of the webhook configurations.

use super::Observed;
use super::collection::Collection;
use crate::text::scan;
use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::json;

/// The bundles of a webhook configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Configuration {
    /// The `caBundle` of each webhook (PEM), or `None` if it is missing or not valid.
    pub(super) bundles: Vec<Option<String>>,
}

impl Configuration {
    /// Reads the bundles from the JSON of a webhook configuration.
    pub(super) fn read(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Webhooks {
            webhooks: Option<Vec<Webhook>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Webhook {
            client_config: Option<ClientConfig>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ClientConfig {
            ca_bundle: Option<String>,
        }
        let configuration: Webhooks = scan::from_str(json).ok()?;
        let webhooks = configuration.webhooks.into_iter().flatten();
        let bundle = |webhook: Webhook| {
            let bundle = BASE64_STANDARD.decode(webhook.client_config?.ca_bundle?);
            String::from_utf8(bundle.ok()?).ok()
        };
        Some(Self {
            bundles: webhooks.map(bundle).collect(),
        })
    }
}

/// Sets the `caBundle` of each webhook of a configuration. All get the same bundle, so it does not matter if another
/// client changes their order in the meantime.
pub(super) async fn patch(
    configurations: &Collection,
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
    let patched = configurations.patch(name, operations).await;
    let patched = patched.with_context(|| {
        format!("cannot patch the caBundle of the webhook configuration {name}")
    })?;
    let patched = Configuration::read(&patched)
        .with_context(|| format!("cannot read the patched webhook configuration {name}"))?;
    *seen = Observed::Present(patched);
    Ok(())
}

impl Observed<Configuration> {
    /// Returns whether a webhook of the configuration trusts another bundle.
    pub(super) fn differs(&self, bundle: &str) -> bool {
        let is_other = |found: &Option<String>| found.as_deref() != Some(bundle);
        matches!(self, Self::Present(seen) if seen.bundles.iter().any(is_other))
    }
}
