//! Which credentials the kubelet would try for an image, and in which order
//! (`pkg/credentialprovider/keyring.go` and `secrets/secrets.go` of Kubernetes 1.37).
//!
//! One keyring is made of all pull secrets of a pod. Whatever matches the image is tried, the keys in reverse order of
//! their bytes and of equal keys in the order of the list; an anonymous pull is tried only where nothing matches.

use crate::kubelet::golang::glob;
use crate::kubelet::golang::url::Url;
use crate::kubelet::image::Image;
use std::collections::BTreeMap;

/// Under which key the kubelet looks for Docker Hub where no key matches: `defaultRegistryHost`.
const DEFAULT_REGISTRY_HOST: &[u8] = b"index.docker.io";

/// The credentials of the pull secrets of a pod.
#[derive(Debug)]
pub struct Keyring<C> {
    slots: BTreeMap<Box<[u8]>, KeySlot<C>>,
}

/// The credentials of one key.
#[derive(Debug)]
struct KeySlot<C> {
    /// The key as a URL; `None` where it is none, and matches nothing.
    url: Option<Url>,
    credentials: Vec<C>,
}

impl<C> Default for Keyring<C> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
        }
    }
}

impl<C> Keyring<C> {
    /// Adds a credential after those that are there.
    pub fn add(&mut self, key: &[u8], credential: C) {
        let slot = self.slots.entry(key.into()).or_insert_with(|| KeySlot {
            url: Url::parse(key),
            credentials: Vec::new(),
        });
        slot.credentials.push(credential);
    }

    /// The credentials that are tried, in order, each with its key; none means an anonymous pull. Of two entries of one
    /// secret with the same key the kubelet tries either first, by chance.
    #[must_use]
    pub fn lookup(&self, image: &Image<'_>) -> Vec<(&[u8], &C)> {
        let name = if image.registry().is_empty() {
            image.repository().to_owned()
        } else {
            format!("{}/{}", image.registry(), image.repository())
        };
        self.lookup_name(name.as_bytes())
    }

    /// The same by the name of an image as the kubelet passes it on: registry and repository.
    #[must_use]
    pub fn lookup_name(&self, name: &[u8]) -> Vec<(&[u8], &C)> {
        let target = Url::parse(name);
        let matches = |slot: &KeySlot<C>| match (&slot.url, &target) {
            (Some(url), Some(target)) => urls_match(url, target),
            _ => false,
        };
        let found = self.slots.iter().rev().filter(|(_, slot)| matches(slot));
        let found: Vec<_> = found.flat_map(each).collect();
        if !found.is_empty() || !is_default_registry(name) {
            return found;
        }
        let default = self.slots.get_key_value(DEFAULT_REGISTRY_HOST);
        default.into_iter().flat_map(each).collect()
    }
}

fn each<'k, C>(
    (key, slot): (&'k (impl AsRef<[u8]> + ?Sized), &'k KeySlot<C>),
) -> impl Iterator<Item = (&'k [u8], &'k C)> {
    let with_key = |credential| (key.as_ref(), credential);
    slot.credentials.iter().map(with_key)
}

/// `URLsMatch`: the port equal, as many labels, each by a glob with regard to case, and the path a prefix that may end
/// in the middle of a word.
fn urls_match(key: &Url, target: &Url) -> bool {
    let ((key_host, key_port), (host, port)) = (key.host_and_port(), target.host_and_port());
    let labels = |host| <[u8]>::split(host, |byte: &u8| *byte == b'.');
    key_port == port
        && labels(key_host).count() == labels(host).count()
        && target.path.starts_with(&key.path)
        && labels(key_host)
            .zip(labels(host))
            .all(|(pattern, label)| glob::matches(pattern, label) == Ok(true))
}

/// `isDefaultRegistryMatch`.
fn is_default_registry(name: &[u8]) -> bool {
    let mut parts = name.splitn(2, |byte| *byte == b'/');
    let first = parts.next().unwrap_or_default();
    if first.is_empty() {
        return false;
    }
    parts.next().is_none()
        || first == b"docker.io"
        || first == DEFAULT_REGISTRY_HOST
        || !first.iter().any(|byte| matches!(byte, b'.' | b':'))
}
