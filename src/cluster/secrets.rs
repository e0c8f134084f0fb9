//! Watches docker-type Secrets. What comes of them is reduced to facts before it is put aside for even a moment.

use super::{ObjectName, fingerprint};
use crate::facts::inventory::{Inventory, InventoryMode, Names, SecretFacts};
use crate::kubelet::docker_config::Form;
use crate::objects::kind::Kind;
use crate::objects::read;
use crate::runtime::metrics::{Metrics, PULL_SECRETS};
use crate::secrets::credentials::{Content, FingerprintKey, MANAGED, SecretContent};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

/// How many Secrets are asked for at a time. Each may hold 1 MiB, and a page is in memory as a whole.
const PAGE: u32 = 50;
/// After so many changes texts that nobody shares are forgotten.
const FORGET: usize = 10_000;

/// Which docker-type Secrets are watched, and how much of them is kept.
#[derive(Debug, Clone)]
pub struct SecretsWatch {
    /// How much is kept.
    pub mode: InventoryMode,
    /// The Secret with the key of fingerprints. Without it no content is kept.
    pub fingerprint_secret: Option<ObjectName>,
}

/// What a watch says.
pub(super) enum SecretChange {
    /// How much will be known, and what fingerprints are made with.
    Mode(InventoryMode, Option<FingerprintKey>),
    /// A list of Secrets of this type begins.
    Begin(Form),
    /// It names this one.
    Listed(SeenSecret),
    /// It is over: what it did not name is gone.
    End(Form),
    /// This one is new, or has changed.
    Set(SeenSecret),
    /// This one is gone.
    Gone(SeenSecret),
}

/// A Secret, reduced.
pub(super) struct SeenSecret {
    namespace: String,
    name: String,
    facts: SecretFacts,
}

/// Everything that happens to docker-type Secrets.
pub(super) fn changes(
    client: Client,
    watched: SecretsWatch,
    metrics: &Arc<Metrics>,
) -> BoxStream<'static, SecretChange> {
    let metrics = metrics.clone();
    match (watched.mode, watched.fingerprint_secret) {
        (InventoryMode::Off, _) => stream::pending().boxed(),
        (InventoryMode::Names, _) | (InventoryMode::Contents, None) => {
            let api = Api::<PartialObjectMeta<Secret>>::all(client);
            let begin = stream::iter([SecretChange::Mode(InventoryMode::Names, None)]);
            begin.chain(watch(&api, None, &metrics)).boxed()
        }
        (InventoryMode::Contents, Some(name)) => {
            stream::once(fingerprint::key(client.clone(), name))
                .flat_map(move |key| {
                    let api = Api::<DockerSecret>::all(client.clone());
                    let begin = SecretChange::Mode(InventoryMode::Contents, Some(key.clone()));
                    stream::iter([begin]).chain(watch(&api, Some(&key), &metrics))
                })
                .boxed()
        }
    }
}

fn watch<K: Reduce>(
    api: &Api<K>,
    key: Option<&FingerprintKey>,
    metrics: &Arc<Metrics>,
) -> impl Stream<Item = SecretChange> + Send + use<K> {
    // Each type is listed and watched apart: a field selector knows no "or".
    let each = Form::ALL.map(|form| {
        let config = watcher::Config::default()
            .fields(&format!("type={}", form.secret_type()))
            .page_size(PAGE);
        let key = key.cloned();
        let seen = move |secret: K| SeenSecret {
            namespace: secret.namespace().unwrap_or_default(),
            name: secret.name_any(),
            facts: SecretFacts {
                form,
                content: secret.content(key.as_ref()),
                changed: secret.changed(),
                is_managed: secret.is_managed(),
            },
        };
        super::events(api.clone(), config, PULL_SECRETS, metrics.clone()).map(move |event| {
            match event {
                Event::Init => SecretChange::Begin(form),
                Event::InitApply(secret) => SecretChange::Listed(seen(secret)),
                Event::InitDone => SecretChange::End(form),
                Event::Apply(secret) => SecretChange::Set(seen(secret)),
                Event::Delete(secret) => SecretChange::Gone(seen(secret)),
            }
        })
    });
    let [first, second] = each;
    stream::select(first, second)
}

/// What is known of Secrets, and what a list that is under way has named so far.
#[derive(Default)]
pub(super) struct InventoryLearner {
    inventory: Inventory,
    names: Names,
    listed: [HashSet<[Arc<str>; 2]>; Form::ALL.len()],
    synced: [bool; Form::ALL.len()],
    changes: usize,
}

