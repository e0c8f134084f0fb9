//! The policy of a cluster: the `ConfigMap` that people edit, and a second one with the accepted policies.

use super::ObjectName;
use super::collection::{Collection, is_conflict, own_metadata};
use super::watch::{Source, one_object};
use crate::objects::kind::Kind;
use crate::objects::names::POLICY_KEY;
use crate::objects::read;
use crate::policy::Policy;
use crate::policy::source::PolicyText;
use crate::runtime::metrics::{Metrics, PolicySource};
use crate::runtime::policy::PolicyInForce;
use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};

/// The pause before a failed step is retried.
const AGAIN: Duration = Duration::from_secs(5);
/// The number of accepted policies that are kept. After a downgrade, the newest one that the older version understands
/// is used.
const MAX_ACCEPTED: usize = 5;
/// The most bytes of all accepted policies together. A `ConfigMap` holds 1 MiB.
const MAX_ACCEPTED_BYTES: usize = 900 * 1024;

/// Returns the value of the key `policy.yaml` of a `ConfigMap`.
///
/// # Errors
/// Fails if the object or the key is missing, or if the API server does not answer.
pub async fn read(client: Client, source: &ObjectName) -> Result<String> {
    let config_maps = Collection::of::<ConfigMap>(client, &source.namespace);
    let found = config_maps.get(&source.name).await;
    let config_map = found
        .and_then(|found| found.context("it does not exist"))
        .with_context(|| format!("cannot read the ConfigMap {source}"))?;
    let seen = SeenPolicy::read(&config_map)
        .with_context(|| format!("the ConfigMap {source} is not valid"))?;
    seen.text
        .with_context(|| format!("the ConfigMap {source} has no key {POLICY_KEY}"))
}

/// The `ConfigMap` with the policy, reduced to uid and text.
struct SeenPolicy {
    uid: Option<String>,
    text: Option<String>,
}

impl SeenPolicy {
    /// Reads the JSON of a `ConfigMap`.
    fn read(json: &str) -> Option<Self> {
        let object = read::read(Kind::ConfigMap, json).ok()?;
        Some(Self {
            uid: object.metadata.uid.map(Cow::into_owned),
            text: object.policy.map(Cow::into_owned),
        })
    }
}

/// Keeps the policy of a cluster in force. Runs for ever.
pub struct PolicyKeeper {
    client: Client,
    config_maps: Collection,
    source: ObjectName,
    in_force: PolicyInForce,
    metrics: Arc<Metrics>,
    source_in_force: Option<PolicySource>,
    /// The next task that needs the API server.
    pending: Pending,
}

/// A task that needs the API server, and is retried until it succeeds.
#[derive(Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// Store this policy as accepted.
    Keep(String),
    /// Find an accepted policy to replace one with faults.
    Find,
}

