//! The facts that are kept about a docker-type Secret: registries, accounts and expiry of its credentials, and never a
//! password.

use crate::kubelet::docker_config::{self, Entry, Form, Malformed};
use crate::kubelet::image::{DEFAULT_REGISTRY, LEGACY_REGISTRY};
use crate::kubelet::keyring;
use crate::secrets::account::{self, Account, Confidence, Product, Shape};
use crate::secrets::glob_key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The most entries of a Secret: more than a Secret needs. A Secret with more entries is not read to its end, and
/// nothing of it is kept.
pub const MAX_ENTRIES: usize = 256;

/// The unchanged content of a docker-type Secret. It has no `Debug` that would show it, and is wiped when it is
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretContent {
    form: Form,
    bytes: Zeroizing<Vec<u8>>,
}

/// The content of a Secret, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The inventory does not read the content.
    Unread,
    /// The content has more than [`MAX_ENTRIES`] entries.
    TooManyEntries,
    /// The kubelet fails every pull of a pod that lists the Secret.
    Malformed(Malformed),
    /// These credentials, in the order of the text.
    Credentials(Arc<[Credential]>),
}

/// A credential, without its password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    /// The key under which the kubelet keeps the entry: host, port and path.
    pub key: Arc<str>,
    /// The user name.
    pub username: Arc<str>,
    /// The form of the password.
    pub shape: Shape,
    /// The time when it expires, in seconds of Unix time, if the password shows it.
    pub expires: Option<i64>,
    /// The fingerprint. It is the same for the same credential, under any name of the Secret and for any registry.
    pub fingerprint: Option<Fingerprint>,
}

/// The reason why a credential has no effect on the kubelet, or another effect than the author meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Its key matches no image, by the kubelet's own rules.
    NeverMatches,
    /// It has no user name and no password: the kubelet reads no identity tokens.
    Empty,
    /// It has a user name and no password. `az acr login` writes that beside an identity token, which the kubelet does
    /// not read: it logs in with an empty password, and tries no anonymous pull.
    NoPassword,
    /// An earlier entry has the same key, and the kubelet tries the two in a random order.
    Shadowed,
}

/// A key that matches images, but probably not those that its author meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHint {
    /// A host of Docker that images of Docker Hub do not have: their host is `docker.io`.
    NotDockerHub,
    /// `/v1` or `/v2` without a `/` after it is a path of repositories, and not a version of the API.
    ApiPath,
}

/// A keyed hash of user name and password: equal hashes mean the same credential, and a hash reveals nothing else. The
/// registry is left out, because a tenant can write it in many ways: with a port, a path, or a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

/// The key of fingerprints. Its holder could try passwords, so it is wiped when it is dropped and never shown.
#[derive(Clone)]
pub struct FingerprintKey(Zeroizing<[u8; FingerprintKey::LENGTH]>);

impl SecretContent {
    /// Decodes the content of a Secret; `None` if the kubelet ignores it because it is empty.
    #[must_use]
    pub fn new(form: Form, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self { form, bytes })
    }

    /// Reduces the content to the facts that are kept. Without a key there are no fingerprints.
    #[must_use]
    pub fn reduce(&self, key: Option<&FingerprintKey>) -> Content {
        match docker_config::read_at_most(MAX_ENTRIES, self.form, &self.bytes) {
            Err(malformed) => Content::Malformed(malformed),
            Ok(None) => Content::TooManyEntries,
            Ok(Some(entries)) => {
                let kept = entries
                    .iter()
                    .filter_map(|entry| Credential::of(entry, key));
                Content::Credentials(kept.collect())
            }
        }
    }
}

impl fmt::Debug for SecretContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretContent")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

impl Content {
    /// Returns the credentials; an empty slice if they are not known.
    #[must_use]
    pub fn credentials(&self) -> &[Credential] {
        match self {
            Self::Credentials(credentials) => credentials,
            Self::Unread | Self::TooManyEntries | Self::Malformed(_) => &[],
        }
    }

