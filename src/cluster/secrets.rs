//! Watches docker-type Secrets. Each Secret is reduced to facts before anything of it is stored.
//!
//! Reading a Secret of 1 MiB takes milliseconds, in which its thread does nothing else. So large Secrets are read on a
//! separate thread, one at a time for each type: namespaces and service accounts are learned meanwhile, and an older
//! version of a Secret never replaces a newer one.

use super::watch::{Event, Name, ObjectContent, RawObject, Seen, Source, Unreadable, raw_objects};
use super::{ObjectName, fingerprint};
use crate::facts::inventory::{Inventory, InventoryMode, Names, SecretFacts};
use crate::kubelet::docker_config::Form;
use crate::objects::kind::Kind;
use crate::objects::read::{self, Text};
use crate::runtime::lifecycle::Readiness;
use crate::runtime::metrics::{Metrics, PULL_SECRETS};
use crate::secrets::credentials::{Content, FingerprintKey, SecretContent};
use crate::text::scan;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::future::ready;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// The longest Secret that is read on the same thread, in bytes. That takes less time than handing it to another thread
/// and back.
const SHORT: usize = 16 * 1024;
/// The longest Secret that is read again in each list, in bytes: a hundred thousand of them take less than a minute.
const CHEAP: usize = 4 * 1024;
/// The number of changes after which texts that are not shared are forgotten.
const FORGET: usize = 10_000;

/// The settings for the watch of docker-type Secrets.
#[derive(Debug, Clone)]
pub struct SecretsWatch {
    /// The mode of the inventory.
    pub mode: InventoryMode,
    /// The Secret with the key of fingerprints. Without it no content is kept.
    pub fingerprint_secret: Option<ObjectName>,
    /// Reduces the content of a Secret to the facts that are kept: [`SecretContent::reduce`].
    pub reduce: Reducer,
}

/// A function that reduces the content of a Secret to the facts that are kept. Without a key it makes no fingerprints.
pub type Reducer = fn(&SecretContent, Option<&FingerprintKey>) -> Content;

/// A message of a watch.
pub(super) enum SecretChange {
    /// The mode of the inventory, and the key of fingerprints.
    Mode(InventoryMode, Option<FingerprintKey>),
    /// A change of a Secret of this type.
    Event(Form, Event<Seen<SecretFacts>>),
}

/// Returns the stream of all changes of docker-type Secrets.
pub(super) fn changes(
    client: Client,
    watched: SecretsWatch,
    metrics: &Arc<Metrics>,
    readiness: &Arc<Readiness>,
) -> BoxStream<'static, SecretChange> {
    let metrics = metrics.clone();
    let reduce = watched.reduce;
    match (watched.mode, watched.fingerprint_secret) {
        (InventoryMode::Off, _) => stream::pending().boxed(),
        (InventoryMode::Names, _) | (InventoryMode::Contents, None) => {
            let begin = stream::iter([SecretChange::Mode(InventoryMode::Names, None)]);
            begin.chain(watch(&client, None, &metrics)).boxed()
        }
        (InventoryMode::Contents, Some(name)) => {
            let readiness = readiness.clone();
            let key = fingerprint::key(client.clone(), name, metrics.clone(), readiness);
            stream::once(key)
                .flat_map(move |key| {
                    let begin = SecretChange::Mode(InventoryMode::Contents, Some(key.clone()));
                    stream::iter([begin]).chain(watch(&client, Some(&(key, reduce)), &metrics))
                })
                .boxed()
        }
    }
}

/// Follows the Secrets of both types. Without a key, it asks only for their metadata.
fn watch(
    client: &Client,
    contents: Option<&(FingerprintKey, Reducer)>,
    metrics: &Arc<Metrics>,
) -> impl Stream<Item = SecretChange> + Send + use<> {
    let asked = match contents {
        Some(_) => ObjectContent::Whole,
        None => ObjectContent::Metadata,
    };
    // Each type is listed and watched separately: a field selector has no "or".
    let [first, second] = Form::ALL.map(|form| {
        let source = Source::all::<Secret>(PULL_SECRETS, asked)
            .of_fields(format!("type={}", form.secret_type()));
        let mut unreadable = Unreadable::new(PULL_SECRETS, metrics.clone());
        let reader = SecretReader {
            form,
            contents: contents.cloned(),
        };
        let objects = raw_objects(client.clone(), source, metrics.clone()).boxed();
        let begin = (objects, reader, ReadSecrets::new());
        let events = stream::unfold(begin, |(mut objects, reader, mut known)| async {
            let event = reader.event(objects.next().await?, &mut known).await;
            Some((event, (objects, reader, known)))
        });
        events
            .filter_map(move |event| ready(unreadable.note(event)))
            .map(move |event| SecretChange::Event(form, event))
    });
    stream::select(first, second)
}

