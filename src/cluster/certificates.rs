//! The certificate that all replicas share: one Secret, which they change by compare and swap, and the `caBundle` of our
//! webhook configurations, which follows it.
//!
//! A replica serves with the certificate of the Secret once the API server is told to trust its CA. So the Secret may
//! change in any way, by the clock, by hand or by being deleted: no call meets a certificate that is not trusted.

use super::{FIELD_MANAGER, ObjectName, answer, watch_one};
use crate::authority::Keys;
use crate::lifecycle::{Part, Readiness};
use crate::metrics::Metrics;
use anyhow::{Context, Result, anyhow};
use base64::prelude::{BASE64_STANDARD, Engine};
use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Error, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tracing::{error, info, warn};

/// How often the clock is looked at, and what failed is tried again.
const TICK: Duration = Duration::from_secs(5);
/// How long a new CA is published before a certificate of it is used in the place of another: every API server reads
/// webhook configurations by a watch, and is a second behind at most.
const PUBLISHED: Duration = Duration::from_secs(30);
/// The least time between two patches of the configurations: somebody may have a program that undoes them.
const PATCH_PAUSE: Duration = Duration::from_secs(1);

/// What is kept, and for whom.
#[derive(Debug, Clone)]
pub struct Managed {
    /// The Secret.
    pub secret: ObjectName,
    /// The names that the certificate is good for.
    pub names: Vec<String>,
    /// The name of the webhook configurations, of both kinds.
    pub configurations: Option<String>,
}

/// Keeps the Secret, the configurations and the certificate in use together.
pub struct Keeper {
    managed: Managed,
    client: Client,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    secret: Seen<Secret>,
    mutating: Seen<Configuration>,
    validating: Seen<Configuration>,
    /// What is served with.
    in_use: Option<Keys>,
    /// What both configurations trust, and since when.
    published: Option<(String, Instant)>,
    patched: Option<Instant>,
    told: String,
}

/// An object as a watch saw it last.
#[derive(Debug, Clone, PartialEq)]
enum Seen<K> {
    /// Not yet.
    Unknown,
    Absent,
    Present(K),
}

/// What matters of a webhook configuration.
#[derive(Debug, Clone, PartialEq)]
struct Configuration {
    resource_version: String,
    /// Of each webhook.
    bundles: Vec<Option<ByteString>>,
}

enum Event {
    Secret(Option<Box<Secret>>),
    Mutating(Option<Configuration>),
    Validating(Option<Configuration>),
}

impl Keeper {
    /// Keeps these.
    #[must_use]
    pub fn new(
        client: Client,
        managed: Managed,
        readiness: Arc<Readiness>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let is_bare = managed.configurations.is_none();
        let configuration = || if is_bare { Seen::Absent } else { Seen::Unknown };
        Self {
            managed,
            client,
            readiness,
            metrics,
            secret: Seen::Unknown,
            mutating: configuration(),
            validating: configuration(),
            in_use: None,
            published: None,
            patched: None,
            told: String::new(),
        }
    }

