//! Self-signed certificates for a server that only this machine reaches.

use crate::tls::x509::leaf;
use anyhow::Result;
use rcgen::KeyPair;
use time::{Duration, OffsetDateTime};

/// The lifetime of a self-signed certificate.
const LOCAL_LIFETIME: Duration = Duration::days(7);

/// A self-signed certificate and its key, both PEM.
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl SelfSigned {
    /// Creates a certificate for a server that only this machine reaches.
    ///
    /// # Errors
    /// Fails if the system has no random numbers.
    pub fn local() -> Result<Self> {
        Self::new(&["localhost", "127.0.0.1", "::1"])
    }

    /// Creates a certificate for these names and addresses, valid for a week.
    ///
    /// # Errors
    /// Fails if a name is not valid, or if the system has no random numbers.
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
