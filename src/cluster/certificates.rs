//! The certificate that all replicas share: one Secret, which they change by compare and swap, and the `caBundle` of our
//! webhook configurations, which follows it.
//!
//! A replica serves with the certificate of the Secret once the API server is told to trust its CA. So the Secret may
//! change in any way, by the clock, by hand or by being deleted: no call meets a certificate that is not trusted.

use super::collection::{Collection, is_conflict, own_metadata};
use super::watch::{Source, one_object};
use super::webhooks::{Configuration, patch};
use super::{ObjectName, Observed, without_values};
use crate::runtime::lifecycle::{Part, Readiness};
use crate::runtime::metrics::Metrics;
use crate::tls::keys::Keys;
use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::core::ClusterResourceScope;
use kube::{Client, Resource};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::{Instant, MissedTickBehavior};
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
pub struct CertificateKeeper {
    managed: Managed,
    client: Client,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    secret: Observed<Value>,
    mutating: Observed<Configuration>,
    validating: Observed<Configuration>,
    /// What is served with.
    in_use: Option<Keys>,
    /// What both configurations trust, and since when, if that was not so from the beginning.
    published: Option<(String, Option<Instant>)>,
    patched: Option<Instant>,
    wrote: Option<Instant>,
    told: String,
}

enum Event {
    Secret(Option<Value>),
    Mutating(Option<Configuration>),
    Validating(Option<Configuration>),
}

/// The result of a step without an error.
enum Progress {
    /// The Secret and the configurations are as they should be.
    Complete,
    /// Something is not known yet, or a write was put off: an error of before still stands.
    Waiting,
}

impl CertificateKeeper {
    /// Keeps these.
    #[must_use]
    pub fn new(
        client: Client,
        managed: Managed,
        readiness: Arc<Readiness>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let is_bare = managed.configurations.is_none();
        let configuration = || {
            if is_bare {
                Observed::Absent
            } else {
                Observed::Unknown
            }
        };
        Self {
            managed,
            client,
            readiness,
            metrics,
            secret: Observed::Unknown,
            mutating: configuration(),
            validating: configuration(),
            in_use: None,
            published: None,
            patched: None,
            wrote: None,
            told: String::new(),
        }
    }