impl PolicyKeeper {
    /// Follows this `ConfigMap`.
    #[must_use]
    pub fn new(
        client: Client,
        source: ObjectName,
        in_force: PolicyInForce,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            config_maps: Collection::of::<ConfigMap>(client.clone(), &source.namespace),
            client,
            source,
            in_force,
            metrics,
            source_in_force: None,
            pending: Pending::Nothing,
        }
    }

    /// Puts each policy without faults in force. A policy with faults changes nothing, but if no policy is in force
    /// yet, the last accepted one is used. Without a `ConfigMap`, the empty policy is in force.
    pub async fn keep(mut self) {
        let ObjectName { namespace, name } = &self.source;
        let source = Source::one_in::<ConfigMap>("configmaps", namespace, name);
        let changes = one_object(self.client.clone(), source, &self.metrics, SeenPolicy::read);
        let mut changes = pin!(changes);
        let mut last: Option<Option<String>> = None;
        loop {
            let pause = tokio::time::sleep(AGAIN);
            tokio::select! {
                change = changes.next() => {
                    let Some(change) = change else { return };
                    let (uid, now) = match change {
                        Some(seen) => (seen.uid, Some(seen.text.unwrap_or_default())),
                        None => (None, None),
                    };
                    self.in_force.set_object(uid);
                    // If the text is the same, only a label or an annotation changed, or the watch began anew.
                    if last.as_ref() != Some(&now) {
                        self.changed(now.as_deref());
                        last = Some(now);
                    }
                }
                () = pause, if self.pending != Pending::Nothing => {}
            }
            self.catch_up().await;
        }
    }

    fn changed(&mut self, text: Option<&str>) {
        let file = format!("{}/{POLICY_KEY}", self.source);
        let Some(text) = text else {
            info!(
                config_map = %self.source,
                "the ConfigMap does not exist: nothing is injected and nothing is denied"
            );
            self.pending = Pending::Nothing;
            self.source_in_force = Some(PolicySource::None);
            self.in_force.set(Policy::default(), PolicySource::None);
            return;
        };
        let taken = self
            .in_force
            .take(PolicyText::Value(text), &file, PolicySource::ConfigMap);
        let Err(refused) = taken else {
            self.source_in_force = Some(PolicySource::ConfigMap);
            self.pending = Pending::Keep(text.to_owned());
            return;
        };
        if matches!(self.source_in_force, Some(source) if source != PolicySource::None) {
            return;
        }
        self.in_force.lacks(format!(
            "{} has faults, and no policy was accepted before: {}",
            self.source,
            refused.first(POLICY_KEY)
        ));
        self.pending = Pending::Find;
    }

    async fn catch_up(&mut self) {
        let done = match &self.pending {
            Pending::Nothing => return,
            Pending::Keep(text) => self.accept(text).await,
            Pending::Find => self.find().await,
        };
        match done {
            Ok(()) => self.pending = Pending::Nothing,
            // Another replica stores the same policy.
            Err(error) if is_conflict(&error) => {}
            Err(error) => warn!(
                error = format!("{error:#}"),
                "cannot use the ConfigMap with accepted policies; trying again"
            ),
        }
    }

    /// Puts the newest accepted policy without faults in force. If all have faults, people must correct the policy.
    async fn find(&mut self) -> Result<()> {
        let accepted = self.config_maps.get_value(&self.accepted_name()).await?;
        let texts = accepted.as_ref().map(accepted_texts).unwrap_or_default();
        let newest_first = texts.into_iter().rev();
        let mut usable = newest_first.filter(|(_, text)| self.in_force.fall_back(text));
        let Some((number, _)) = usable.next() else {
            error!(
                config_map = %self.source,
                "no accepted policy can replace the one with faults: correct the policy"
            );
            return Ok(());
        };
        warn!(
            number,
            config_map = self.accepted_name(),
            "using the policy that was accepted last"
        );
        self.source_in_force = Some(PolicySource::Accepted);
        Ok(())
    }

    /// Stores a policy as the newest accepted one.
    async fn accept(&self, text: &str) -> Result<()> {
        let name = self.accepted_name();
        let found = self.config_maps.get_value(&name).await?;
        let mut texts = found.as_ref().map(accepted_texts).unwrap_or_default();
        if texts.last_key_value().is_some_and(|(_, last)| last == text) {
            return Ok(());
        }
        let number = texts.last_key_value().map_or(1, |(number, _)| number + 1);
        texts.insert(number, text.to_owned());
        while texts.len() > MAX_ACCEPTED
            || texts.len() > 1
                && texts.values().map(String::len).sum::<usize>() > MAX_ACCEPTED_BYTES
        {
            texts.pop_first();
        }
        let texts = texts.into_iter();
        let data: BTreeMap<_, _> = texts
            .map(|(number, text)| (accepted_key(number), text))
            .collect();
        // The write carries the resourceVersion that was read: of two replicas one fails, and reads again.
        if let Some(mut config_map) = found {
            config_map["data"] = json!(data);
            self.config_maps.replace(&name, &config_map).await?;
            return Ok(());
        }
        let config_map = json!({"metadata": own_metadata(&name), "data": data});
        self.config_maps.create(&config_map).await?;
        Ok(())
    }

    fn accepted_name(&self) -> String {
        format!("{}-accepted", self.source.name)
    }
}

/// Returns the accepted policies by number. The highest number is the newest.
fn accepted_texts(config_map: &Value) -> BTreeMap<u64, String> {
    let entries = config_map["data"].as_object().into_iter().flatten();
    entries
        .filter_map(|(key, text)| {
            let number = key.strip_prefix("policy-")?.strip_suffix(".yaml")?;
            Some((number.parse().ok()?, text.as_str()?.to_owned()))
        })
        .collect()
}

fn accepted_key(number: u64) -> String {
    format!("policy-{number}.yaml")
}
