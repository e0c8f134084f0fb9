//! The server over real TLS connections.

use crate::support::{Answer, POLICY, Setting, create_pod};
use axum::Router;
use axum::routing::post;
use pullgate::facts::{Facts, ServiceAccountFacts};
use pullgate::live::{Live, Watches};
use pullgate::policy::Policy;
use pullgate::server::certs::{Certificate, SelfSigned};
use pullgate::server::{Server, admission};
use pullgate::world::Controllers;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

struct Running {
    address: SocketAddr,
    certificate: Arc<Certificate>,
    root: String,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
}

async fn start() -> Running {
    let live = Live::new(
        crate::policy::policy(POLICY),
        Controllers::new(Vec::new()),
        Watches::Nothing,
    );
    serve(admission::router(Arc::new(live))).await
}

async fn serve(router: Router) -> Running {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = SelfSigned::new(&["localhost"]).expect("a certificate");
    let certificate = Certificate::new(&made.certificate, &made.key).expect("a certificate");
    let any = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind(any, certificate.server_config(), router)
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
        certificate,
        root: made.certificate,
        stop,
        done,
    }
}

/// A connection of its own, trusting this root.
async fn connect(address: SocketAddr, root: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM"))
        .expect("a certificate");
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn request(running: &Running, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = connect(running.address, &running.root)
        .await
        .expect("a handshake");
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
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
    let mut stream = connect(running.address, &running.root)
        .await
        .expect("a handshake");
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

/// Promise 4, for certificates, as seen by new connections.
#[tokio::test]
async fn promise_4_a_bad_pair_changes_nothing_and_a_good_one_is_used() {
    let running = start().await;
    let next = SelfSigned::new(&["localhost"]).expect("a certificate");
    let serves = async |root: &str| connect(running.address, root).await.is_ok();
    for (chain, key) in [
        ("", ""),
        (&*running.root, ""),
        ("x", &*next.key),
        (&*running.root, &*next.key),
    ] {
        assert!(running.certificate.replace(chain, key).is_err());
        assert!(serves(&running.root).await);
    }
    running
        .certificate
        .replace(&next.certificate, &next.key)
        .expect("a good pair");
    assert!(serves(&next.certificate).await && !serves(&running.root).await);
    drop(running.stop);
    running.done.await.expect("no panic");
}

/// Promise 5, where it is easiest to break: in what is said about a request that nobody can read.
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
    drop(running.stop);
    running.done.await.expect("no panic");
}

/// What is in the same `kubectl apply` may be known a moment later; what is not known for long is not waited for.
#[tokio::test(start_paused = true)]
async fn facts_are_waited_for_and_not_for_ever() {
    let bytes = create_pod(json!({"containers": []})).to_string();
    let subject = pullgate::review::parse(bytes.as_bytes())
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

/// A panic is one failed call: no review, so that the failurePolicy decides, and the next one is answered.
#[tokio::test]
async fn a_panic_is_one_500_and_the_server_goes_on() {
    let broken = async || -> &'static str { panic!("on purpose") };
    let running = serve(admission::bounded(
        Router::new()
            .route("/broken", post(broken))
            .route("/fine", post(async || "fine")),
    ))
    .await;
    for _ in 0..3 {
        let (status, body) = request(&running, "/broken", b"{}").await;
        assert!(status == 500 && !String::from_utf8_lossy(&body).contains("on purpose"));
        assert_eq!(
            request(&running, "/fine", b"{}").await,
            (200, b"fine".to_vec())
        );
    }
    drop(running.stop);
    running.done.await.expect("no panic");
}
