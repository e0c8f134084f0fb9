//! Self-signed certificates for a server that is reached on this machine alone.

use crate::tls::x509::leaf;
use anyhow::Result;
use rcgen::KeyPair;
use time::{Duration, OffsetDateTime};

/// How long a self-signed certificate of a local server is good.
const LOCAL_LIFETIME: Duration = Duration::days(7);

/// A certificate and its key as PEM, made here.
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl SelfSigned {
    /// Makes a certificate for a server that is reached on this machine alone.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn local() -> Result<Self> {
        Self::new(&["localhost", "127.0.0.1", "::1"])
    }

    /// Makes a certificate that is good for these names and addresses, for a week.
    ///
    /// # Errors
    /// A name is none, or there is no randomness.
    pub fn new(names: &[&str]) -> Result<Self> {
        let key = KeyPair::generate()?;
        let now = OffsetDateTime::now_utc();
        let certificate = leaf(names, now, LOCAL_LIFETIME)?.self_signed(&key)?;
        Ok(Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}
