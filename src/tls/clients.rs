//! Checks client certificates: which clients may connect.

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The CA of the clients that may connect, and the names that they may have. The CA can be swapped while the server
/// runs.
#[derive(Debug)]
pub struct Clients {
    verifier: ArcSwap<Verifier>,
    names: Vec<String>,
}

#[derive(Debug)]
struct Verifier(Arc<dyn ClientCertVerifier>);

impl Clients {
    /// Accepts clients with a certificate of this CA (PEM, one or more certificates) that has one of these names as its
    /// common name or as a DNS name. Without names, every certificate of the CA is accepted.
    ///
    /// # Errors
    /// Fails if `authority` holds no CA certificate.
    pub fn new(authority: &str, names: Vec<String>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            verifier: ArcSwap::from_pointee(verifier(authority)?),
            names,
        }))
    }

    /// Accepts clients of another CA from the next handshake on.
    ///
    /// # Errors
    /// Fails if `authority` holds no CA certificate. The CA in use then stays.
    pub fn replace(&self, authority: &str) -> Result<()> {
        self.verifier.store(Arc::new(verifier(authority)?));
        Ok(())
    }

    fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        self.verifier.load().0.clone()
    }

    fn knows(&self, certificate: &X509Certificate<'_>) -> bool {
        let is_known = |name: &str| self.names.iter().any(|known| known == name);
        let mut common_names = certificate.subject().iter_common_name();
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let mut alternatives = alternatives
            .iter()
            .flat_map(|extension| &extension.value.general_names);
        self.names.is_empty()
            || common_names.any(|name| name.as_str().is_ok_and(is_known))
            || alternatives.any(|name| matches!(name, GeneralName::DNSName(name) if is_known(name)))
    }
}

fn verifier(authority: &str) -> Result<Verifier> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let certificate = certificate.context("the file is not valid PEM")?;
        roots
            .add(certificate)
            .context("cannot read a certificate in the file")?;
    }
    anyhow::ensure!(!roots.is_empty(), "the file holds no certificate");
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
    Ok(Verifier(verifier))
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Hints are optional (RFC 8446, 4.2.4), and a value that is swapped cannot be borrowed.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .verifier()
            .verify_client_cert(certificate, intermediates, now)?;
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if self.knows(&parsed) {
            Ok(verified)
        } else {
            Err(Error::InvalidCertificate(CertificateError::NotValidForName))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier().supported_verify_schemes()
    }
}
