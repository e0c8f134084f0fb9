//! Tests of the answers to requests.

use super::request;
use crate::support::{Answer, POLICY, Setting, create_pod};
use crate::webhook::start;
use pullgate::facts::{Facts, ServiceAccountFacts, WatchedObjects};
use pullgate::policy::Policy;
use pullgate::runtime::live::{Live, Watches};
use pullgate::verdict::world::Controllers;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn reviews_are_answered_and_other_things_are_400() {
    let running = start().await;
    let review =
        create_pod(json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]}));
    let (status, body) = request(
        &running,
        "/mutate?timeout=3s",
        review.to_string().as_bytes(),
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!(
        Answer::read(&body).patch,
        Setting::new(POLICY).mutate(&review).patch
    );
    for bad in ["", "{}", "no json"] {
        let (status, body) = request(&running, "/validate", bad.as_bytes()).await;
        assert_eq!(status, 400, "{bad}");
        assert_eq!(String::from_utf8_lossy(&body).lines().count(), 1, "{bad}");
    }
    assert_eq!(request(&running, "/elsewhere", b"").await.0, 404);
    let mut stream = running.client().connect().await.expect("a handshake");
    let get = b"GET /mutate HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(get).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let answer = answer.to_lowercase();
    assert!(
        answer.starts_with("http/1.1 405 ") && answer.contains("\r\nallow: post\r\n"),
        "{answer}"
    );
    assert_eq!(
        request(&running, "/validate", &vec![b' '; 8 * 1024 * 1024])
            .await
            .0,
        413
    );
    running.end().await;
}

/// Promise 5, in the place where it is easiest to break: the message about an unreadable request.
#[tokio::test]
async fn promise_5_a_review_that_cannot_be_read_is_not_repeated() {
    let running = start().await;
    let secret = |field: &str| {
        format!(
            r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {{"uid": "1", "operation": "CREATE",
            "kind": {{"group": "", "kind": "Secret"}}, "object": {{{field}}}}}}}"#
        )
    };
    for body in [
        secret(r#""type": {"hidden-password": 1}"#),
        secret(r#""metadata": "hidden-password""#),
        secret(r#""type": ["hidden-password"]"#),
    ] {
        let (status, answer) = request(&running, "/validate", body.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(status, 400, "{answer}");
        assert!(!answer.contains("hidden-password"), "{answer}");
    }
    running.end().await;
}

/// An object of the same `kubectl apply` may become known a moment later. The wait for it has a limit.
#[tokio::test(start_paused = true)]
async fn reviews_wait_for_facts_but_only_for_a_limited_time() {
    let bytes = create_pod(json!({"containers": []})).to_string();
    let subject = pullgate::admission::parse(bytes.as_bytes())
        .expect("a review")
        .subject;
    let known = || {
        let mut facts = Facts::default();
        facts.set_labels("ns", Some(std::collections::BTreeMap::new()));
        facts.set_service_account("ns", "default", Some(ServiceAccountFacts::default()));
        facts.set_service_accounts_synced();
        facts
    };
    let live = |watches| Live::new(Policy::default(), Controllers::new(Vec::new()), watches);
    let took = async |live: &Live, learns_after: u64| {
        let began = tokio::time::Instant::now();
        let learn = async {
            tokio::time::sleep(Duration::from_millis(learns_after)).await;
            live.set_facts(known());
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = live.wait_for_facts(&subject) => {}
            () = learn => {}
        }
        began.elapsed().as_millis()
    };
    assert_eq!(took(&live(Watches::Cluster), 100).await, 100);
    assert_eq!(took(&live(Watches::Cluster), 2_000).await, 500);
    assert_eq!(took(&live(Watches::Nothing), 100).await, 0);
    let already = live(Watches::Cluster);
    already.set_facts(known());
    assert_eq!(took(&already, 100).await, 0);
}

/// A failing watch would not deliver its facts within half a second, so a review does not wait for it. Each watch
/// counts separately.
#[tokio::test(start_paused = true)]
async fn reviews_do_not_wait_for_a_failing_watch() {
    use WatchedObjects::{Namespaces, Secrets, ServiceAccounts};
    let bytes = create_pod(json!({"containers": []})).to_string();
    let review = pullgate::admission::parse(bytes.as_bytes()).expect("a review");
    let waited = async |failing: &[WatchedObjects], known: &[WatchedObjects]| {
        let controllers = Controllers::new(Vec::new());
        let live = Live::new(Policy::default(), controllers, Watches::Cluster);
        let mut facts = Facts::default();
        if known.contains(&Namespaces) {
            facts.set_labels("ns", Some(std::collections::BTreeMap::new()));
        }
        if known.contains(&ServiceAccounts) {
            facts.set_service_account("ns", "default", Some(ServiceAccountFacts::default()));
        }
        facts.set_service_accounts_synced();
        for watched in failing {
            facts.set_failing(*watched, true);
        }
        live.set_facts(facts);
        let began = tokio::time::Instant::now();
        live.wait_for_facts(&review.subject).await;
        began.elapsed().as_millis()
    };
    assert_eq!(waited(&[], &[]).await, 500);
    assert_eq!(waited(&[Namespaces, ServiceAccounts], &[]).await, 0);
    assert_eq!(waited(&[ServiceAccounts], &[Namespaces]).await, 0);
    assert_eq!(waited(&[Namespaces], &[ServiceAccounts]).await, 0);
    assert_eq!(waited(&[Namespaces], &[]).await, 500);
    assert_eq!(waited(&[ServiceAccounts, Secrets], &[]).await, 500);
}

/// The client chooses the length of names, and must not thereby choose the length of answers and log lines.
#[tokio::test(flavor = "multi_thread")]
async fn answers_shorten_overlong_names() {
    let running = start().await;
    let long = "x".repeat(1024 * 1024);
    let mut review =
        create_pod(json!({"imagePullSecrets": [{"name": "regcred-shared"}], "containers": []}));
    for field in ["name", "namespace"] {
        review["request"][field] = json!(long);
    }
    review["request"]["userInfo"]["username"] = json!(long);
    review["request"]["object"]["metadata"]["generateName"] = json!(long);
    let (status, body) = request(&running, "/validate", review.to_string().as_bytes()).await;
    assert_eq!(status, 200);
    assert!(!Answer::read(&body).allowed());
    assert!(body.len() < 16 * 1024, "{}", body.len());
    for field in ["uid", "operation"] {
        let mut review = create_pod(json!({}));
        review["request"][field] = json!(long);
        let (status, body) = request(&running, "/validate", review.to_string().as_bytes()).await;
        assert_eq!((status, body.len() < 512), (400, true), "{field}");
    }
    running.end().await;
}
