//! The CA and the serving certificate that the replicas of a cluster share.

use crate::tls::x509::{
    authority, certificates, certified, der, is_valid, is_young, lifetime, sign,
};
use anyhow::{Context, Result, ensure};
use rcgen::KeyPair;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

/// The most CAs that are trusted at the same time: the signing one, and earlier ones that have not expired.
const MAX_AUTHORITIES: usize = 4;

/// The keys of the Secret.
const AUTHORITIES: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";

/// A CA with its key, earlier CAs, and a serving certificate with its key, all PEM. It has no `Debug`, because it holds
/// keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The signing CA comes first.
    authorities: Vec<String>,
    authority_key: String,
    chain: String,
    key: String,
}

impl Keys {
    /// Creates a CA, and a certificate for these names.
    ///
    /// # Errors
    /// Fails if a name is not valid, or if the system has no random numbers.
    pub fn new(names: &[String], now: OffsetDateTime) -> Result<Self> {
        let key = KeyPair::generate()?;
        let authority = authority(now)?.self_signed(&key)?;
        let authority_key = key.serialize_pem();
        let (chain, key) = sign(&authority.pem(), key, names, now)?;
        Ok(Self {
            authorities: vec![authority.pem()],
            authority_key,
            chain,
            key,
        })
    }

    /// Reads the content of a Secret.
    ///
    /// # Errors
    /// Fails if a key of the Secret is missing or not UTF-8, or if a certificate is not valid. The error does not quote
    /// the content.
    pub fn from_secret(secret: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let text = |key: &str| -> Result<String> {
            let bytes = secret
                .get(key)
                .with_context(|| format!("the key {key} is missing"))?;
            String::from_utf8(bytes.clone())
                .ok()
                .with_context(|| format!("{key} is not valid UTF-8"))
        };
        let authorities = certificates(&text(AUTHORITIES)?).context("cannot read ca.crt")?;
        ensure!(!authorities.is_empty(), "ca.crt holds no certificate");
        Ok(Self {
            authorities,
            authority_key: text(AUTHORITY_KEY)?,
            chain: text(CHAIN)?,
            key: text(KEY)?,
        })
    }

    /// Returns the content for a Secret.
    #[must_use]
    pub fn to_secret(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = [
            (AUTHORITIES, self.bundle()),
            (AUTHORITY_KEY, self.authority_key.clone()),
            (CHAIN, self.chain.clone()),
            (KEY, self.key.clone()),
        ];
        entries
            .into_iter()
            .map(|(key, text)| (key.to_owned(), text.into_bytes()))
            .collect()
    }

    /// Returns all CAs as PEM: the bundle that clients must trust.
    #[must_use]
    pub fn bundle(&self) -> String {
        self.authorities.concat()
    }

    /// Returns the serving certificate and its key.
    #[must_use]
    pub fn pair(&self) -> (&str, &str) {
        (&self.chain, &self.key)
    }

    /// Returns whether a client that trusts the CAs of `self` accepts the certificate of `other`.
    #[must_use]
    pub fn trusts(&self, other: &Self) -> bool {
        other
            .authorities
            .first()
            .is_some_and(|signer| self.authorities.contains(signer))
    }

    /// Adds the CAs of `other` to the trusted ones, because its certificate is in use.
    #[must_use]
    pub fn with_authorities_of(self, other: &Self) -> Self {
        self.with_authorities(&other.authorities)
    }

    /// Adds the CAs of a bundle (PEM) to the trusted ones, because another replica may serve with a certificate of one
    /// of them. Leaves out expired CAs, and the whole bundle if it is not valid.
    #[must_use]
    pub fn with_bundle(self, bundle: &str, now: OffsetDateTime) -> Self {
        let mut authorities = certificates(bundle).unwrap_or_default();
        authorities.retain(|authority| is_valid(authority, now));
        self.with_authorities(&authorities)
    }

    /// Inserts CAs right after the signing one. If there are too many, the oldest ones are dropped.
    fn with_authorities(mut self, others: &[String]) -> Self {
        let known = self.authorities.split_off(1);
        for authority in others.iter().chain(&known) {
            if !self.authorities.contains(authority) {
                self.authorities.push(authority.clone());
            }
        }
        self.authorities.truncate(MAX_AUTHORITIES);
        self
    }

