//! Lists the objects of a type and follows their changes, for ever.
//!
//! Lists and watches are read item by item, and each item is decoded on its own, so one unreadable item hides no other.
//! The watcher of kube was no option: it decodes a list as a whole, into types that refuse a time in the year 9999.
//!
//! A list is requested as a whole, which costs the API server one pass over its watch cache. Pages were no option: each
//! page of a list with a field selector costs it a scan of all objects. Since items are read one by one, a list of any
//! length takes the memory of one item here. Streaming lists (`sendInitialEvents`) would do the same, but are beta, and
//! off by default in Kubernetes 1.31 and 1.33.
//!
//! The first list takes any version that the API server has (`resourceVersion=0`). Each later list asks for a version
//! that is not older than the last one seen, so time never runs backwards. If the API server does not have that
//! version, the list asks for the newest.

mod answer;
mod object;
mod split;

pub(super) use object::{Event, Name, RawObject, Seen, Unreadable};

use super::{FIRST_PAUSE, LONGEST_PAUSE, Pauses};
use crate::objects::read::Text;
use crate::runtime::clock::now;
use crate::runtime::metrics::Metrics;
use crate::text::scan::{self, Raw};
use answer::{Answer, WatchError};
use futures::{Stream, StreamExt, stream};
use kube::api::{ListParams, Request, VersionMatch, WatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde::Deserialize;
use split::Json;
use std::future::ready;
use std::mem::replace;
use std::sync::Arc;
use tokio::time::Instant;
use tracing::warn;

/// The version that accepts any state in the cache of the API server.
const ANY_VERSION: &str = "0";

/// The objects that a watch follows.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The resource name in metrics and log lines.
    what: &'static str,
    path: Request,
    fields: Option<String>,
    content: ObjectContent,
}

/// The part of each object that is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectContent {
    /// The whole object.
    Whole,
    /// Only its metadata.
    Metadata,
}

impl Source {
    /// Returns all objects of a type, in all namespaces.
    pub(super) fn all<K: Resource<DynamicType = ()>>(
        what: &'static str,
        content: ObjectContent,
    ) -> Self {
        Self {
            what,
            path: Request::new(K::url_path(&(), None)),
            fields: None,
            content,
        }
    }

    /// Returns the object of this name, in all namespaces or in none.
    pub(super) fn one<K: Resource<DynamicType = ()>>(what: &'static str, name: &str) -> Self {
        Self::all::<K>(what, ObjectContent::Whole).of_fields(format!("metadata.name={name}"))
    }

    /// Returns the object of this name in a namespace.
    pub(super) fn one_in<K>(what: &'static str, namespace: &str, name: &str) -> Self
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Self {
            path: Request::new(K::url_path(&(), Some(namespace))),
            ..Self::one::<K>(what, name)
        }
    }

    /// Restricts the objects to those that a field selector covers.
    pub(super) fn of_fields(self, selector: String) -> Self {
        Self {
            fields: Some(selector),
            ..self
        }
    }

    /// Returns the request for a list at this version or later; `None` stands for the newest.
    fn list(&self, version: Option<&str>) -> Result<hyper::Request<Vec<u8>>, WatchError> {
        let params = ListParams {
            field_selector: self.fields.clone(),
            version_match: version.map(|_| VersionMatch::NotOlderThan),
            resource_version: version.map(str::to_owned),
            ..ListParams::default()
        };
        let request = match self.content {
            ObjectContent::Whole => self.path.list(&params),
            ObjectContent::Metadata => self.path.list_metadata(&params),
        };
        Ok(request.map_err(kube::Error::BuildRequest)?)
    }

    fn watch(&self, version: &str) -> Result<hyper::Request<Vec<u8>>, WatchError> {
        let params = WatchParams {
            field_selector: self.fields.clone(),
            ..WatchParams::default()
        };
        let request = match self.content {
            ObjectContent::Whole => self.path.watch(&params, version),
            ObjectContent::Metadata => self.path.watch_metadata(&params, version),
        };
        Ok(request.map_err(kube::Error::BuildRequest)?)
    }
}

/// Returns the events of objects, decoded by `read`. It gets each object as JSON, and returns `None` for an unreadable
/// one. Unreadable objects are counted and named.
pub(super) fn objects<T: Send, F: Fn(&str) -> Option<T> + Send>(
    client: Client,
    source: Source,
    metrics: &Arc<Metrics>,
    read: F,
) -> impl Stream<Item = Event<Seen<T>>> + Send + use<T, F> {
    let mut unreadable = Unreadable::new(source.what, metrics.clone());
    raw_objects(client, source, metrics.clone()).filter_map(move |event| {
        let event = event.map(|object| object.decode(&read));
        ready(unreadable.note(event))
    })
}

