//! Objects of a watch: first only the name is read, then the kept parts.

use super::split::Json;
use crate::objects::read::Text;
use crate::runtime::metrics::Metrics;
use crate::text::excerpt::{clean, shorten};
use crate::text::scan;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::Arc;
use tracing::warn;

/// The number of unreadable objects of a watch that are named in the log. All are counted.
const NAMED: usize = 10;
/// The most characters of a name that are shown.
const MAX_NAME: usize = 253;

/// An event of the objects of one type.
#[derive(Debug)]
pub(in crate::cluster) enum Event<T> {
    /// A list begins.
    Begin,
    /// The list holds this object.
    Listed(T),
    /// The list is complete: an object that it did not hold is gone.
    End,
    /// This object is new, or has changed.
    Set(T),
    /// This object is gone.
    Gone(T),
    /// The watch fails, and is retried. Until [`Event::Works`] no events arrive.
    Fails,
    /// The watch works again.
    Works,
}

impl<T> Event<T> {
    /// Returns the same event with a converted object.
    pub(in crate::cluster) fn map<U>(self, map: impl FnOnce(T) -> U) -> Event<U> {
        let (of, object): (fn(U) -> Event<U>, T) = match self {
            Self::Begin => return Event::Begin,
            Self::End => return Event::End,
            Self::Fails => return Event::Fails,
            Self::Works => return Event::Works,
            Self::Listed(object) => (Event::Listed, object),
            Self::Set(object) => (Event::Set, object),
            Self::Gone(object) => (Event::Gone, object),
        };
        of(map(object))
    }
}

/// An object that was not decoded. It has no `Debug`, because it may be a Secret.
pub(in crate::cluster) struct RawObject {
    /// The name, or `None` if it cannot be read.
    pub(in crate::cluster) name: Option<Name>,
    /// The resourceVersion, or `None` if it cannot be read.
    pub(in crate::cluster) version: Option<String>,
    json: Json,
}

/// The name of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in crate::cluster) struct Name {
    /// The namespace; empty if the type has none.
    pub(in crate::cluster) namespace: String,
    /// The name.
    pub(in crate::cluster) name: String,
}

/// A decoded object: its name and its kept parts.
#[derive(Debug)]
pub(in crate::cluster) struct Seen<T> {
    /// The name.
    pub(in crate::cluster) name: Name,
    /// The kept parts, or `None` if they cannot be read.
    pub(in crate::cluster) kept: Option<T>,
}

#[derive(Deserialize, Default)]
struct Head<'a> {
    #[serde(borrow)]
    metadata: Option<HeadMetadata<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct HeadMetadata<'a> {
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    resource_version: Option<Text<'a>>,
}

impl RawObject {
    /// Reads the name of an object.
    pub(super) fn new(json: Json) -> Self {
        let head: Head<'_> = scan::from_slice(&json).unwrap_or_default();
        let metadata = head.metadata.unwrap_or_default();
        let namespace = metadata.namespace.map(|text| text.0.into_owned());
        let name = metadata.name.filter(|name| !name.0.is_empty());
        let name = name.map(|name| Name {
            namespace: namespace.unwrap_or_default(),
            name: name.0.into_owned(),
        });
        let version = metadata.resource_version;
        let version = version.map(|version| version.0.into_owned());
        Self {
            name,
            version,
            json,
        }
    }

    /// Returns the length of the object, in bytes.
    pub(in crate::cluster) fn length(&self) -> usize {
        self.json.len()
    }

    /// Decodes the kept parts. `read` gets the object as JSON, and returns `None` if it cannot read it.
    pub(in crate::cluster) fn decode<T>(self, read: impl FnOnce(&str) -> Option<T>) -> Seen<T> {
        let kept = std::str::from_utf8(&self.json).ok().and_then(read);
        Seen {
            name: self.name.unwrap_or_default(),
            kept,
        }
    }
}

/// Returns the resourceVersion of an object, or `None` if it cannot be read.
pub(super) fn version(json: &[u8]) -> Option<String> {
    let head: Head<'_> = scan::from_slice(json).ok()?;
    let version = head.metadata?.resource_version?.0;
    (!version.is_empty()).then(|| version.into_owned())
}

/// The unreadable objects of a watch. All are counted, and the first ones are named in the log.
pub(in crate::cluster) struct Unreadable {
    what: &'static str,
    metrics: Arc<Metrics>,
    objects: HashSet<Name>,
    /// The unreadable objects of the current list.
    listed: Option<HashSet<Name>>,
}

impl Unreadable {
    /// Starts without unreadable objects.
    pub(in crate::cluster) fn new(what: &'static str, metrics: Arc<Metrics>) -> Self {
        metrics.unreadable(what, 0);
        Self {
            what,
            metrics,
            objects: HashSet::new(),
            listed: None,
        }
    }

    /// Records an event. Returns it, or `None` if the name of its object cannot be read.
    pub(in crate::cluster) fn note<T>(&mut self, event: Event<Seen<T>>) -> Option<Event<Seen<T>>> {
        match &event {
            Event::Begin => self.listed = Some(HashSet::new()),
            Event::End => {
                let listed = self.listed.take().unwrap_or_default();
                self.replace(listed);
            }
            Event::Listed(seen) | Event::Set(seen) => self.set(&seen.name, seen.kept.is_none()),
            Event::Gone(seen) => self.set(&seen.name, false),
            Event::Fails | Event::Works => {}
        }
        match event {
            Event::Listed(seen) | Event::Set(seen) | Event::Gone(seen)
                if seen.name.name.is_empty() =>
            {
                None
            }
            event @ (Event::Begin
            | Event::Listed(_)
            | Event::End
            | Event::Set(_)
            | Event::Gone(_)
            | Event::Fails
            | Event::Works) => Some(event),
        }
    }

    fn set(&mut self, name: &Name, is_unreadable: bool) {
        if is_unreadable && let Some(listed) = &mut self.listed {
            listed.insert(name.clone());
        }
        let is_changed = if is_unreadable {
            self.objects.insert(name.clone())
        } else {
            self.objects.remove(name)
        };
        if !is_changed {
            return;
        }
        self.metrics
            .unreadable(self.what, if is_unreadable { 1 } else { -1 });
        if is_unreadable && self.objects.len() <= NAMED {
            let shown = |text: &str| shorten(&clean(text), MAX_NAME);
            warn!(
                resource = self.what,
                namespace = shown(&name.namespace),
                name = shown(&name.name),
                "cannot read an object: it is left out, and its content is unknown"
            );
        }
    }

    /// Replaces the unreadable objects by those of a complete list.
    fn replace(&mut self, listed: HashSet<Name>) {
        let count = |objects: &HashSet<Name>| i64::try_from(objects.len()).unwrap_or(i64::MAX);
        let change = count(&listed) - count(&self.objects);
        self.objects = listed;
        self.metrics.unreadable(self.what, change);
    }
}
