//! The server over real TLS connections.

use crate::support::{Answer, POLICY, Setting, create_pod};
use crate::tls::{Client, Running, serve, start, start_with};
use axum::Router;
use axum::routing::post;
use pullgate::authority::SelfSigned;
use pullgate::facts::{Facts, ServiceAccountFacts};
use pullgate::live::{Live, Watches};
use pullgate::metrics::Metrics;
use pullgate::policy::Policy;
use pullgate::server::admission::Guarded;
use pullgate::server::clients::Clients;
use pullgate::world::Controllers;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn request(running: &Running, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    running.client().post(path, body).await
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

/// Promise 4, for certificates, as seen by new connections.
#[tokio::test]
async fn promise_4_a_bad_pair_changes_nothing_and_a_good_one_is_used() {
    let running = start().await;
    let next = SelfSigned::new(&["localhost"]).expect("a certificate");
    let serves = async |root: &str| {
        let root = root.to_owned();
        let client = Client {
            root,
            ..running.client()
        };
        client.connect().await.is_ok()
    };
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
    running.end().await;
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
    running.end().await;
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
async fn a_panic_is_one_500_counted_and_the_server_goes_on() {
    let broken = async || -> &'static str { panic!("on purpose") };
    let metrics = Arc::new(Metrics::default());
    let router = Router::new()
        .route("/broken", post(broken))
        .route("/fine", post(async || "fine"));
    let running = serve(Guarded::new(router, metrics.clone())).await;
    for times in 1..=3 {
        let (status, body) = request(&running, "/broken", b"{}").await;
        assert!(status == 500 && !String::from_utf8_lossy(&body).contains("on purpose"));
        assert_eq!(
            request(&running, "/fine", b"{}").await,
            (200, b"fine".to_vec())
        );
        let counted = format!("pullgate_unanswered_requests_total{{reason=\"panic\"}} {times}");
        assert!(
            metrics.text(true).contains(&counted),
            "{}",
            metrics.text(true)
        );
    }
    running.end().await;
}

/// Promise 4, for what has nothing to do with keys: a certificate that nobody would trust is a bad one.
#[tokio::test]
async fn promise_4_an_expired_certificate_is_a_bad_one() {
    let running = start().await;
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
    params.not_before = time::OffsetDateTime::now_utc() - time::Duration::days(2);
    params.not_after = time::OffsetDateTime::now_utc() - time::Duration::days(1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let expired = params.self_signed(&key).expect("a certificate").pem();
    let error = running
        .certificate
        .replace(&expired, &key.serialize_pem())
        .expect_err("expired");
    assert!(error.to_string().contains("and not now"), "{error}");
    assert!(running.client().connect().await.is_ok());
    running.end().await;
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

/// Who asks decides how long names are, and must not decide how long answers and lines of the log are.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_repeated_is_no_longer_than_names_are() {
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

/// Who has a certificate of the CA is let in, and with `--client-name` only who has that name in it.
#[tokio::test]
async fn clients_are_let_in_by_their_certificate() {
    let authority = Authority::new();
    let other = Authority::new();
    let by_name = |names: &[&str]| {
        let names = names.iter().map(ToString::to_string).collect();
        Clients::new(&authority.certificate.pem(), names).expect("a CA")
    };
    for (names, identity, is_let_in) in [
        (&[][..], None, false),
        (&[], Some(other.issue("apiserver", &[])), false),
        (&[], Some(authority.issue("anyone", &[])), true),
        (
            &["apiserver"],
            Some(authority.issue("apiserver", &[])),
            true,
        ),
        (
            &["apiserver", "b.test"],
            Some(authority.issue("x", &["a.test", "b.test"])),
            true,
        ),
        (
            &["apiserver"],
            Some(authority.issue("apiserver-2", &["x.apiserver"])),
            false,
        ),
        (&["apiserver"], None, false),
    ] {
        let case = format!("{names:?} {}", identity.is_some());
        let running = start_with(100, Some(by_name(names))).await;
        let client = Client {
            identity,
            ..running.client()
        };
        // With TLS 1.3 the client learns of the refusal when it reads.
        let answered = async {
            let mut stream = client.connect().await?;
            stream
                .write_all(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                .await?;
            stream.read_u8().await
        };
        assert_eq!(answered.await.is_ok(), is_let_in, "{case}");
        running.end().await;
    }
}

/// Promise 4, for the CA of clients.
#[tokio::test]
async fn promise_4_a_bad_ca_of_clients_changes_nothing_and_a_good_one_is_used() {
    let (authority, next) = (Authority::new(), Authority::new());
    let clients = Clients::new(&authority.certificate.pem(), Vec::new()).expect("a CA");
    let running = start_with(100, Some(clients.clone())).await;
    let is_let_in = async |authority: &Authority| {
        let identity = Some(authority.issue("x", &[]));
        let client = Client {
            identity,
            ..running.client()
        };
        let Ok(mut stream) = client.connect().await else {
            return false;
        };
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        asked.is_ok() && stream.read_u8().await.is_ok()
    };
    for bad in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(clients.replace(bad).is_err(), "{bad}");
        assert!(is_let_in(&authority).await && !is_let_in(&next).await);
    }
    clients.replace(&next.certificate.pem()).expect("a CA");
    assert!(!is_let_in(&authority).await && is_let_in(&next).await);
    running.end().await;
}

/// A CA of clients.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let issuer = rcgen::Issuer::new(params, key);
        Self {
            certificate,
            issuer,
        }
    }

    fn issue(&self, common_name: &str, dns_names: &[&str]) -> (String, String) {
        let names: Vec<_> = dns_names.iter().map(ToString::to_string).collect();
        let mut params = rcgen::CertificateParams::new(names).expect("names");
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::CommonName, common_name);
        params.distinguished_name = name;
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}
