//! Tests of `/livez` and `/readyz`.

use super::Process;
use crate::tls::{split, status};
use pullgate::runtime::lifecycle::{Part, Readiness};
use pullgate::server::admin;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn the_admin_port_serves_health_and_metrics() {
    let dir = tempfile::tempdir().expect("a folder");
    let process = Process::start(dir.path(), &[]);
    assert_eq!(process.get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(process.get("/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(process.get("/elsewhere").0, 404);
    let text = process.get("/metrics").1;
    assert!(text.ends_with("# EOF\n"), "{text}");
    let week = 7.0 * 24.0 * 3600.0;
    let expires = process
        .metric("pullgate_certificate_expiry_timestamp_seconds")
        .expect("a metric");
    let loaded = process
        .metric("pullgate_policy_loaded_timestamp_seconds")
        .expect("a metric");
    assert!((expires - loaded - week).abs() < 60.0, "{text}");
}

#[test]
fn not_ready_says_what_is_missing() {
    let readiness = Readiness::waiting_for(&[Part::Certificate, Part::Policy]);
    let (is_ready, text) = readiness.report();
    assert!(!is_ready);
    assert_eq!(
        text,
        "not ready: no certificate yet\nnot ready: no policy yet\n"
    );
    readiness.has(Part::Certificate);
    assert_eq!(
        readiness.report(),
        (false, "not ready: no policy yet\n".to_owned())
    );
    readiness.has(Part::Policy);
    assert_eq!(readiness.report(), (true, "ready\n".to_owned()));
    readiness.stop();
    assert_eq!(
        readiness.report(),
        (false, "not ready: shutting down\n".to_owned())
    );
}

#[tokio::test]
async fn not_ready_is_503() {
    let readiness = Arc::new(Readiness::waiting_for(&[Part::Policy]));
    let running = crate::tls::serve(admin::router(readiness, Arc::default())).await;
    let mut stream = running.client().connect().await.expect("a handshake");
    let request = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let (head, body) = split(&answer);
    assert_eq!(
        (status(&head), &*body),
        (503, &b"not ready: no policy yet\n"[..])
    );
    running.end().await;
}