    /// Returns the flaws of credentials, in the order of the credentials.
    pub fn flaws(&self) -> impl Iterator<Item = (&Credential, Flaw)> {
        let mut seen = HashSet::new();
        self.credentials().iter().filter_map(move |credential| {
            let flaw = if !seen.insert(&credential.key) {
                Flaw::Shadowed
            } else if !credential.has_password() && credential.username.is_empty() {
                Flaw::Empty
            } else if !credential.has_password() {
                Flaw::NoPassword
            } else if credential.never_matches() {
                Flaw::NeverMatches
            } else {
                return None;
            };
            Some((credential, flaw))
        })
    }
}

impl Credential {
    /// Reduces an entry to a credential; `None` if the kubelet ignores the entry.
    fn of(entry: &Entry, key: Option<&FingerprintKey>) -> Option<Self> {
        let registry = String::from_utf8_lossy(entry.key.as_ref()?);
        let is_empty = entry.username.is_empty() && entry.password.is_empty();
        Some(Self {
            key: (&*registry).into(),
            username: (&*String::from_utf8_lossy(&entry.username)).into(),
            shape: Shape::of(&entry.password),
            expires: account::expiry(&entry.password),
            fingerprint: key.filter(|_| !is_empty).map(|key| key.fingerprint(entry)),
        })
    }

    /// Returns the registry: the key without its path.
    #[must_use]
    pub fn registry(&self) -> &str {
        host(&self.key)
    }

    /// Returns the account that it belongs to; `product` names the product at its registry, if the host does not show
    /// it. If there are several accounts, returns the gravest that is more than a guess.
    #[must_use]
    pub fn account(&self, product: Option<Product>) -> Account {
        let own = account::classify(self.registry(), &self.username, self.shape, product);
        let is_guess = |account: &Account| account.confidence == Confidence::Low;
        let best = |account: &Account| (is_guess(account), account.class.rank());
        self.accounts(product).min_by_key(best).unwrap_or(own)
    }

    /// Returns every account that it can belong to: one, or more if its key matches many hosts.
    pub fn accounts(&self, product: Option<Product>) -> impl Iterator<Item = Account> {
        let (host, username) = (self.registry(), &*self.username);
        let own = account::classify(host, username, self.shape, product);
        let more = glob_key::is_glob(host).then(|| glob_key::accounts(host, username, self.shape));
        std::iter::once(own).chain(more.into_iter().flatten())
    }

    /// Returns whether it has expired at this time, in seconds of Unix time.
    #[must_use]
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Returns whether it has a password. No registry accepts it without one.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.shape != Shape::Empty
    }

    /// Returns a hint if the key was probably meant for other images than it matches.
    #[must_use]
    pub fn hint(&self) -> Option<KeyHint> {
        let (registry, path) = self.key.split_once('/').unwrap_or((&self.key, ""));
        let host = account::split_port(registry);
        let is_hub = [DEFAULT_REGISTRY, LEGACY_REGISTRY].contains(&registry);
        let is_of_docker = ["docker.io", "docker.com"].iter().any(|domain| {
            let rest = host.strip_suffix(domain);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        let hint = if is_of_docker && !is_hub {
            Some(KeyHint::NotDockerHub)
        } else {
            matches!(path, "v1" | "v2").then_some(KeyHint::ApiPath)
        };
        hint.filter(|_| !self.never_matches())
    }

    fn never_matches(&self) -> bool {
        keyring::some_image(self.key.as_bytes()).is_none()
    }
}

fn host(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

impl FingerprintKey {
    /// Its length in bytes.
    pub const LENGTH: usize = 32;

    /// Makes a key of these bytes; `None` if they are too few or too many.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; Self::LENGTH]);
        (bytes.len() == Self::LENGTH).then(|| {
            key.copy_from_slice(bytes);
            Self(key)
        })
    }

    /// Computes HMAC-SHA-256 (RFC 2104) over user name and password, each after its length.
    fn fingerprint(&self, entry: &Entry) -> Fingerprint {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("a key");
        for part in [&entry.username, &entry.password] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let hash = mac.finalize().into_bytes();
        // Half of the hash is enough: a user who could search for collisions could also copy the credential.
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        Fingerprint(half)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey")
    }
}
