//! A scripted API server for tests of `cluster/`. It keeps objects, answers requests like Kubernetes, and fails where a
//! test tells it to. It has no socket: [`ApiServer::client`] returns a `kube::Client` over a tower service, so a test
//! can pause the clock of tokio, and pauses of seconds take no time.
//!
//! **How to write a scenario**
//!
//! 1. [`ApiServer::put`] and [`ApiServer::delete`] change objects like another client. Watches see the change.
//! 2. [`ApiServer::script`] sets the answer to the next request of a verb and a resource, as a [`Fault`]. Several of
//!    them form a queue. [`ApiServer::always`] gives every such request the same fault, until [`ApiServer::recover`].
//! 3. The functions in `scenarios.rs` are named events: a watch that expires, a connection that breaks, a bookmark.
//! 4. [`ApiServer::until`] waits for a condition. If it does not come true in time, the test fails and names the
//!    condition and every request so far. [`ApiServer::count`] and [`ApiServer::requests`] return these requests.
//!
//! ```text
//! let api = ApiServer::default();
//! api.put(Namespaces, json!({"metadata": {"name": "a"}}));
//! api.script(Verb::List, Namespaces, Fault::Status(429));
//! start_the_code_under_test(api.client());
//! api.until("the list is repeated", || api.count(Verb::List, Namespaces) == 2).await;
//! ```
//!
//! Not supported: finalizers, managed fields, server-side apply, HTTP DELETE, the end of a watch after
//! `timeoutSeconds`.

mod answer;
mod request;
mod scenarios;
mod semantics;
mod store;
mod watches;

pub(crate) use request::{ApiRequest, Resource, Verb};
pub(crate) use scenarios::Fault;

use answer::{Answer, status};
use hyper::Response;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::Store;
use tokio::sync::watch;
use tower::service_fn;

/// The longest wait for a condition. Where the clock is paused, these seconds pass at once.
const PATIENCE: Duration = Duration::from_mins(1);
/// The pause between two checks of a condition.
const LOOK: Duration = Duration::from_millis(5);

/// The API server. Clones share their state.
#[derive(Clone)]
pub(crate) struct ApiServer {
    /// A watch channel, so that every open watch learns of every change.
    store: Arc<watch::Sender<Store>>,
    sent: Arc<AtomicUsize>,
}

impl Default for ApiServer {
    fn default() -> Self {
        Self {
            store: Arc::new(watch::Sender::new(Store::default())),
            sent: Arc::default(),
        }
    }
}

impl ApiServer {
    /// Returns a client of this server.
    pub(crate) fn client(&self) -> kube::Client {
        let server = self.clone();
        let service = service_fn(move |request| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.serve(request).await) }
        });
        kube::Client::new(service, "default")
    }

    async fn serve(&self, request: hyper::Request<kube::client::Body>) -> Response<Answer> {
        match ApiRequest::read(request).await {
            Some(request) => self.answer(&request).await,
            None => status(404, "the scripted API server does not have this path"),
        }
    }

    /// Creates or replaces an object, like another client. Returns the object as it is stored.
    pub(crate) fn put(&self, resource: Resource, object: Value) -> Value {
        self.change(|store| store.put(resource, object))
    }

    /// Deletes an object, like another client. `name` is `NAMESPACE/NAME`, or `NAME` for cluster-wide objects.
    pub(crate) fn delete(&self, resource: Resource, name: &str) {
        self.change(|store| store.delete(resource, name));
    }

    /// Returns the object of this name, which has the same form as for [`ApiServer::delete`].
    pub(crate) fn get(&self, resource: Resource, name: &str) -> Option<Value> {
        self.store.borrow().get(resource, name).cloned()
    }

    /// Returns all requests of this verb and resource so far, in their order.
    pub(crate) fn requests(&self, verb: Verb, resource: Resource) -> Vec<ApiRequest> {
        let store = self.store.borrow();
        let requests = store.requests.iter();
        let wanted = requests.filter(|asked| asked.verb == verb && asked.resource == resource);
        wanted.cloned().collect()
    }

    /// Returns the number of requests of this verb and resource so far.
    pub(crate) fn count(&self, verb: Verb, resource: Resource) -> usize {
        self.requests(verb, resource).len()
    }

    /// Returns how many bytes of answers the client has read so far, without those of watches.
    pub(crate) fn bytes_sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until a condition is true. Panics after a minute, with the condition and all requests.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        self.within(PATIENCE, what, condition).await;
    }

    /// Waits until a condition is true. Panics after this time, with the condition and all requests.
    pub(crate) async fn within(&self, time: Duration, what: &str, condition: impl Fn() -> bool) {
        // A condition may read anything, so it is checked again and again.
        let is_true = async {
            while !condition() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(time, is_true).await.is_err() {
            let store = self.store.borrow();
            let requests: Vec<_> = store.requests.iter().map(ToString::to_string).collect();
            panic!(
                "not within {time:?}: {what}. All requests so far:\n{}",
                requests.join("\n")
            );
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let mut result = None;
        self.store.send_modify(|store| result = Some(change(store)));
        result.expect("send_modify calls the function")
    }
}