    /// Returns whether the signing CA is the only trusted one.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.authorities.len() == 1
    }

    /// Returns the replacement that is due now, or `None` if the certificate is good: valid for all these names, signed
    /// by its CA, and less than two thirds of each lifetime over. CAs that have not expired stay trusted.
    ///
    /// # Errors
    /// Fails if the system has no random numbers, or if clients do not accept a certificate for these names.
    pub fn renewed(&self, names: &[String], now: OffsetDateTime) -> Result<Option<Self>> {
        if self.is_good(names, now) {
            return Ok(None);
        }
        let signer = &self.authorities[0];
        if is_young(signer, now) && certified(signer, &self.authority_key).is_ok() {
            let key = KeyPair::from_pem(&self.authority_key).ok();
            let pair = key.and_then(|key| sign(signer, key, names, now).ok());
            let renewed = pair.map(|(chain, key)| Self {
                chain,
                key,
                ..self.clone()
            });
            // A CA that another program made may have constraints of its own.
            if let Some(renewed) = renewed.filter(|renewed| renewed.is_good(names, now)) {
                return Ok(Some(renewed));
            }
        }
        let renewed = Self::new(names, now)?.with_bundle(&self.bundle(), now);
        ensure!(
            renewed.is_good(names, now),
            "clients do not accept a certificate for {}: correct the names",
            names.join(", ")
        );
        Ok(Some(renewed))
    }

    fn is_good(&self, names: &[String], now: OffsetDateTime) -> bool {
        let signer = &self.authorities[0];
        is_young(signer, now)
            && is_young(&self.chain, now)
            && certified(signer, &self.authority_key).is_ok()
            && certified(&self.chain, &self.key).is_ok()
            && self.is_accepted(names, now)
    }

    /// Returns the expiry of the signing CA in seconds of Unix time, or 0 if it cannot be read.
    #[must_use]
    pub fn authority_expires(&self) -> i64 {
        lifetime(&self.authorities[0]).map_or(0, |(_, to)| to.unix_timestamp())
    }

    /// Returns whether a client that trusts only the signing CA accepts the certificate for each of the names.
    fn is_accepted(&self, names: &[String], now: OffsetDateTime) -> bool {
        let accepted = || -> Result<()> {
            let mut roots = RootCertStore::empty();
            roots.add(der(&self.authorities[0])?)?;
            let verifier = WebPkiServerVerifier::builder(Arc::new(roots)).build()?;
            let leaf = der(&self.chain)?;
            let seconds = u64::try_from(now.unix_timestamp())?;
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
            for name in names {
                let name = ServerName::try_from(name.as_str())?;
                verifier.verify_server_cert(&leaf, &[], &name, &[], now)?;
            }
            Ok(())
        };
        accepted().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    fn names() -> Vec<String> {
        vec![
            "pullgate.pullgate.svc".to_owned(),
            "pullgate.pullgate.svc.cluster.local".to_owned(),
        ]
    }

    fn keys(now: OffsetDateTime) -> Keys {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Keys::new(&names(), now).expect("keys")
    }

    #[test]
    fn fresh_keys_are_good_and_survive_the_secret() {
        let now = OffsetDateTime::now_utc();
        let keys = keys(now);
        assert!(keys.renewed(&names(), now).expect("a judgement").is_none());
        let read = Keys::from_secret(&keys.to_secret()).expect("what was written");
        assert!(read == keys);
    }

    #[test]
    fn a_certificate_is_renewed_by_the_same_ca_after_two_thirds() {
        let now = OffsetDateTime::now_utc();
        let keys = keys(now);
        let before = now + Duration::days(19);
        assert!(keys.renewed(&names(), before).expect("fine").is_none());
        let after = now + Duration::days(21);
        let renewed = keys
            .renewed(&names(), after)
            .expect("fine")
            .expect("it is time");
        assert_eq!(renewed.bundle(), keys.bundle());
        assert!(renewed.pair() != keys.pair());
        assert!(renewed.renewed(&names(), after).expect("fine").is_none());
    }

    #[test]
    fn a_ca_is_renewed_after_two_thirds_and_the_old_one_stays_trusted_until_its_end() {
        let now = OffsetDateTime::now_utc();
        let keys = keys(now);
        let after = now + Duration::days(250);
        let renewed = keys
            .renewed(&names(), after)
            .expect("fine")
            .expect("it is time");
        assert!(renewed.trusts(&keys) && !keys.trusts(&renewed));
        assert!(renewed.bundle().ends_with(&keys.bundle()));
        let much_later = after + Duration::days(250);
        let again = renewed
            .renewed(&names(), much_later)
            .expect("fine")
            .expect("it is time");
        assert!(again.trusts(&renewed) && !again.trusts(&keys));
    }

    #[test]
    fn a_certificate_that_cannot_serve_is_replaced_without_a_new_ca() {
        let now = OffsetDateTime::now_utc();
        let (keys, other) = (keys(now), keys(now));
        let renamed = vec!["webhook.other.svc".to_owned()];
        let foreign = Keys {
            chain: other.chain.clone(),
            key: other.key.clone(),
            ..keys.clone()
        };
        let mixed = Keys {
            key: other.key.clone(),
            ..keys.clone()
        };
        for (bad, names) in [(&keys, &renamed), (&foreign, &names()), (&mixed, &names())] {
            let renewed = bad.renewed(names, now).expect("fine").expect("it is bad");
            assert_eq!(renewed.bundle(), keys.bundle());
            assert!(renewed.renewed(names, now).expect("fine").is_none());
        }
    }

    #[test]
    fn a_ca_without_its_key_is_replaced_and_stays_trusted() {
        let now = OffsetDateTime::now_utc();
        let (keys, other) = (keys(now), keys(now));
        let bad = Keys {
            authority_key: other.authority_key.clone(),
            ..keys.clone()
        };
        let renewed = bad
            .renewed(&names(), now)
            .expect("fine")
            .expect("it is bad");
        assert!(renewed.trusts(&keys));
        assert!(renewed.renewed(&names(), now).expect("fine").is_none());
    }

    #[test]
    fn an_unusable_secret_is_reported_without_its_content() {
        let now = OffsetDateTime::now_utc();
        let good = keys(now).to_secret();
        for (key, value, told) in [
            ("ca.crt", None, "the key ca.crt is missing"),
            ("tls.key", Some(vec![0xff]), "tls.key is not valid UTF-8"),
            ("ca.crt", Some(b"hunter2".to_vec()), "cannot read ca.crt"),
            ("ca.crt", Some(Vec::new()), "ca.crt holds no certificate"),
        ] {
            let mut secret = good.clone();
            match value {
                Some(value) => drop(secret.insert(key.to_owned(), value)),
                None => drop(secret.remove(key)),
            }
            let error = Keys::from_secret(&secret).err().expect("it is bad");
            assert_eq!(error.to_string(), told);
            assert!(!format!("{error:#}").contains("hunter2"));
        }
    }

    #[test]
    fn names_that_clients_refuse_are_an_error_and_not_a_loop() {
        let now = OffsetDateTime::now_utc();
        let keys = keys(now);
        let error = keys.renewed(&["*.x".to_owned()], now).err().expect("bad");
        assert_eq!(
            error.to_string(),
            "clients do not accept a certificate for *.x: correct the names"
        );
    }

    /// A key on one line is one section label to the parser, which would quote it.
    #[test]
    fn promise_5_a_key_that_lost_its_newlines_is_not_quoted() {
        let keys = keys(OffsetDateTime::now_utc());
        let line = keys.key.replace('\n', " ");
        for (chain, key) in [(&keys.chain, &line), (&line, &keys.key)] {
            let error = certified(chain, key).expect_err("no PEM");
            assert!(
                !format!("{error:#} {error:?}").contains("45, 45"),
                "{error:#}"
            );
        }
        let bad = Keys {
            key: line,
            ..keys.clone()
        };
        let now = OffsetDateTime::now_utc();
        let renewed = bad
            .renewed(&names(), now)
            .expect("fine")
            .expect("it is bad");
        assert_eq!(renewed.bundle(), keys.bundle());
    }

    /// The certificate in use stays trusted, however many other CAs there are.
    #[test]
    fn the_newest_of_the_others_survives_the_limit() {
        let now = OffsetDateTime::now_utc();
        let mut many = keys(now);
        for _ in 0..6 {
            many = keys(now).with_authorities_of(&many);
        }
        let in_use = keys(now);
        assert!(many.with_authorities_of(&in_use).trusts(&in_use));
    }

    #[test]
    fn the_number_of_trusted_cas_is_limited() {
        let now = OffsetDateTime::now_utc();
        let mut all = keys(now);
        for _ in 0..6 {
            all = keys(now).with_authorities_of(&all);
        }
        assert_eq!(all.authorities.len(), MAX_AUTHORITIES);
        assert!(all.renewed(&names(), now).expect("fine").is_none());
    }
}