    /// Keeps them, for ever. `take` is given each certificate and key that is to be used from now on.
    pub async fn keep(mut self, mut take: impl FnMut(&str, &str) -> Result<()> + Send) {
        let mut events = self.events();
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Secret(secret)) => self.secret = secret.map(|secret| *secret).into(),
                    Some(Event::Mutating(configuration)) => self.mutating = configuration.into(),
                    Some(Event::Validating(configuration)) => self.validating = configuration.into(),
                    None => return,
                },
                _ = ticks.tick() => {}
            }
            match self.step(&mut take).await {
                Ok(()) => self.told.clear(),
                Err(error) => self.tell(&error),
            }
        }
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let Managed {
            secret,
            configurations,
            ..
        } = &self.managed;
        let secrets = Api::<Secret>::namespaced(self.client.clone(), &secret.namespace);
        let watched = watch_one(secrets, &secret.name, "secrets", self.metrics.clone());
        let mut all = vec![
            watched
                .map(|secret| Event::Secret(secret.map(Box::new)))
                .boxed(),
        ];
        if let Some(name) = configurations {
            let mutating = self.watch_configuration::<MutatingWebhookConfiguration>(name);
            let validating = self.watch_configuration::<ValidatingWebhookConfiguration>(name);
            all.push(mutating.map(Event::Mutating).boxed());
            all.push(validating.map(Event::Validating).boxed());
        }
        select_all(all).boxed()
    }

    fn watch_configuration<K: WebhookConfiguration>(
        &self,
        name: &str,
    ) -> BoxStream<'static, Option<Configuration>> {
        let api = Api::<K>::all(self.client.clone());
        watch_one(api, name, "webhookconfigurations", self.metrics.clone())
            .map(|configuration| configuration.as_ref().map(reduce))
            .boxed()
    }

    async fn step(
        &mut self,
        take: &mut (impl FnMut(&str, &str) -> Result<()> + Send),
    ) -> Result<()> {
        let Some(keys) = self.agree().await? else {
            return Ok(());
        };
        self.metrics.authority_expires(keys.authority_expires());
        if !self.publish(&keys).await? {
            return Ok(());
        }
        if self.may_use(&keys) {
            let (chain, key) = keys.pair();
            take(chain, key)?;
            info!("the certificate changed");
            self.readiness.has(Part::Certificate);
            self.in_use = Some(keys);
        }
        Ok(())
    }

    /// What the Secret holds, once it holds what it should; what is wrong with it is put right first.
    async fn agree(&mut self) -> Result<Option<Keys>> {
        let now = OffsetDateTime::now_utc();
        let names = &self.managed.names;
        let found = match &self.secret {
            Seen::Unknown => return Ok(None),
            Seen::Absent => None,
            Seen::Present(secret) => read(secret)
                .inspect_err(|error| {
                    warn!(
                        secret = %self.managed.secret,
                        error = format!("{error:#}"),
                        "the Secret with the certificate cannot be used; writing it anew"
                    );
                })
                .ok(),
        };
        let mut keys = match (&found, &self.in_use) {
            (Some(found), _) => found.clone(),
            (None, Some(in_use)) => in_use.clone(),
            (None, None) => Keys::new(names, now)?,
        };
        if let Some(renewed) = keys.renewed(names, now)? {
            keys = renewed;
        }
        if let Some(in_use) = self.in_use.as_ref().filter(|in_use| !keys.trusts(in_use)) {
            keys = keys.with_authorities_of(in_use);
        }
        if found.as_ref() != Some(&keys) {
            return Ok(self.write(&keys).await?.then_some(keys));
        }
        Ok(Some(keys))
    }

    /// With the resourceVersion that was seen: of two replicas one comes too late, and the watch tells it what the other
    /// wrote.
    async fn write(&mut self, keys: &Keys) -> Result<bool> {
        let name = &self.managed.secret;
        let secrets = Api::<Secret>::namespaced(self.client.clone(), &name.namespace);
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let is_new = !matches!(self.secret, Seen::Present(_));
        let mut secret = match &self.secret {
            Seen::Present(secret) => secret.clone(),
            Seen::Unknown | Seen::Absent => template(&name.name),
        };
        let data = keys.to_secret().into_iter();
        secret.data = Some(data.map(|(key, value)| (key, ByteString(value))).collect());
        let written = if is_new {
            answer(secrets.create(&params, &secret)).await
        } else {
            answer(secrets.replace(&name.name, &params, &secret)).await
        };
        match written {
            Ok(written) => {
                info!(secret = %name, "wrote a certificate for all replicas");
                self.secret = Seen::Present(written);
                Ok(true)
            }
            Err(error) if came_too_late(&error) => Ok(false),
            Err(error) => Err(without_values(&error)).with_context(|| {
                format!("cannot write the Secret {name}; where it cannot be changed, delete it")
            }),
        }
    }

    /// Has the configurations trust our CAs, and no others. Whether they do; one that is not there has nothing to trust.
    async fn publish(&mut self, keys: &Keys) -> Result<bool> {
        if self.mutating == Seen::Unknown || self.validating == Seen::Unknown {
            return Ok(false);
        }
        let bundle = keys.bundle();
        let differ = [&self.mutating, &self.validating].map(|seen| seen.differs(&bundle));
        if differ.contains(&true) {
            if self
                .patched
                .is_some_and(|patched| patched.elapsed() < PATCH_PAUSE)
            {
                return Ok(false);
            }
            self.patched = Some(Instant::now());
            let name = self.managed.configurations.clone().unwrap_or_default();
            if let Seen::Present(seen) = &self.mutating
                && differ[0]
            {
                let api = Api::<MutatingWebhookConfiguration>::all(self.client.clone());
                let Some(patched) = patch(&api, &name, seen, &bundle).await? else {
                    return Ok(false);
                };
                self.mutating = Seen::Present(patched);
            }
            if let Seen::Present(seen) = &self.validating
                && differ[1]
            {
                let api = Api::<ValidatingWebhookConfiguration>::all(self.client.clone());
                let Some(patched) = patch(&api, &name, seen, &bundle).await? else {
                    return Ok(false);
                };
                self.validating = Seen::Present(patched);
            }
            info!(name, "the webhook configurations trust our CA");
        }
        if self
            .published
            .as_ref()
            .is_none_or(|(published, _)| *published != bundle)
        {
            self.published = Some((bundle, Instant::now()));
        }
        Ok(true)
    }

    /// A certificate by a CA that is trusted for long is used at once, another only when every API server knows that CA.
    fn may_use(&self, keys: &Keys) -> bool {
        let Some(in_use) = &self.in_use else {
            return true;
        };
        let since = self.published.as_ref().map(|(_, since)| since.elapsed());
        in_use.pair() != keys.pair()
            && (in_use.trusts(keys) || since.is_some_and(|since| since >= PUBLISHED))
    }

    /// Once: it is tried again every few seconds.
    fn tell(&mut self, error: &anyhow::Error) {
        let text = format!("{error:#}");
        self.readiness.lacks(Part::Certificate, text.clone());
        if self.told != text {
            error!(error = text, "cannot keep the certificate; trying again");
            self.metrics.certificate_refused();
            self.told = text;
        }
    }
}

