//! Tests of connections: their protocols, and how they end.

use super::request;
use crate::support::{Answer, POLICY, Setting, create_pod};
use crate::tls::start;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One that says nothing must not keep the others waiting, and nobody at the end.
#[tokio::test]
async fn silent_connections_hold_nobody_up() {
    let running = start().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(
            TcpStream::connect(running.address)
                .await
                .expect("a connection"),
        );
    }
    let soon = Duration::from_secs(5);
    assert_eq!(
        timeout(soon, request(&running, "/validate", b""))
            .await
            .expect("an answer soon")
            .0,
        400
    );
    drop(running.stop);
    timeout(soon, running.done)
        .await
        .expect("an end soon")
        .expect("no panic");
}

/// A request that is under way when the server is told to stop is answered.
#[tokio::test]
async fn what_is_under_way_is_finished() {
    let running = start().await;
    let mut stream = running.client().connect().await.expect("a handshake");
    stream
        .write_all(b"POST /validate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
        .await
        .expect("written");
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(running.stop);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        TcpStream::connect(running.address).await.is_err(),
        "nobody new is let in"
    );
    stream.write_all(b"{}").await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    running.done.await.expect("no panic");
}

/// The API server offers HTTP/1.1 alone; a client that offers HTTP/2 gets it.
#[tokio::test]
async fn both_protocols_are_spoken() {
    let running = start().await;
    let client = running.client();
    let spoken = async |offer: &'static str| {
        let stream = client
            .with_alpn(offer)
            .connect()
            .await
            .expect("a handshake");
        stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(spoken("http/1.1").await, Some(b"http/1.1".to_vec()));
    assert_eq!(spoken("h2").await, Some(b"h2".to_vec()));
    let review =
        create_pod(json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]}));
    let stream = client.with_alpn("h2").connect().await.expect("a handshake");
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, axum::body::Body>(executor, io)
            .await
            .expect("HTTP/2");
    let request = axum::http::Request::post("https://localhost/mutate")
        .body(review.to_string().into())
        .expect("a request");
    let asked = async {
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let body = axum::body::Body::new(response.into_body());
        axum::body::to_bytes(body, usize::MAX)
            .await
            .expect("a body")
    };
    let body = tokio::select! {
        body = asked => body,
        _ = connection => panic!("the connection ended"),
    };
    assert_eq!(
        Answer::read(&body).patch,
        Setting::new(POLICY).mutate(&review).patch
    );
    running.end().await;
}

/// TLS 1.2 and 1.3, and of both only suites with forward secrecy and authenticated encryption.
#[tokio::test]
async fn only_modern_tls_is_spoken() {
    let running = start().await;
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let stream = running.client().connect_with(versions).await;
        let stream = stream.expect("a handshake");
        let suite = stream
            .get_ref()
            .1
            .negotiated_cipher_suite()
            .expect("a suite");
        let name = format!("{:?}", suite.suite());
        assert!(name.contains("GCM") || name.contains("CHACHA20"), "{name}");
        assert!(
            name.starts_with("TLS13") || name.contains("ECDHE"),
            "{name}"
        );
    }
    running.end().await;
}
