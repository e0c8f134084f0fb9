//! Watches: one JSON object per line, from the history.

use super::ApiServer;
use super::answer::{Answer, Chunk, body, garbage, half, metadata_only, status_object};
use super::request::ApiRequest;
use super::scenarios::{Ending, Fault};
use super::store::Store;
use futures::stream::{self, StreamExt};
use hyper::Response;
use hyper::body::Bytes;
use serde_json::Value;
use tokio::sync::watch;

/// An open watch.
struct Open {
    store: watch::Receiver<Store>,
    request: ApiRequest,
    /// The resourceVersion of the last event that was sent, or of the start.
    version: u64,
    /// The number of endings at the start of this watch.
    endings: usize,
    has_started: bool,
    is_over: bool,
}

/// The next step of an open watch.
enum Step {
    Send(u64, Bytes),
    /// Send these and end.
    End(Vec<Chunk>),
    Wait,
}

impl ApiServer {
    /// Answers a watch. Only faults that change the body are handled here.
    pub(super) fn watch(&self, request: &ApiRequest, fault: Option<&Fault>) -> Response<Answer> {
        let version = request.query.get("resourceVersion");
        let version = version.and_then(|version| version.parse().ok());
        let version: u64 = version.expect("a watch starts from a resourceVersion");
        let open = Open {
            endings: self.store.borrow().endings.len(),
            store: self.store.subscribe(),
            request: request.clone(),
            version,
            has_started: false,
            is_over: false,
        };
        let events = stream::unfold(open, Open::next).flat_map(stream::iter);
        match fault {
            Some(Fault::CutOff) => body(stream::iter(half(&line("ADDED", &garbage(version))))),
            Some(Fault::Garbage) => {
                let first = Ok(line("ADDED", &garbage(version)));
                body(stream::iter([first]).chain(events))
            }
            Some(Fault::Item(text)) => {
                let first = format!("{{\"object\":{text},\"type\":\"ADDED\"}}\n");
                body(stream::iter([Ok(first.into())]).chain(events))
            }
            _ => body(events),
        }
    }
}

impl Open {
    /// Waits for the next event, or for the end.
    async fn next(mut self) -> Option<(Vec<Chunk>, Self)> {
        if self.is_over {
            return None;
        }
        loop {
            let step = self.step(&self.store.borrow());
            self.has_started = true;
            match step {
                Step::Send(version, bytes) => {
                    self.version = version;
                    return Some((vec![Ok(bytes)], self));
                }
                Step::End(chunks) => {
                    self.is_over = true;
                    return Some((chunks, self));
                }
                Step::Wait => self.store.changed().await.ok()?,
            }
        }
    }

    fn step(&self, store: &Store) -> Step {
        let mut endings = store.endings.iter().skip(self.endings);
        let ending = endings.find(|(resource, _)| *resource == self.request.resource);
        match ending {
            Some((_, Ending::Orderly)) => return Step::End(Vec::new()),
            Some((_, Ending::Broken)) => {
                return Step::End(half(&line("ADDED", &garbage(self.version))));
            }
            None => {}
        }
        // An open watch goes on when the history is forgotten.
        if !self.has_started && self.version < store.forgotten {
            let status = status_object(410, "Expired", "too old resource version");
            return Step::End(vec![Ok(line("ERROR", &status))]);
        }
        let wants_bookmarks = self.request.query.contains_key("allowWatchBookmarks");
        let mut changes = store.history.iter().filter(|change| {
            change.version > self.version
                && change.resource == self.request.resource
                && if change.event == "BOOKMARK" {
                    wants_bookmarks
                } else {
                    self.request.selects(&change.object)
                }
        });
        changes.next().map_or(Step::Wait, |change| {
            let object = if self.request.wants_metadata_only() {
                metadata_only(&change.object)
            } else {
                change.object.clone()
            };
            Step::Send(change.version, line(change.event, &object))
        })
    }
}

/// Returns an event as the API server writes it.
fn line(event: &str, object: &Value) -> Bytes {
    format!("{{\"type\":\"{event}\",\"object\":{object}}}\n").into()
}
