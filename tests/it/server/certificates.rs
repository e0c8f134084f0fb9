//! Tests of replacing the server's certificate.

use crate::tls::Client;
use crate::webhook::start;
use pullgate::tls::self_signed::SelfSigned;

/// Promise 4 for certificates, seen by new connections.
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

/// Promise 4 for a certificate that no client would trust, although its key fits.
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
    assert!(error.to_string().contains("is not valid now"), "{error}");
    assert!(running.client().connect().await.is_ok());
    running.end().await;
}