impl InventoryLearner {
    /// The inventory, once all Secrets are known.
    pub(super) fn inventory(&self) -> Option<&Inventory> {
        (self.synced == [true; Form::ALL.len()]).then_some(&self.inventory)
    }

    /// Learns what a watch says about Secrets.
    pub(super) fn learn(&mut self, change: SecretChange) {
        match change {
            SecretChange::Mode(..) => {}
            SecretChange::Begin(form) => self.begin(form),
            SecretChange::Listed(seen) => {
                self.note(&seen);
                self.set(&seen.namespace, &seen.name, Some(seen.facts));
            }
            SecretChange::End(form) => self.end(form),
            SecretChange::Set(seen) => self.set(&seen.namespace, &seen.name, Some(seen.facts)),
            SecretChange::Gone(seen) => self.set(&seen.namespace, &seen.name, None),
        }
    }

    /// Of a first list that broke off nothing is left.
    fn begin(&mut self, form: Form) {
        self.listed[number(form)].clear();
        if !self.synced[number(form)] {
            self.inventory.retain(form, &mut self.names, |_, _| false);
        }
    }

    /// What a list does not name is gone; at the first one there is nothing else, and nothing is noted for that.
    fn note(&mut self, seen: &SeenSecret) {
        let number = number(seen.facts.form);
        if self.synced[number] {
            let place = [&seen.namespace, &seen.name].map(|text| self.names.intern(text));
            self.listed[number].insert(place);
        }
    }

    fn end(&mut self, form: Form) {
        let named = std::mem::take(&mut self.listed[number(form)]);
        if self.synced[number(form)] {
            let is_there =
                |namespace: &str, name: &str| named.contains(&[namespace.into(), name.into()]);
            self.inventory.retain(form, &mut self.names, is_there);
        }
        drop(named);
        self.names.forget_unshared();
        self.inventory.shrink();
        self.synced[number(form)] = true;
    }

    fn set(&mut self, namespace: &str, name: &str, facts: Option<SecretFacts>) {
        let facts = facts.map(|facts| facts.shared(&mut self.names));
        self.inventory.set(namespace, name, facts, &mut self.names);
        self.changes += 1;
        if self.changes.is_multiple_of(FORGET) {
            self.names.forget_unshared();
        }
    }
}

fn number(form: Form) -> usize {
    let mut forms = Form::ALL.into_iter();
    forms.position(|known| known == form).unwrap_or_default()
}

/// A Secret as a watch brings it.
trait Reduce:
    Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + Debug + Send + 'static
{
    /// What is kept of its content.
    fn content(&self, key: Option<&FingerprintKey>) -> Content;

    /// Whether it is a copy that Pullgate keeps.
    fn is_managed(&self) -> bool {
        self.labels().contains_key(MANAGED)
    }

    /// When it was changed last, in seconds of Unix time: by any field manager, or when it was made.
    fn changed(&self) -> Option<u32> {
        let managers = self.managed_fields().iter();
        let times = managers.filter_map(|manager| manager.time.clone());
        let times = times.chain(self.creation_timestamp());
        let seconds = times.filter_map(|time| u32::try_from(time.0.as_second()).ok());
        seconds.max()
    }
}

impl Reduce for PartialObjectMeta<Secret> {
    fn content(&self, _: Option<&FingerprintKey>) -> Content {
        Content::Unread
    }
}

/// A docker-type Secret of which no more is read than is needed, and the content into memory that is wiped.
#[derive(Debug, Clone)]
struct DockerSecret {
    metadata: ObjectMeta,
    content: Option<SecretContent>,
}

impl Reduce for DockerSecret {
    fn content(&self, key: Option<&FingerprintKey>) -> Content {
        let nothing = || Content::Credentials([].into());
        let content = self.content.as_ref();
        content.map_or_else(nothing, |content| content.reduce(key))
    }
}

impl Resource for DockerSecret {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        Secret::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Secret::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Secret::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Secret::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<'de> Deserialize<'de> for DockerSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct OnlyMetadata {
            metadata: ObjectMeta,
        }
        let json: &RawValue = Deserialize::deserialize(deserializer)?;
        let error = |_| serde::de::Error::custom("no Secret");
        let OnlyMetadata { metadata } = serde_json::from_str(json.get()).map_err(error)?;
        let object = read::read(Kind::Secret, json.get()).map_err(error)?;
        Ok(Self {
            metadata,
            content: object.content,
        })
    }
}
