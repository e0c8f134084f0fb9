//! The server over real TLS connections.

use crate::support::{Answer, POLICY, Setting, create_pod};
use pullgate::live::{Live, Watches};
use pullgate::server::certs::{Certificate, SelfSigned};
use pullgate::server::{Server, admission};
use pullgate::world::Controllers;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

struct Running {
    address: SocketAddr,
    root: String,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
}

async fn start() -> Running {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = SelfSigned::new(&["localhost"]).expect("a certificate");
    let certificate = Certificate::new(&made.certificate, &made.key).expect("a certificate");
    let live = Live::new(
        crate::policy::policy(POLICY),
        Controllers::new(Vec::new()),
        Watches::Nothing,
    );
    let any = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind(
        any,
        certificate.server_config(),
        admission::router(Arc::new(live)),
    )
    .await
    .expect("a port");
    let address = server.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    #[expect(
        clippy::disallowed_methods,
        reason = "the test waits for it by its handle"
    )]
    let done = tokio::spawn(server.run(async { drop(stopped.await) }));
    Running {
        address,
        root: made.certificate,
        stop,
        done,
    }
}

async fn request(running: &Running, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(running.root.as_bytes()).expect("PEM"))
        .expect("a certificate");
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(running.address)
        .await
        .expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .expect("a handshake");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    // The server may answer and close before it has read all.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_default();
    let body = text
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.as_bytes().to_vec())
        .unwrap_or_default();
    (status, body)
}

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
    assert_eq!(
        request(&running, "/validate", &vec![b' '; 8 * 1024 * 1024])
            .await
            .0,
        413
    );
    drop(running.stop);
    running.done.await.expect("no panic");
}

/// One that says nothing must not keep the others waiting.
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
    assert_eq!(request(&running, "/validate", b"").await.0, 400);
    drop((silent, running.stop));
    running.done.await.expect("no panic");
}

/// Promise 4, for certificates.
#[test]
fn promise_4_a_bad_pair_changes_nothing() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let pair = || SelfSigned::new(&["localhost"]).expect("a certificate");
    let (first, second) = (pair(), pair());
    let certificate = Certificate::new(&first.certificate, &first.key).expect("a certificate");
    for (chain, key) in [
        ("", ""),
        (&*first.certificate, ""),
        ("x", &*first.key),
        (&*second.certificate, &*first.key),
    ] {
        let before = format!("{certificate:?}");
        assert!(certificate.replace(chain, key).is_err());
        assert_eq!(format!("{certificate:?}"), before);
    }
    assert!(
        certificate
            .replace(&second.certificate, &second.key)
            .is_ok()
    );
}