fn read(secret: &Secret) -> Result<Keys> {
    let entries = secret.data.iter().flatten();
    Keys::from_secret(
        &entries
            .map(|(key, value)| (key.clone(), value.0.clone()))
            .collect(),
    )
}

fn template(name: &str) -> Secret {
    let mut secret = Secret {
        type_: Some("kubernetes.io/tls".to_owned()),
        ..Secret::default()
    };
    secret.metadata.name = Some(name.to_owned());
    secret.labels_mut().insert(
        "app.kubernetes.io/managed-by".to_owned(),
        FIELD_MANAGER.to_owned(),
    );
    secret
}

/// Whether somebody else changed the object in the meantime.
fn came_too_late(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Api(status))
        if status.is_conflict() || status.is_already_exists())
}

/// The same of a JSON patch with a test: that it fails is called invalid.
fn failed_its_test(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Api(status)) if status.is_invalid())
}

/// What the API server says about a Secret may quote it.
fn without_values(error: &anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Error>() {
        Some(Error::Api(status)) => {
            anyhow!("the API server says {} {}", status.code, status.reason)
        }
        Some(_) => anyhow!("the API server cannot be reached"),
        None => anyhow!("{error:#}"),
    }
}

async fn patch<K: WebhookConfiguration>(
    api: &Api<K>,
    name: &str,
    seen: &Configuration,
    bundle: &str,
) -> Result<Option<Configuration>> {
    let test = json!({
        "op": "test", "path": "/metadata/resourceVersion", "value": seen.resource_version,
    });
    let mut operations = vec![test];
    for number in 0..seen.bundles.len() {
        operations.push(json!({
            "op": "add",
            "path": format!("/webhooks/{number}/clientConfig/caBundle"),
            "value": BASE64_STANDARD.encode(bundle),
        }));
    }
    let patch = Patch::Json::<()>(serde_json::from_value(operations.into())?);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match answer(api.patch(name, &params, &patch)).await {
        Ok(configuration) => Ok(Some(reduce(&configuration))),
        Err(error) if came_too_late(&error) || failed_its_test(&error) => Ok(None),
        Err(error) => Err(error).with_context(|| {
            format!("cannot patch the caBundle of the webhook configuration {name}")
        }),
    }
}

fn reduce<K: WebhookConfiguration>(configuration: &K) -> Configuration {
    Configuration {
        resource_version: configuration.resource_version().unwrap_or_default(),
        bundles: configuration.bundles(),
    }
}

/// What the two kinds have in common.
trait WebhookConfiguration:
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
            .map(|webhook| bundle(&webhook.client_config))
            .collect()
    }
}

impl WebhookConfiguration for ValidatingWebhookConfiguration {
    fn bundles(&self) -> Vec<Option<ByteString>> {
        let webhooks = self.webhooks.iter().flatten();
        webhooks
            .map(|webhook| bundle(&webhook.client_config))
            .collect()
    }
}

fn bundle(config: &WebhookClientConfig) -> Option<ByteString> {
    config.ca_bundle.clone()
}

impl Seen<Configuration> {
    fn differs(&self, bundle: &str) -> bool {
        let is_other = |found: &Option<ByteString>| {
            found
                .as_ref()
                .is_none_or(|found| found.0 != bundle.as_bytes())
        };
        matches!(self, Self::Present(seen) if seen.bundles.iter().any(is_other))
    }
}

impl<K> From<Option<K>> for Seen<K> {
    fn from(object: Option<K>) -> Self {
        object.map_or(Self::Absent, Self::Present)
    }
}
