//! Builds and reads X.509 certificates.

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

/// The time by which `notBefore` lies in the past. Clocks differ, and a certificate of the future is not valid.
const BACKDATE: Duration = Duration::hours(1);

/// The lifetime of a serving certificate. It is renewed after two thirds of that, which leaves ten days to notice a
/// failing renewal.
const LEAF_LIFETIME: Duration = Duration::days(30);
/// The lifetime of a CA. It is renewed after two thirds of that, four months before its end. A certificate never
/// outlives its CA.
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
    // People and verifiers could hardly tell two CAs of the same name apart.
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

/// Parses one certificate. The error does not repeat the fault of the PEM: the parser would quote the text, and it
/// could be a key.
pub(super) fn der(pem: &str) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .ok()
        .context("not a certificate")
}

/// Parses a certificate chain (leaf first) and its key, both PEM, for the server.
///
/// # Errors
/// Fails if the chain or the key is missing, or if the key belongs to another certificate.
pub fn certified(chain: &str, key: &str) -> Result<CertifiedKey> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .ok()
        .context("the certificate file is not valid PEM")?;
    ensure!(
        !chain.is_empty(),
        "the certificate file holds no certificate"
    );
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .ok()
        .context("the key file holds no private key")?;
    let provider = CryptoProvider::get_default()
        .context("no cryptography: install a rustls provider first")?;
    CertifiedKey::from_der(chain, key, provider).context("the key does not match the certificate")
}

/// Splits a text into its certificates, one PEM each.
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

/// Returns whether a certificate is valid, with less than two thirds of its lifetime over.
pub(super) fn is_young(pem: &str, now: OffsetDateTime) -> bool {
    lifetime(pem).is_some_and(|(from, to)| from <= now && now < from + (to - from) * 2 / 3)
}

/// Signs a serving certificate for these names with a CA and its key. Returns the certificate and its key as PEM.
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