/// Returns the only object of a source: its state now, and each change, including creation and deletion. An unreadable
/// change counts as no change.
pub(super) fn one_object<T: Send, F: Fn(&str) -> Option<T> + Send>(
    client: Client,
    source: Source,
    metrics: &Arc<Metrics>,
    read: F,
) -> impl Stream<Item = Option<T>> + Send + use<T, F> {
    let mut listed: Option<Option<T>> = None;
    objects(client, source, metrics, read).filter_map(move |event| {
        ready(match event {
            Event::Begin => {
                listed = Some(None);
                None
            }
            Event::Listed(seen) => {
                listed = seen.kept.map(Some);
                None
            }
            Event::End => listed.take(),
            Event::Set(seen) => seen.kept.map(Some),
            Event::Gone(_) => Some(None),
            Event::Fails | Event::Works => None,
        })
    })
}

/// Returns the events of objects without decoding them. Failures are logged and counted.
pub(super) fn raw_objects(
    client: Client,
    source: Source,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = Event<RawObject>> + Send {
    let watch = Watch {
        client,
        source,
        metrics,
        pauses: Pauses::default(),
        phase: Phase::List,
        version: Some(ANY_VERSION.to_owned()),
        is_failing: false,
        is_waiting: false,
    };
    stream::unfold(watch, |mut watch| async {
        let event = watch.next().await;
        Some((event, watch))
    })
}

struct Watch {
    client: Client,
    source: Source,
    metrics: Arc<Metrics>,
    pauses: Pauses,
    phase: Phase,
    /// The newest version that was seen, or `None` if the API server does not have it.
    version: Option<String>,
    /// Whether the last attempt failed.
    is_failing: bool,
    /// Whether to pause before the next attempt.
    is_waiting: bool,
}

enum Phase {
    /// A list is due.
    List,
    Listing(Answer),
    /// A watch is due.
    Resume,
    Watching {
        answer: Answer,
        since: Instant,
    },
}

impl Watch {
    async fn next(&mut self) -> Event<RawObject> {
        loop {
            if replace(&mut self.is_waiting, false) {
                let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
                tokio::time::sleep(pause).await;
            }
            match self.step().await {
                Ok(Some(event)) => return event,
                Ok(None) => {}
                Err(error) => {
                    self.failed(&error);
                    return Event::Fails;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Event<RawObject>>, WatchError> {
        match &mut self.phase {
            Phase::List => {
                let request = self.source.list(self.version.as_deref())?;
                let answer = Answer::list(&self.client, request).await?;
                self.phase = Phase::Listing(answer);
                Ok(Some(Event::Begin))
            }
            Phase::Listing(answer) => {
                if let Some(json) = answer.next().await? {
                    return Ok(Some(Event::Listed(RawObject::new(json))));
                }
                self.version = Some(answer.version()?);
                self.phase = Phase::Resume;
                Ok(Some(Event::End))
            }
            Phase::Resume => {
                let version = self.version.as_deref().unwrap_or(ANY_VERSION);
                let request = self.source.watch(version)?;
                let answer = Answer::watch(&self.client, request).await?;
                let since = Instant::now();
                self.phase = Phase::Watching { answer, since };
                let works_again = replace(&mut self.is_failing, false);
                Ok(works_again.then_some(Event::Works))
            }
            Phase::Watching { answer, since } => {
                let next = answer.next().await;
                // A connection that is silent for longer than a watch lasts is dead. That is not a failure either: the
                // watch resumes.
                if matches!(next, Ok(None) | Err(WatchError::Silent)) {
                    // A proxy that ends each watch at once must not make this loop spin.
                    self.is_waiting = since.elapsed() < FIRST_PAUSE;
                    self.phase = Phase::Resume;
                    return Ok(None);
                }
                match next? {
                    Some(json) => self.event(&json),
                    None => Ok(None),
                }
            }
        }
    }

    /// Reads an event. Later events of the watch stay readable in any case.
    fn event(&mut self, json: &Json) -> Result<Option<Event<RawObject>>, WatchError> {
        #[derive(Deserialize)]
        struct Line<'a> {
            #[serde(borrow)]
            r#type: Text<'a>,
            #[serde(borrow)]
            object: Raw<'a>,
        }
        let Ok(line) = scan::from_slice::<Line<'_>>(json) else {
            // This is mostly an object that is too long. It counts as one without a name.
            return Ok(Some(Event::Set(RawObject::new(Json::default()))));
        };
        let object = line.object.0.as_bytes();
        let of: fn(RawObject) -> Event<RawObject> = match &*line.r#type.0 {
            "ADDED" | "MODIFIED" => Event::Set,
            "DELETED" => Event::Gone,
            "ERROR" => return Err(WatchError::of_status(object, 0)),
            // A bookmark, or a future type.
            _ => {
                self.version = object::version(object).or(self.version.take());
                return Ok(None);
            }
        };
        self.version = object::version(object).or(self.version.take());
        Ok(Some(of(RawObject::new(Json::new(object.to_vec())))))
    }

    fn failed(&mut self, error: &WatchError) {
        let what = self.source.what;
        self.metrics.watch_failed(what, now());
        warn!(
            error = error as &dyn std::error::Error,
            "cannot watch {what}; trying again"
        );
        let is_list = matches!(self.phase, Phase::List | Phase::Listing(_));
        if is_list && error.is_about_version() {
            self.version = None;
        }
        self.phase = if is_list || error.is_expired() {
            Phase::List
        } else {
            Phase::Resume
        };
        (self.is_failing, self.is_waiting) = (true, true);
    }
}
