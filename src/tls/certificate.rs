//! The serving certificate, as handshakes use it.

use super::clients::Clients;
use crate::tls::x509::certified;
use anyhow::{Context, Result};
use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The certificate that handshakes use, to be swapped while the server runs. The default has none, and every handshake
/// fails.
#[derive(Debug, Default)]
pub struct Certificate(ArcSwapOption<Pair>);

/// A certificate and its key, and until when it is good.
#[derive(Debug)]
struct Pair {
    key: Arc<CertifiedKey>,
    expires: i64,
}

impl Certificate {
    /// A certificate chain, the leaf first, and its key, both PEM.
    ///
    /// # Errors
    /// There is no certificate or no key, the key belongs to another certificate, or the certificate is not valid now.
    pub fn new(chain: &str, key: &str) -> Result<Arc<Self>> {
        let certificate = Self::default();
        certificate.replace(chain, key)?;
        Ok(Arc::new(certificate))
    }

    /// Uses another pair from the next handshake on.
    ///
    /// # Errors
    /// As for [`Certificate::new`]; then the pair that was there stays.
    pub fn replace(&self, chain: &str, key: &str) -> Result<()> {
        self.0.store(Some(Arc::new(Pair::new(chain, key)?)));
        Ok(())
    }

    /// When it expires, in seconds of Unix time; 0 where there is none.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.0.load().as_ref().map_or(0, |pair| pair.expires)
    }

    /// A server configuration that uses it: TLS 1.2 and 1.3, and HTTP/1.1, which the API server speaks to Services. The
    /// suites are those of rustls, all of them with forward secrecy and authenticated encryption. With `clients`, only they
    /// are let in.
    #[must_use]
    pub fn server_config(self: &Arc<Self>, clients: Option<Arc<Clients>>) -> ServerConfig {
        let builder = ServerConfig::builder();
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // The API server keeps its connections: to resume sessions brings nothing, and costs 20 MB of memory.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|pair| pair.key.clone())
    }
}

impl Pair {
    fn new(chain: &str, key: &str) -> Result<Self> {
        let key = certified(chain, key)?;
        let leaf = key.end_entity_cert().context("there is no certificate")?;
        let (_, leaf) =
            X509Certificate::from_der(leaf).context("the certificate cannot be read")?;
        let validity = leaf.validity();
        anyhow::ensure!(
            validity.is_valid(),
            "the certificate is valid from {} to {}, and not now",
            validity.not_before,
            validity.not_after
        );
        let expires = validity.not_after.timestamp();
        let key = Arc::new(key);
        Ok(Self { key, expires })
    }
}
