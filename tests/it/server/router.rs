//! Tests of the webhook's router as a function, without sockets and TLS.

use crate::support::{Answer, POLICY, Setting, create, create_pod, update};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use pullgate::runtime::lifecycle::Readiness;
use pullgate::runtime::live::{Live, Watches};
use pullgate::runtime::metrics::Metrics;
use pullgate::server::admission::{Admission, PolicyEdits};
use pullgate::verdict::world::Controllers;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;

/// A router with the policy of the tests, and its metrics.
struct Webhook {
    router: Router,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
}

impl Webhook {
    fn new(edits: PolicyEdits) -> Self {
        let policy = crate::policy::policy(POLICY);
        let live = Live::new(policy, Controllers::new(Vec::new()), Watches::Nothing);
        live.set_policy_object(Some("uid-of-the-policy".to_owned()));
        let metrics = Arc::new(Metrics::default());
        let readiness = Arc::new(Readiness::waiting_for(&[]));
        let admission = Admission::new(Arc::new(live), metrics.clone(), edits);
        Self {
            router: admission.router(readiness.clone()),
            readiness,
            metrics,
        }
    }

    async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> Response<Body> {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(body.into()).expect("a request");
        let answer = self.router.clone().oneshot(request).await;
        answer.unwrap_or_else(|never| match never {})
    }

    fn counts(&self, reason: &str) -> bool {
        let line = format!("pullgate_unanswered_requests_total{{reason=\"{reason}\"}} 1\n");
        self.metrics.text(true).contains(&line)
    }
}

async fn body(answer: Response<Body>) -> Vec<u8> {
    let bytes = to_bytes(answer.into_body(), usize::MAX).await;
    bytes.expect("a body").to_vec()
}

fn pod() -> Value {
    create_pod(json!({
        "containers": [{"name": "c", "image": "contoso.azurecr.io/a"}],
        "imagePullSecrets": [{"name": "regcred-shared"}],
    }))
}

#[tokio::test]
async fn each_route_answers_with_its_verdict() {
    let (webhook, pod) = (Webhook::new(PolicyEdits::default()), pod());
    let setting = Setting::new(POLICY);
    for (path, expected) in [
        ("/mutate?timeout=3s", setting.mutate(&pod)),
        ("/validate?timeout=3s", setting.validate(&pod)),
    ] {
        let answer = webhook.ask("POST", path, pod.to_string()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        let answer = Answer::read(&body(answer).await);
        assert_eq!(answer.response, expected.response, "{path}");
        assert_eq!(answer.patch.is_some(), path.starts_with("/mutate"));
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let webhook = Webhook::new(PolicyEdits::default());
    for path in ["/mutate", "/validate"] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = webhook.ask(method, path, pod().to_string()).await;
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.headers()[header::ALLOW], "POST");
        }
    }
    for path in ["/", "/mutate/", "/metrics"] {
        let answer = webhook.ask("POST", path, pod().to_string()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn too_large_bodies_and_other_json_are_refused() {
    let webhook = Webhook::new(PolicyEdits::default());
    let large = vec![b' '; 7 * 1024 * 1024 + 1];
    let answer = webhook.ask("POST", "/validate", large).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(webhook.counts("too_large"));
    let answer = webhook.ask("POST", "/validate", "{}").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(webhook.counts("bad_request"));
    let text = String::from_utf8(body(answer).await).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "{text}");
}

/// A panic is one failed call without a review, so that the failurePolicy decides. The answer does not repeat the
/// panic's text, which could quote an object.
#[tokio::test]
async fn a_panic_is_a_500_that_repeats_nothing() {
    let edits = PolicyEdits {
        namespace: None,
        preview: Some(Box::new(|_| panic!("on purpose"))),
    };
    let webhook = Webhook::new(edits);
    let policy = |text: &str| {
        json!({
            "metadata": {"name": "pullgate-policy", "uid": "uid-of-the-policy"},
            "data": {"policy.yaml": text},
        })
    };
    let review = update(create("", "ConfigMap", policy(POLICY)), policy(""));
    let answer = webhook.ask("POST", "/validate", review.to_string()).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(webhook.counts("panic"), "{}", webhook.metrics.text(true));
    let text = String::from_utf8(body(answer).await).expect("UTF-8");
    assert!(text.starts_with("the review cannot be judged") && !text.contains("purpose"));
    let answer = webhook.ask("POST", "/mutate", pod().to_string()).await;
    assert_eq!(
        answer.status(),
        StatusCode::OK,
        "the next request is answered"
    );
}

#[tokio::test]
async fn a_stopping_process_asks_clients_to_reconnect() {
    let webhook = Webhook::new(PolicyEdits::default());
    let answer = webhook.ask("POST", "/mutate", pod().to_string()).await;
    assert!(!answer.headers().contains_key(header::CONNECTION));
    webhook.readiness.stop();
    for path in ["/mutate", "/elsewhere"] {
        let answer = webhook.ask("POST", path, pod().to_string()).await;
        assert_eq!(answer.headers()[header::CONNECTION], "close", "{path}");
    }
}
