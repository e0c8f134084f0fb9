//! The faults of single requests, and named events.

use super::ApiServer;
use super::request::{Resource, Verb};
use serde_json::Value;
use std::time::Duration;

/// A deviation from the usual answer to a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// No deviation: an entry of the queue, so that a later request has a fault.
    Nothing,
    /// This HTTP status, with a `Status` object. Its message quotes the body of the request.
    Status(u16),
    /// The usual answer, after this time.
    Slow(Duration),
    /// No answer.
    Never,
    /// An object that cannot be decoded: the last item of a list, the first event of a watch, otherwise the whole body.
    Garbage,
    /// This text as the last item of a list, or as the object of a watch's first event. In the event it comes before
    /// the type, which JSON allows.
    Item(String),
    /// A connection that ends in the middle of the body; in a watch, in the middle of the first event.
    CutOff,
    /// The usual answer after another client has written this object, so that a create or replace meets a conflict.
    Overtaken(Value),
}

/// The way in which open watches end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// After a whole event, as at the end of `timeoutSeconds`.
    Orderly,
    /// In the middle of an event, as when the connection is lost.
    Broken,
}

impl ApiServer {
    /// Gives the next request of this verb and resource a fault; several form a queue.
    pub(crate) fn script(&self, verb: Verb, resource: Resource, fault: Fault) {
        self.change(|store| {
            let queue = store.queues.entry((verb, resource)).or_default();
            queue.push_back(fault);
        });
    }

    /// Gives every request of this verb and resource a fault, once the queue is empty.
    pub(crate) fn always(&self, verb: Verb, resource: Resource, fault: Fault) {
        self.change(|store| store.always.insert((verb, resource), fault));
    }

    /// Answers requests of this verb and resource as usual again.
    pub(crate) fn recover(&self, verb: Verb, resource: Resource) {
        self.change(|store| {
            store.always.remove(&(verb, resource));
            store.queues.remove(&(verb, resource));
        });
    }

    /// Ends the open watches of a resource between two events. A watch can resume from there.
    pub(crate) fn end_watches(&self, resource: Resource) {
        self.change(|store| store.endings.push((resource, Ending::Orderly)));
    }

    /// Breaks the connections of the open watches of a resource, in the middle of an event.
    pub(crate) fn break_watches(&self, resource: Resource) {
        self.change(|store| store.endings.push((resource, Ending::Broken)));
    }

    /// Ends the open watches of a resource, deletes and writes these objects while no watch is open, and forgets the
    /// history. A watch that resumes from an earlier version gets 410 Gone as an error event.
    pub(crate) fn expire_watches(&self, resource: Resource, deleted: &[&str], written: Vec<Value>) {
        self.change(|store| {
            store.endings.push((resource, Ending::Orderly));
            for name in deleted {
                store.delete(resource, name);
            }
            for object in written {
                store.put(resource, object);
            }
            store.forgotten = store.version;
        });
    }

    /// Sends a bookmark to the watches of a resource. Returns its resourceVersion.
    pub(crate) fn send_bookmark(&self, resource: Resource) -> String {
        self.change(|store| {
            store.bookmark(resource);
            store.version.to_string()
        })
    }
}