    /// Keeps them, for ever. `take` is given each certificate and key that is to be used from now on.
    pub async fn keep(mut self, mut take: impl FnMut(&str, &str) -> Result<()> + Send) {
        let mut events = self.events();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Secret(secret)) => self.secret = secret.into(),
                    Some(Event::Mutating(configuration)) => self.mutating = configuration.into(),
                    Some(Event::Validating(configuration)) => self.validating = configuration.into(),
                    None => return,
                },
                _ = ticks.tick() => {}
            }
            match self.step(&mut take).await {
                Ok(Progress::Complete) if !self.told.is_empty() => {
                    self.told.clear();
                    self.metrics.certificate.kept();
                }
                Ok(Progress::Complete | Progress::Waiting) => {}
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
        let source = Source::one_in::<Secret>("secrets", &secret.namespace, &secret.name);
        let read = |json: &str| serde_json::from_str(json).ok();
        let watched = one_object(self.client.clone(), source, &self.metrics, read);
        let mut all = vec![watched.map(Event::Secret).boxed()];
        if let Some(name) = configurations {
            let mutating = self.watch_configuration::<MutatingWebhookConfiguration>(name);
            let validating = self.watch_configuration::<ValidatingWebhookConfiguration>(name);
            all.push(mutating.map(Event::Mutating).boxed());
            all.push(validating.map(Event::Validating).boxed());
        }
        select_all(all).boxed()
    }

    fn watch_configuration<K>(&self, name: &str) -> BoxStream<'static, Option<Configuration>>
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope>,
    {
        let source = Source::one::<K>("webhookconfigurations", name);
        one_object(
            self.client.clone(),
            source,
            &self.metrics,
            Configuration::read,
        )
        .boxed()
    }

    async fn step(
        &mut self,
        take: &mut (impl FnMut(&str, &str) -> Result<()> + Send),
    ) -> Result<Progress> {
        let Some(keys) = self.agree().await? else {
            return Ok(Progress::Waiting);
        };
        self.metrics
            .certificate
            .authority_expires(keys.authority_expires());
        self.publish(&keys).await?;
        if self.may_use(&keys) {
            let (chain, key) = keys.pair();
            take(chain, key)?;
            info!("the certificate changed");
            self.readiness.has(Part::Certificate);
            self.in_use = Some(keys);
        }
        Ok(Progress::Complete)
    }

    /// What the Secret holds, once it holds what it should; what is wrong with it is put right first.
    async fn agree(&mut self) -> Result<Option<Keys>> {
        let now = OffsetDateTime::now_utc();
        let names = &self.managed.names;
        if self.mutating == Observed::Unknown || self.validating == Observed::Unknown {
            return Ok(None);
        }
        let found = match &self.secret {
            Observed::Unknown => return Ok(None),
            Observed::Absent => None,
            Observed::Present(secret) => read(secret)
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
        keys = match &self.in_use {
            Some(in_use) if keys.trusts(in_use) => keys,
            Some(in_use) => keys.with_authorities_of(in_use),
            // Other replicas may serve with what the configurations trust now.
            None => self
                .bundles()
                .fold(keys, |keys, bundle| keys.with_bundle(bundle, now)),
        };
        if found.as_ref() != Some(&keys) {
            return Ok(self.write(&keys).await?.then_some(keys));
        }
        Ok(Some(keys))
    }

    /// With the resourceVersion that was seen: of two replicas one comes too late, and the watch tells it what the other
    /// wrote.
    async fn write(&mut self, keys: &Keys) -> Result<bool> {
        // Of two that do not agree on what is good, neither may keep the API server busy.
        if self.wrote.is_some_and(|wrote| wrote.elapsed() < TICK) {
            return Ok(false);
        }
        self.wrote = Some(Instant::now());
        let name = &self.managed.secret;
        let secrets = Collection::of::<Secret>(self.client.clone(), &name.namespace);
        let data: BTreeMap<_, _> = keys
            .to_secret()
            .into_iter()
            .map(|(key, value)| (key, BASE64_STANDARD.encode(value)))
            .collect();
        let written = if let Observed::Present(secret) = &self.secret {
            let mut secret = secret.clone();
            secret["data"] = json!(data);
            secrets.replace(&name.name, &secret).await
        } else {
            let metadata = own_metadata(&name.name);
            let secret = json!({"metadata": metadata, "type": "kubernetes.io/tls", "data": data});
            secrets.create(&secret).await
        };
        match written {
            Ok(written) => {
                info!(secret = %name, "wrote a certificate for all replicas");
                self.secret = Observed::Present(written);
                Ok(true)
            }
            Err(error) if is_conflict(&error) => Ok(false),
            Err(error) => Err(without_values(&error)).with_context(|| {
                format!("cannot write the Secret {name}; where it cannot be changed, delete it")
            }),
        }
    }

    /// Has the configurations trust our CAs, and no others. Those that are not there have nothing to trust.
    async fn publish(&mut self, keys: &Keys) -> Result<()> {
        let bundle = keys.bundle();
        let differ = [&self.mutating, &self.validating].map(|seen| seen.differs(&bundle));
        let is_known = |(published, _): &(String, _)| *published == bundle;
        if differ == [false, false] {
            if !self.published.as_ref().is_some_and(is_known) {
                self.published = Some((bundle, self.patched.map(|_| Instant::now())));
            }
            return Ok(());
        }
        // Also if another replica puts it right: until then it is not published.
        self.published = None;
        if let Some(patched) = self.patched {
            tokio::time::sleep(PATCH_PAUSE.saturating_sub(patched.elapsed())).await;
        }
        self.patched = Some(Instant::now());
        let name = self.managed.configurations.clone().unwrap_or_default();
        if differ[0] {
            let api = Collection::of_cluster::<MutatingWebhookConfiguration>(self.client.clone());
            patch(&api, &name, &mut self.mutating, &bundle).await?;
        }
        if differ[1] {
            let api = Collection::of_cluster::<ValidatingWebhookConfiguration>(self.client.clone());
            patch(&api, &name, &mut self.validating, &bundle).await?;
        }
        info!(name, "the webhook configurations trust our CA");
        self.published = Some((bundle, Some(Instant::now())));
        Ok(())
    }

    /// What the configurations trust now (PEM).
    fn bundles(&self) -> impl Iterator<Item = &str> {
        let configurations = [&self.mutating, &self.validating].into_iter();
        let seen = configurations.filter_map(|seen| match seen {
            Observed::Present(configuration) => Some(&configuration.bundles),
            Observed::Unknown | Observed::Absent => None,
        });
        seen.flatten().flatten().map(String::as_str)
    }

    /// A certificate by a CA that is trusted for long is used at once, another only when every API server knows that CA.
    /// The first certificate of all is used at once too: nobody is called who has none.
    fn may_use(&self, keys: &Keys) -> bool {
        let since = self.published.as_ref().map(|(_, since)| *since);
        let is_published =
            since.is_some_and(|since| since.is_none_or(|since| since.elapsed() >= PUBLISHED));
        match &self.in_use {
            Some(in_use) => in_use.pair() != keys.pair() && (in_use.trusts(keys) || is_published),
            None => keys.is_alone() || is_published,
        }
    }

    /// Once: it is tried again every few seconds.
    fn tell(&mut self, error: &anyhow::Error) {
        let text = format!("{error:#}");
        self.readiness.lacks(Part::Certificate, text.clone());
        if self.told != text {
            error!(error = text, "cannot keep the certificate; trying again");
            self.metrics.certificate.refused();
            self.told = text;
        }
    }
}

fn read(secret: &Value) -> Result<Keys> {
    let entries = secret["data"].as_object().into_iter().flatten();
    let decode = |value: &Value| BASE64_STANDARD.decode(value.as_str()?).ok();
    let entries = entries.filter_map(|(key, value)| Some((key.clone(), decode(value)?)));
    Keys::from_secret(&entries.collect())
}
