//! Faults of single requests, and named events.

use super::ApiServer;
use super::request::{Resource, Verb};
use serde_json::Value;
use std::time::Duration;

/// A deviation from the usual answer to a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// None: a place in the queue, ahead of a request that has a fault.
    Nothing,
    /// This HTTP status, with a `Status` object. Its message quotes the body of the request.
    Status(u16),
    /// The usual answer, after this time.
    Slow(Duration),
    /// No answer.
    Never,
    /// An object that cannot be decoded: the last item of a list, the first event of a watch, otherwise the whole body.
    Garbage,
    /// This text as the last item of a list, or as the object of the first event of a watch; there it comes before the
    /// type of the event, as JSON allows.
    Item(String),
    /// A connection that ends in the middle of the body; in a watch, in the middle of the first event.
    CutOff,
    /// The usual answer, after another client has written this object: a create or replace is a conflict then.
    Overtaken(Value),
}

/// The end of open watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// After an event, as at the end of `timeoutSeconds`.
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

    /// Ends the open watches of a resource in good order. A watch can resume where it was.
    pub(crate) fn end_watches(&self, resource: Resource) {
        self.change(|store| store.endings.push((resource, Ending::Orderly)));
    }

    /// Breaks the connections of the open watches of a resource, in the middle of an event.
    pub(crate) fn break_watches(&self, resource: Resource) {
        self.change(|store| store.endings.push((resource, Ending::Broken)));
    }

    /// Ends the open watches of a resource, deletes and writes these objects while no watch is open, and forgets the
    /// history. A watch that resumes from before is answered 410 Gone, as an error event.
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
