//! Tests of connections: their protocols and their end.

use super::request;
use crate::webhook::start;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A silent connection delays neither other connections nor the end of the server.
#[tokio::test]
async fn silent_connections_do_not_delay_others() {
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

/// A request that is under way when the server stops still gets its answer.
#[tokio::test]
async fn a_request_under_way_is_answered_before_the_server_ends() {
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
        "new connections are refused"
    );
    stream.write_all(b"{}").await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    running.done.await.expect("no panic");
}

/// The API server speaks HTTP/1.1 to Services. To a URL, it offers HTTP/2 first but accepts HTTP/1.1.
#[tokio::test]
async fn only_http_1_1_is_spoken() {
    let running = start().await;
    let client = running.client();
    let both = client.with_alpn(&["h2", "http/1.1"]).connect().await;
    let stream = both.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let http2 = client.with_alpn(&["h2"]).connect().await;
    let error = http2.expect_err("no protocol in common").to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
    running.end().await;
}

/// TLS 1.2 and 1.3 are spoken, with only those suites that have forward secrecy and authenticated encryption.
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
