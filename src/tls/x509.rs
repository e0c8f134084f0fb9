//! X.509: what certificates are made with, and what is read from them.

use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Clocks differ; a certificate of the future is no certificate.
const BACKDATE: Duration = Duration::hours(1);

/// How long a serving certificate is good. It is made anew when two thirds are over, and then there are ten days to
/// notice that this does not work.
const LEAF_LIFETIME: Duration = Duration::days(30);
/// How long a CA is good. What it signs never outlives it: it is made anew four months before its end.
const AUTHORITY_LIFETIME: Duration = Duration::days(365);

pub(super) fn leaf(
    names: &[&str],
    now: OffsetDateTime,
    lifetime: Duration,
) -> Result<CertificateParams> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = called("pullgate");
    params.not_before = now - BACKDATE;
    params.not_after = now + lifetime;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

pub(super) fn authority(now: OffsetDateTime) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    // Two CAs of one name would be hard to tell apart for people and for verifiers.
    params.distinguished_name = called(&format!("pullgate CA {}", now.unix_timestamp_nanos()));
    params.not_before = now - BACKDATE;
    params.not_after = now + AUTHORITY_LIFETIME;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// What is wrong with PEM is not told: the parser would quote it, and it could be a key.
pub(super) fn der(pem: &str) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .ok()
        .context("no certificate")
}

/// A certificate chain, the leaf first, and its key, both PEM, as the server uses them.
///
/// # Errors
/// There is no certificate or no key, or the key belongs to another certificate.
pub fn certified(chain: &str, key: &str) -> Result<CertifiedKey> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .ok()
        .context("the certificate file is no PEM")?;
    ensure!(
        !chain.is_empty(),
        "there is no certificate in the certificate file"
    );
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .ok()
        .context("there is no private key in the key file")?;
    let provider = CryptoProvider::get_default()
        .context("no cryptography: install a rustls provider first")?;
    CertifiedKey::from_der(chain, key, provider).context("certificate and key do not go together")
}

/// The certificates of a text, each as a text of its own.
pub(super) fn certificates(text: &str) -> Result<Vec<String>> {
    const END: &str = "-----END CERTIFICATE-----";
    let parts = text.split_inclusive(END).map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| der(part).map(|_| format!("{part}\n")))
        .collect()
}

pub(super) fn lifetime(pem: &str) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let der = der(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let validity = certificate.validity();
    Some((
        validity.not_before.to_datetime(),
        validity.not_after.to_datetime(),
    ))
}

pub(super) fn is_valid(pem: &str, now: OffsetDateTime) -> bool {
    lifetime(pem).is_some_and(|(from, to)| from <= now && now < to)
}

/// Whether it is valid and less than two thirds of its lifetime are over.
pub(super) fn is_young(pem: &str, now: OffsetDateTime) -> bool {
    lifetime(pem).is_some_and(|(from, to)| from <= now && now < from + (to - from) * 2 / 3)
}

/// A serving certificate for these names, by the CA of this key.
pub(super) fn sign(
    authority: &str,
    authority_key: KeyPair,
    names: &[String],
    now: OffsetDateTime,
) -> Result<(String, String)> {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let key = KeyPair::generate()?;
    let mut params = leaf(&names, now, LEAF_LIFETIME)?;
    params.use_authority_key_identifier_extension = true;
    if let Some((_, end)) = lifetime(authority) {
        params.not_after = params.not_after.min(end);
    }
    let issuer = Issuer::from_ca_cert_pem(authority, authority_key)?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
