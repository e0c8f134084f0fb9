//! Tests of client certificates.

use crate::tls::Client;
use crate::webhook::start_with;
use pullgate::tls::clients::Clients;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A client with a certificate of the CA is let in. With `--client-name`, the certificate must also have that name.
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
        // With TLS 1.3, the client notices the refusal only when it reads.
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

/// Promise 4 for the CA of client certificates.
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

/// A CA for client certificates.
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
