//! Manages the certificate that all replicas share: a Secret, and the `caBundle` of the webhook configurations, which
//! follows the Secret.
//!
//! The API server calls a webhook only if it trusts the CA of the serving certificate. The Secret, the two
//! configurations and each replica change at different times, so every change keeps one invariant: **a replica uses a
//! certificate only when both configurations trust its CA.** Three rules follow from that.
//!
//! 1. A new CA goes into the `caBundle` first. Its certificate replaces another one only 30 s later, because each API
//!    server reads the configurations through a watch and may be a second late.
//! 2. The `caBundle` keeps earlier CAs, because other replicas may still serve with their certificates.
//! 3. A replica that has a certificate keeps it until the next one may be used. So the Secret may change by the clock,
//!    by hand or by deletion, and no call meets an untrusted certificate.
//!
//! No replica leads. Each one repairs whatever it finds wrong. A write to the Secret carries the resourceVersion that
//! was read, so of two replicas one fails and learns the result of the other by the watch. The Secret is watched
//! through the API and not mounted: an optional volume appears 50 to 70 s late.

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

/// The interval of the clock checks, and of the retries after a failure.
const TICK: Duration = Duration::from_secs(5);
/// The time for which a new CA must be published before its certificate replaces another one. Each API server reads the
/// webhook configurations through a watch, and is at most about a second late.
const PUBLISHED: Duration = Duration::from_secs(30);
/// The least time between two patches of the configurations: another program may undo each patch.
const PATCH_PAUSE: Duration = Duration::from_secs(1);

/// The objects that are managed, and the names in the certificate.
#[derive(Debug, Clone)]
pub struct Managed {
    /// The Secret.
    pub secret: ObjectName,
    /// The DNS names for which the certificate is valid.
    pub names: Vec<String>,
    /// The name of both webhook configurations.
    pub configurations: Option<String>,
}

/// Keeps the Secret, the configurations and the certificate in use consistent.
pub struct CertificateKeeper {
    managed: Managed,
    client: Client,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    secret: Observed<Value>,
    mutating: Observed<Configuration>,
    validating: Observed<Configuration>,
    /// The certificate that the server uses.
    in_use: Option<Keys>,
    /// The bundle that both configurations trust, and the time of its publication; `None` if they trusted it from the
    /// beginning.
    published: Option<(String, Option<Instant>)>,
    patched: Option<Instant>,
    wrote: Option<Instant>,
    last_error: String,
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
    /// A fact is not known yet, or a write was put off. An earlier error still stands.
    Waiting,
}

impl CertificateKeeper {
    /// Manages these objects.
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
            last_error: String::new(),
        }
    }

    /// Runs for ever. Calls `take` with each certificate and key to be used from now on.
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
                Ok(Progress::Complete) if !self.last_error.is_empty() => {
                    self.last_error.clear();
                    self.metrics.certificate.kept();
                }
                Ok(Progress::Complete | Progress::Waiting) => {}
                Err(error) => self.report(&error),
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

    /// Returns the keys in the Secret, after repairing the Secret if necessary. Returns `None` if the keys cannot be
    /// known yet.
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
                        "cannot use the Secret with the certificate; replacing its content"
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
            // Other replicas may serve with certificates that the configurations trust now.
            None => self
                .bundles()
                .fold(keys, |keys, bundle| keys.with_bundle(bundle, now)),
        };
        if found.as_ref() != Some(&keys) {
            return Ok(self.write(&keys).await?.then_some(keys));
        }
        Ok(Some(keys))
    }

    /// Writes the Secret with the resourceVersion that was read. Of two replicas one fails, and learns the other's
    /// result by the watch. Returns whether the write succeeded.
    async fn write(&mut self, keys: &Keys) -> Result<bool> {
        // Two replicas may disagree about a good certificate. Neither may keep the API server busy.
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
                format!("cannot write the Secret {name}; if it cannot be changed, delete it")
            }),
        }
    }

    /// Makes the configurations trust these CAs and no others. A configuration that does not exist needs no change.
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
        // Another replica may repair the configurations, too. Until they are right, the bundle is not published.
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
        info!(name, "the webhook configurations trust the CA");
        self.published = Some((bundle, Some(Instant::now())));
        Ok(())
    }

    /// Returns the bundles that the configurations trust now (PEM).
    fn bundles(&self) -> impl Iterator<Item = &str> {
        let configurations = [&self.mutating, &self.validating].into_iter();
        let seen = configurations.filter_map(|seen| match seen {
            Observed::Present(configuration) => Some(&configuration.bundles),
            Observed::Unknown | Observed::Absent => None,
        });
        seen.flatten().flatten().map(String::as_str)
    }

    /// Returns whether this certificate may replace the one in use. A certificate of a CA that was trusted before is
    /// used at once; another one waits until every API server knows its CA. The very first certificate, with no other
    /// CA trusted, is used at once, too: a replica without a certificate gets no calls, so this one can break none.
    fn may_use(&self, keys: &Keys) -> bool {
        let since = self.published.as_ref().map(|(_, since)| *since);
        let is_published =
            since.is_some_and(|since| since.is_none_or(|since| since.elapsed() >= PUBLISHED));
        match &self.in_use {
            Some(in_use) => in_use.pair() != keys.pair() && (in_use.trusts(keys) || is_published),
            None => keys.is_alone() || is_published,
        }
    }

    /// Logs an error once, although the step is retried every few seconds.
    fn report(&mut self, error: &anyhow::Error) {
        let text = format!("{error:#}");
        self.readiness.lacks(Part::Certificate, text.clone());
        if self.last_error != text {
            error!(error = text, "cannot keep the certificate; trying again");
            self.metrics.certificate.refused();
            self.last_error = text;
        }
    }
}

fn read(secret: &Value) -> Result<Keys> {
    let entries = secret["data"].as_object().into_iter().flatten();
    let decode = |value: &Value| BASE64_STANDARD.decode(value.as_str()?).ok();
    let entries = entries.filter_map(|(key, value)| Some((key.clone(), decode(value)?)));
    Keys::from_secret(&entries.collect())
}
