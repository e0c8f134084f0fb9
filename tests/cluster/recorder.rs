//! Webhooks with answers from the tests, on Pullgate's server.

use crate::control_plane::ControlPlane;
use crate::process::wait_for;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::post;
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::runtime::metrics::ConnectionMetrics;
use pullgate::server::{Server, ServerAccess};
use pullgate::tls::certificate::Certificate;
use pullgate::tls::self_signed::SelfSigned;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// A webhook that computes its answer from the request: a JSON Patch, or nothing.
pub(crate) struct Responder<'c> {
    plane: &'c ControlPlane,
    name: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl<'c> Responder<'c> {
    /// Starts a webhook, and registers it as mutating for pods created in the namespaces of a test.
    pub(crate) fn register(
        plane: &'c ControlPlane,
        name: &str,
        test: &str,
        answer: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        let (responder, port, certificate) = Self::serve(plane, name, answer);
        let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]);
        responder.configure("mutate", port, &certificate, test, &rules);
        responder.wait_until_called(test, &["mutate"]);
        responder
    }

    /// Starts a webhook that admits everything, and registers it with these rules as mutating and as validating.
    pub(crate) fn record(plane: &'c ControlPlane, name: &str, test: &str, rules: &Value) -> Self {
        let (responder, port, certificate) = Self::serve(plane, name, |_| None);
        responder.configure("mutate", port, &certificate, test, rules);
        responder.configure("validate", port, &certificate, test, rules);
        responder.wait_until_called(test, &["mutate", "validate"]);
        responder
    }

    /// Returns the endpoint and the review of each request since the last call.
    pub(crate) fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.seen.lock().expect("no panic"))
    }

    /// Returns the number of requests that `take` would return.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }

    fn serve(
        plane: &'c ControlPlane,
        name: &str,
        answer: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static,
    ) -> (Self, u16, String) {
        let seen: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let (told, listening) = std::sync::mpsc::channel();
        let (log, answer) = (seen.clone(), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let made = SelfSigned::new(&["127.0.0.1"]).expect("a certificate");
                let certificate =
                    Certificate::new(&made.certificate, &made.key).expect("a certificate");
                let router = Router::new().route(
                    "/{endpoint}",
                    post(|Path(endpoint): Path<String>, body: Bytes| async move {
                        let review: Value = serde_json::from_slice(&body).expect("JSON");
                        let reply = reply(&review, answer(&review));
                        log.lock().expect("no panic").push((endpoint, review));
                        axum::response::Response::new(axum::body::Body::from(reply.to_string()))
                    }),
                );
                let any = "127.0.0.1:0".parse().expect("an address");
                let access = ServerAccess {
                    tls: Some(certificate.server_config(None)),
                    max_connections: 4096,
                    metrics: ConnectionMetrics::default(),
                };
                let server = Server::bind(any, access, router).await.expect("a port");
                told.send((
                    server.local_addr().expect("an address").port(),
                    made.certificate,
                ))
                .expect("the test waits for the port");
                server.run(async { drop(stopped.await) }).await;
            });
        });
        let (port, certificate) = listening.recv().expect("a server");
        (
            Self {
                plane,
                name: name.to_owned(),
                stop: Some(stop),
                thread: Some(thread),
                seen,
            },
            port,
            certificate,
        )
    }

    fn configure(&self, endpoint: &str, port: u16, certificate: &str, test: &str, rules: &Value) {
        let kind = if endpoint == "mutate" {
            "Mutating"
        } else {
            "Validating"
        };
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": format!("{kind}WebhookConfiguration"),
            "metadata": {"name": self.name},
            "webhooks": [{
                "name": format!("{}.{endpoint}.test", self.name),
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {
                    "url": format!("https://127.0.0.1:{port}/{endpoint}"),
                    "caBundle": BASE64_STANDARD.encode(certificate),
                },
                "namespaceSelector": {"matchLabels": {"pullgate-test": test}},
                "rules": rules,
            }],
        });
        let output = self
            .plane
            .kubectl(&["apply", "-f", "-"], &configuration.to_string());
        assert!(output.ok, "{output:?}");
    }

    fn wait_until_called(&self, test: &str, wanted: &[&str]) {
        let probe = "{apiVersion: v1, kind: Pod, metadata: {name: probe}, spec: {containers: [{name: c, image: c}]}}";
        let endpoints = || {
            self.take()
                .into_iter()
                .map(|(endpoint, _)| endpoint)
                .collect::<Vec<_>>()
        };
        wait_for("the webhook of the test is called", || {
            self.plane.kubectl(
                &["-n", test, "create", "--dry-run=server", "-f", "-"],
                probe,
            );
            let called = endpoints();
            wanted
                .iter()
                .all(|endpoint| called.iter().any(|name| name == endpoint))
        });
    }
}

impl Drop for Responder<'_> {
    fn drop(&mut self) {
        for kind in [
            "mutatingwebhookconfiguration",
            "validatingwebhookconfiguration",
        ] {
            self.plane
                .kubectl(&["delete", "--ignore-not-found", kind, &self.name], "");
        }
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn reply(review: &Value, patch: Option<Value>) -> Value {
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    if let Some(patch) = patch {
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(BASE64_STANDARD.encode(patch.to_string()));
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}
