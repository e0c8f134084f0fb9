//! The state of the scripted API server: objects, the history for watches, and the script.

use super::request::{ApiRequest, Resource, Verb};
use super::scenarios::{Ending, Fault};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// The whole state of the API server.
#[derive(Default)]
pub(super) struct Store {
    /// The resourceVersion of the last change. All resources share one counter, as in etcd.
    pub(super) version: u64,
    objects: BTreeMap<(Resource, String), Value>,
    pub(super) history: Vec<Change>,
    /// Changes up to this resourceVersion are forgotten: a watch from before it has expired.
    pub(super) forgotten: u64,
    pub(super) requests: Vec<ApiRequest>,
    pub(super) queues: BTreeMap<(Verb, Resource), VecDeque<Fault>>,
    pub(super) always: BTreeMap<(Verb, Resource), Fault>,
    /// The endings of watches. An open watch ends at the first entry that is newer than its start.
    pub(super) endings: Vec<(Resource, Ending)>,
}

/// An entry of the history.
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) resource: Resource,
    /// `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`.
    pub(super) event: &'static str,
    pub(super) object: Value,
}

impl Store {
    pub(super) fn get(&self, resource: Resource, key: &str) -> Option<&Value> {
        self.objects.get(&(resource, key.to_owned()))
    }

    /// Returns the objects of a resource by name, in the order of the names.
    pub(super) fn list(&self, resource: Resource) -> impl Iterator<Item = (&str, &Value)> {
        let objects = self
            .objects
            .iter()
            .filter(move |((of, _), _)| *of == resource);
        objects.map(|((_, key), object)| (key.as_str(), object))
    }

    /// Creates or replaces an object. Returns it with the metadata that an API server adds.
    pub(super) fn put(&mut self, resource: Resource, object: Value) -> Value {
        let key = key(&object);
        let old = self.get(resource, &key);
        let event = if old.is_some() { "MODIFIED" } else { "ADDED" };
        let object = self.completed(resource, object);
        let object = self.record(resource, event, object);
        self.objects.insert((resource, key), object.clone());
        object
    }

    pub(super) fn delete(&mut self, resource: Resource, key: &str) {
        let object = self.objects.remove(&(resource, key.to_owned()));
        let object = object.unwrap_or_else(|| panic!("{key} does not exist"));
        self.record(resource, "DELETED", object);
    }

    pub(super) fn bookmark(&mut self, resource: Resource) {
        let object = json!({
            "apiVersion": resource.api_version(), "kind": resource.kind(), "metadata": {},
        });
        self.record(resource, "BOOKMARK", object);
    }

    /// Adds an entry to the history, with a new resourceVersion.
    fn record(&mut self, resource: Resource, event: &'static str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.history.push(Change {
            version: self.version,
            resource,
            event,
            object: object.clone(),
        });
        object
    }

    /// Adds the metadata that an API server sets, except for the resourceVersion.
    pub(super) fn completed(&self, resource: Resource, mut object: Value) -> Value {
        let old = self.get(resource, &key(&object));
        let old = |field: &str| old.map(|old| old["metadata"][field].clone());
        let uid = old("uid").unwrap_or_else(|| format!("uid-{}", self.version + 1).into());
        object["apiVersion"] = resource.api_version().into();
        object["kind"] = resource.kind().into();
        object["metadata"]["uid"] = uid;
        let created = object["metadata"]["creationTimestamp"].clone();
        if created.is_null() {
            let created = old("creationTimestamp").unwrap_or("2026-01-01T00:00:00Z".into());
            object["metadata"]["creationTimestamp"] = created;
        }
        object
    }

    /// Returns the fault for this request, and removes it if it is from the queue.
    pub(super) fn fault(&mut self, verb: Verb, resource: Resource) -> Option<Fault> {
        let queue = self.queues.get_mut(&(verb, resource));
        let next = queue.and_then(VecDeque::pop_front);
        next.or_else(|| self.always.get(&(verb, resource)).cloned())
    }
}

/// Returns the name of an object in the store.
pub(super) fn key(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().expect("a name");
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}