/// Secrets of a list that is not complete: the resourceVersion of each, and the facts that are kept of it.
///
/// The API server ends a list after a minute. If there are so many large Secrets that reading them takes longer, the
/// next list continues after the last Secret that was read, instead of reading the same Secrets for ever.
type ReadSecrets = HashMap<Name, (String, Option<SecretFacts>)>;

/// Reads the Secrets of one type.
#[derive(Clone)]
struct SecretReader {
    form: Form,
    contents: Option<(FingerprintKey, Reducer)>,
}

impl SecretReader {
    async fn event(
        &self,
        event: Event<RawObject>,
        known: &mut ReadSecrets,
    ) -> Event<Seen<SecretFacts>> {
        match event {
            Event::Listed(object) => Event::Listed(self.listed(object, known).await),
            Event::Set(object) => Event::Set(self.object(object).await),
            // This text holds the content a second time.
            Event::Gone(object) => Event::Gone(object.decode(|_| None)),
            Event::Begin => Event::Begin,
            Event::End => {
                *known = ReadSecrets::new();
                Event::End
            }
            Event::Fails => Event::Fails,
            Event::Works => Event::Works,
        }
    }

    async fn listed(&self, object: RawObject, known: &mut ReadSecrets) -> Seen<SecretFacts> {
        let key = object.name.clone().zip(object.version.clone());
        let Some((name, version)) = key.filter(|_| object.length() > CHEAP) else {
            return self.object(object).await;
        };
        if let Some((same, kept)) = known.get(&name)
            && *same == version
        {
            let kept = kept.clone();
            return Seen { name, kept };
        }
        let seen = self.object(object).await;
        known.insert(name, (version, seen.kept.clone()));
        seen
    }

    async fn object(&self, object: RawObject) -> Seen<SecretFacts> {
        if object.length() <= SHORT {
            return object.decode(|json| self.read(json));
        }
        let name = object.name.clone().unwrap_or_default();
        let reader = self.clone();
        let read = spawn_blocking(move || object.decode(|json| reader.read(json))).await;
        // An error means that the thread panicked.
        read.unwrap_or(Seen { name, kept: None })
    }

    fn read(&self, json: &str) -> Option<SecretFacts> {
        let SecretMetadata {
            creation_timestamp,
            managed_fields,
        } = scan::from_str::<SecretObject<'_>>(json).ok()?.metadata;
        let content = match &self.contents {
            None => Content::Unread,
            Some((key, reduce)) => {
                let object = read::read(Kind::Secret, json).ok()?;
                let nothing = || Content::Credentials([].into());
                let content = object.content.as_ref();
                content.map_or_else(nothing, |content| reduce(content, Some(key)))
            }
        };
        let times = managed_fields.into_iter().flatten();
        let times = times.filter_map(|manager| manager.time);
        let seconds = times.chain(creation_timestamp).filter_map(|time| {
            // A time that cannot be read, such as one in the year 9999, is left out.
            let time: Timestamp = time.0.parse().ok()?;
            u32::try_from(time.as_second()).ok()
        });
        Some(SecretFacts {
            form: self.form,
            content,
            changed: seconds.max(),
        })
    }
}

#[derive(Deserialize)]
struct SecretObject<'a> {
    #[serde(borrow)]
    metadata: SecretMetadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretMetadata<'a> {
    #[serde(borrow)]
    creation_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    managed_fields: Option<Vec<FieldManager<'a>>>,
}

/// A field manager of an object, and when it changed the object last.
#[derive(Deserialize)]
struct FieldManager<'a> {
    #[serde(borrow)]
    time: Option<Text<'a>>,
}

