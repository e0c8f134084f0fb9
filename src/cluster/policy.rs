//! The policy as a cluster has it: the `ConfigMap` that people edit, and a second one with what was accepted.

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

/// The pause before what failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How many accepted policies are kept: after a downgrade the newest that the older version understands is used.
const MAX_ACCEPTED: usize = 5;
/// How large they may be together; a `ConfigMap` holds 1 MiB.
const MAX_ACCEPTED_BYTES: usize = 900 * 1024;

/// What the key `policy.yaml` of a `ConfigMap` holds.
///
/// # Errors
/// It is not there, or the API server does not say.
pub async fn read(client: Client, source: &ObjectName) -> Result<String> {
    let config_maps = Collection::of::<ConfigMap>(client, &source.namespace);
    let found = config_maps.get(&source.name).await;
    let config_map = found
        .and_then(|found| found.context("there is none of this name"))
        .with_context(|| format!("cannot read the ConfigMap {source}"))?;
    let seen = SeenPolicy::read(&config_map)
        .with_context(|| format!("the ConfigMap {source} cannot be read"))?;
    seen.text
        .with_context(|| format!("the ConfigMap {source} has no key {POLICY_KEY}"))
}

/// What matters of the `ConfigMap` with the policy.
struct SeenPolicy {
    uid: Option<String>,
    text: Option<String>,
}

impl SeenPolicy {
    /// Reads what matters of the JSON of a `ConfigMap`.
    fn read(json: &str) -> Option<Self> {
        let object = read::read(Kind::ConfigMap, json).ok()?;
        Some(Self {
            uid: object.metadata.uid.map(Cow::into_owned),
            text: object.policy.map(Cow::into_owned),
        })
    }
}

/// Keeps the policy of a cluster in force, for ever.
pub struct PolicyKeeper {
    client: Client,
    config_maps: Collection,
    source: ObjectName,
    in_force: PolicyInForce,
    metrics: Arc<Metrics>,
    source_in_force: Option<PolicySource>,
    /// What is to be done once the API server lets us.
    pending: Pending,
}

/// What the API server has yet to be asked.
#[derive(Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// To keep this policy as accepted.
    Keep(String),
    /// To find an accepted policy in the place of one with faults.
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

    /// Puts each policy in force that has no fault. One with faults changes nothing; where nothing is in force yet, the
    /// last that was accepted is. Where there is none, an empty one is.
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
                    // A label or an annotation changed, or the watch began anew.
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
                "there is no policy: nothing is injected and nothing denied"
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
            "{} has faults, and none was accepted before: {}",
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
            // Another replica keeps the same policy.
            Err(error) if is_conflict(&error) => {}
            Err(error) => warn!(
                error = format!("{error:#}"),
                "cannot use the ConfigMap with accepted policies; trying again"
            ),
        }
    }

    /// The newest accepted policy that has no fault. That none has is for people to mend.
    async fn find(&mut self) -> Result<()> {
        let accepted = self.config_maps.get_value(&self.accepted_name()).await?;
        let texts = accepted.as_ref().map(accepted_texts).unwrap_or_default();
        let newest_first = texts.into_iter().rev();
        let mut usable = newest_first.filter(|(_, text)| self.in_force.fall_back(text));
        let Some((number, _)) = usable.next() else {
            error!(
                config_map = %self.source,
                "there is no accepted policy to use in its place: correct the policy"
            );
            return Ok(());
        };
        warn!(
            number,
            config_map = self.accepted_name(),
            "serving by the policy that was accepted last"
        );
        self.source_in_force = Some(PolicySource::Accepted);
        Ok(())
    }

    /// Keeps a policy as the newest of those that were accepted.
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
        // With the resourceVersion that was read: of two replicas one fails, and reads again.
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

/// The accepted policies by their numbers: the highest is the newest.
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
