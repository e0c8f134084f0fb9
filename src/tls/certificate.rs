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

/// The certificate that handshakes use. It can be swapped while the server runs. The default holds none, and then every
/// handshake fails.
#[derive(Debug, Default)]
pub struct Certificate(ArcSwapOption<Pair>);

/// A certificate with its key and its expiry.
#[derive(Debug)]
struct Pair {
    key: Arc<CertifiedKey>,
    expires: i64,
}

impl Certificate {
    /// Makes it from a certificate chain (leaf first) and its key, both PEM.
    ///
    /// # Errors
    /// Fails if the chain or the key is missing, if the key belongs to another certificate, or if the certificate is
    /// not valid now.
    pub fn new(chain: &str, key: &str) -> Result<Arc<Self>> {
        let certificate = Self::default();
        certificate.replace(chain, key)?;
        Ok(Arc::new(certificate))
    }

    /// Uses another pair from the next handshake on.
    ///
    /// # Errors
    /// As for [`Certificate::new`]. The pair in use then stays.
    pub fn replace(&self, chain: &str, key: &str) -> Result<()> {
        self.0.store(Some(Arc::new(Pair::new(chain, key)?)));
        Ok(())
    }

    /// Returns the time of expiry in seconds of Unix time, or 0 if there is no certificate.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.0.load().as_ref().map_or(0, |pair| pair.expires)
    }

    /// Returns a server configuration with this certificate: TLS 1.2 and 1.3, and HTTP/1.1, which the API server speaks
    /// to Services. The cipher suites are those of rustls, all with forward secrecy and authenticated encryption. With
    /// `clients`, only those clients may connect.
    #[must_use]
    pub fn server_config(self: &Arc<Self>, clients: Option<Arc<Clients>>) -> ServerConfig {
        let builder = ServerConfig::builder();
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // The API server keeps its connections open, so resuming sessions gains nothing, and it would cost 20 MB of
        // memory.
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
        let leaf = key
            .end_entity_cert()
            .context("the chain holds no certificate")?;
        let (_, leaf) = X509Certificate::from_der(leaf).context("cannot read the certificate")?;
        let validity = leaf.validity();
        anyhow::ensure!(
            validity.is_valid(),
            "the certificate is not valid now, but from {} to {}",
            validity.not_before,
            validity.not_after
        );
        let expires = validity.not_after.timestamp();
        let key = Arc::new(key);
        Ok(Self { key, expires })
    }
}