/// The known Secrets, and the names that the current list has given so far.
#[derive(Default)]
pub(super) struct InventoryLearner {
    inventory: Inventory,
    names: Names,
    listed: [HashSet<[Arc<str>; 2]>; Form::ALL.len()],
    /// Secrets with a name that still belongs to a Secret of the other type. That Secret is deleted, but its watch has
    /// not reported it yet.
    waiting: HashMap<Name, SecretFacts>,
    synced: [bool; Form::ALL.len()],
    failing: [bool; Form::ALL.len()],
    changes: usize,
}

impl InventoryLearner {
    /// Returns the inventory, once all Secrets are known.
    pub(super) fn inventory(&self) -> Option<&Inventory> {
        (self.synced == [true; Form::ALL.len()]).then_some(&self.inventory)
    }

    /// Returns whether the watch of one of the types fails.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.contains(&true)
    }

    /// Applies an event of a watch. Returns whether the inventory to show has changed.
    pub(super) fn learn(&mut self, form: Form, event: Event<Seen<SecretFacts>>) -> bool {
        let before = (self.changes, self.synced, self.failing);
        match event {
            Event::Begin => self.begin(form),
            Event::Listed(seen) => {
                self.note(form, &seen.name);
                self.set(form, seen);
            }
            Event::End => self.end(form),
            Event::Set(seen) => self.set(form, seen),
            Event::Gone(seen) => self.gone(form, &seen.name),
            Event::Fails => self.failing[number(form)] = true,
            Event::Works => self.failing[number(form)] = false,
        }
        let is_same = before.0 == self.changes || self.inventory().is_none();
        !is_same || before.1 != self.synced || before.2 != self.failing
    }

    /// Begins a list. If the first list broke off, its Secrets are forgotten.
    fn begin(&mut self, form: Form) {
        self.listed[number(form)].clear();
        if !self.synced[number(form)] {
            self.retain(form, &HashSet::new());
        }
    }

    /// Notes the name of a listed Secret, because Secrets that a list does not name are deleted. The first list needs
    /// no notes.
    fn note(&mut self, form: Form, name: &Name) {
        let number = number(form);
        if self.synced[number] {
            let place = [&name.namespace, &name.name].map(|text| self.names.intern(text));
            self.listed[number].insert(place);
        }
    }

    fn end(&mut self, form: Form) {
        let named = std::mem::take(&mut self.listed[number(form)]);
        if self.synced[number(form)] {
            self.retain(form, &named);
        }
        drop(named);
        self.names.forget_unshared();
        self.inventory.shrink();
        self.synced[number(form)] = true;
    }

    fn retain(&mut self, form: Form, named: &HashSet<[Arc<str>; 2]>) {
        let is_there = |namespace: &str, name: &str| {
            !named.is_empty() && named.contains(&[namespace.into(), name.into()])
        };
        self.inventory.retain(form, &mut self.names, is_there);
        self.waiting
            .retain(|name, facts| facts.form != form || is_there(&name.namespace, &name.name));
        self.changes += 1;
        self.settle();
    }

    fn set(&mut self, form: Form, Seen { name, kept }: Seen<SecretFacts>) {
        // An unreadable Secret exists nevertheless.
        let facts = kept.unwrap_or(SecretFacts {
            form,
            content: Content::Unread,
            changed: None,
        });
        match self.inventory.get(&name.namespace, &name.name) {
            Some(known) if known.form != form => drop(self.waiting.insert(name, facts)),
            Some(known) if *known == facts => {}
            _ => self.change(&name, Some(facts)),
        }
    }

    fn gone(&mut self, form: Form, name: &Name) {
        if self
            .waiting
            .get(name)
            .is_some_and(|facts| facts.form == form)
        {
            self.waiting.remove(name);
        }
        let known = self.inventory.get(&name.namespace, &name.name);
        if known.is_some_and(|known| known.form == form) {
            self.change(name, None);
            self.settle();
        }
    }

    /// Adds the waiting Secrets with a name that is free now.
    fn settle(&mut self) {
        let is_free = |name: &Name| self.inventory.get(&name.namespace, &name.name).is_none();
        let free: Vec<_> = self.waiting.extract_if(|name, _| is_free(name)).collect();
        for (name, facts) in free {
            self.change(&name, Some(facts));
        }
    }

    fn change(&mut self, Name { namespace, name }: &Name, facts: Option<SecretFacts>) {
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
