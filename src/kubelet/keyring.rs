//! The credentials that the kubelet would try for an image, in its order (`pkg/credentialprovider/keyring.go` and
//! `secrets/secrets.go` of Kubernetes 1.37).
//!
//! One keyring is made of all pull secrets of a pod. All credentials with a key that matches the image are tried: the
//! keys in reverse order of their bytes, credentials of equal keys in the order of the list. An anonymous pull is tried
//! only if none matches.

use crate::kubelet::golang::glob;
use crate::kubelet::golang::url::Url;
use crate::kubelet::image::{self, Image, LEGACY_REGISTRY, MAX_REPOSITORY};
use std::collections::{BTreeSet, HashMap};

/// The key that the kubelet uses for Docker Hub if no key matches: `defaultRegistryHost`.
const DEFAULT_REGISTRY_HOST: &[u8] = b"index.docker.io";

/// The credentials of the pull secrets of a pod.
#[derive(Debug)]
pub struct Keyring<C> {
    slots: Vec<KeySlot<C>>,
    /// The number of the slot of each key.
    numbers: HashMap<Box<[u8]>, usize>,
    /// The slots with a host that matches only itself, by host and by port.
    hosts: HashMap<Box<[u8]>, KeyPorts>,
    /// The slots with a host that has a sign of globs: each has to be tried.
    globs: Vec<(usize, Url)>,
}

/// The credentials of one key.
#[derive(Debug)]
struct KeySlot<C> {
    key: Box<[u8]>,
    credentials: Vec<C>,
}

/// The keys of one host, by their ports.
type KeyPorts = HashMap<Box<[u8]>, KeyPaths>;

/// The keys of one host and port, by their paths.
#[derive(Debug, Default)]
struct KeyPaths {
    slots: HashMap<Box<[u8]>, Vec<usize>>,
    /// The lengths of the paths.
    lengths: BTreeSet<usize>,
}

impl<C> Default for Keyring<C> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            numbers: HashMap::new(),
            hosts: HashMap::new(),
            globs: Vec::new(),
        }
    }
}

impl<C> Keyring<C> {
    /// Adds a credential after the existing ones.
    pub fn add(&mut self, key: &[u8], credential: C) {
        let number = match self.numbers.get(key) {
            Some(number) => *number,
            None => self.add_slot(key),
        };
        self.slots[number].credentials.push(credential);
    }

    fn add_slot(&mut self, key: &[u8]) -> usize {
        let number = self.slots.len();
        self.numbers.insert(key.into(), number);
        self.slots.push(KeySlot {
            key: key.into(),
            credentials: Vec::new(),
        });
        // A key that is not a URL matches nothing.
        if let Some(url) = Url::parse(key) {
            let (host, port) = url.host_and_port();
            if has_glob(host) {
                self.globs.push((number, url));
            } else {
                let ports = self.hosts.entry(host.into()).or_default();
                let paths = ports.entry(port.into()).or_default();
                paths.lengths.insert(url.path.len());
                let slots = paths.slots.entry(url.path.into()).or_default();
                slots.push(number);
            }
        }
        number
    }

    /// Returns the credentials that are tried, in order, each with its key; an empty list means an anonymous pull. If
    /// one secret has two entries with the same key, the kubelet tries them in a random order.
    #[must_use]
    pub fn lookup(&self, image: &Image<'_>) -> Vec<(&[u8], &C)> {
        let name = if image.registry().is_empty() {
            image.repository().to_owned()
        } else {
            format!("{}/{}", image.registry(), image.repository())
        };
        self.lookup_name(name.as_bytes())
    }

    /// Returns the same for the name of an image as the kubelet passes it on: registry and repository.
    #[must_use]
    pub fn lookup_name(&self, name: &[u8]) -> Vec<(&[u8], &C)> {
        let mut found = Url::parse(name).map_or_else(Vec::new, |target| self.matching(&target));
        found.sort_unstable_by(|a, b| b.key.cmp(&a.key));
        if found.is_empty() && is_default_registry(name) {
            let default = self.numbers.get(DEFAULT_REGISTRY_HOST);
            found.extend(default.map(|number| &self.slots[*number]));
        }
        found.into_iter().flat_map(each).collect()
    }

    /// Returns the slots that match. Looks up each beginning of the path with the length of a key's path, and tries
    /// each key with a glob as host.
    fn matching(&self, target: &Url) -> Vec<&KeySlot<C>> {
        let (host, port) = target.host_and_port();
        let paths = self.hosts.get(host).and_then(|ports| ports.get(port));
        let exact = paths.into_iter().flat_map(|paths| {
            let lengths = paths.lengths.range(..=target.path.len());
            lengths.filter_map(|length| paths.slots.get(&target.path[..*length]))
        });
        let globs = self.globs.iter();
        let globs = globs.filter(|(_, url)| urls_match(url, target));
        let numbers = exact.flatten().chain(globs.map(|(number, _)| number));
        numbers.map(|number| &self.slots[*number]).collect()
    }
}

fn each<C>(slot: &KeySlot<C>) -> impl Iterator<Item = (&[u8], &C)> {
    let credentials = slot.credentials.iter();
    credentials.map(|credential| (&*slot.key, credential))
}

/// Returns whether a host can match other hosts than itself (`path/filepath.Match`).
#[must_use]
pub fn has_glob(host: &[u8]) -> bool {
    host.iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Returns the name of an image that a key matches, or `None` if no image can have such a name: then the credential is
/// never tried.
///
/// The question needs no list of bad spellings. A key matches an image if its host can be the registry of an image and
/// its path the beginning of a repository. One letter in the place of a `*` decides, because letters may stand anywhere
/// in a host.
#[must_use]
pub fn some_image(key: &[u8]) -> Option<String> {
    if key == DEFAULT_REGISTRY_HOST {
        return Some("docker.io/library/x".to_owned());
    }
    let url = Url::parse(key)?;
    let path = url.path.strip_prefix(b"/").unwrap_or(&url.path);
    let repository = format!("{}x", std::str::from_utf8(path).ok()?);
    let fits = image::is_repository(&repository) && repository.len() <= MAX_REPOSITORY;
    let registry = some_registry(&url).filter(|_| fits)?;
    Some(format!("{registry}/{repository}"))
}

/// Returns a registry that the host of a key matches, if images can name one.
fn some_registry(key: &Url) -> Option<String> {
    let (host, port) = key.host_and_port();
    let names: Vec<Vec<u8>> = if host.contains(&b'[') {
        // Without a port the brackets of an IPv6 address are a class of characters, which match one.
        let letters = b'A'..=b'Z';
        let matching = letters.filter(|letter| glob::matches(host, &[*letter]) == Ok(true));
        matching.map(|letter| vec![letter]).collect()
    } else {
        // A capital letter makes a registry of one label, and small letters may stand beside a `_`.
        let with = |letter| move |byte: &u8| if *byte == b'*' { letter } else { *byte };
        let fill = |letter: u8| host.iter().map(with(letter)).collect();
        vec![fill(b'X'), fill(b'x')]
    };
    let port = std::str::from_utf8(port).ok()?;
    let registry = |name: Vec<u8>| {
        let name = String::from_utf8(name).ok()?;
        Some(match (name.contains(':'), port) {
            // The image keeps its brackets, although the key has lost them.
            (true, "") => return None,
            (true, _) => format!("[{name}]:{port}"),
            (false, "") => name,
            (false, _) => format!("{name}:{port}"),
        })
    };
    // In `foo_bar.com/x` Go takes all of it as the repository, and the kubelet compares it nevertheless.
    let is_of_images = |name: &String| {
        let is_name = image::is_registry(name) || image::is_repository(name);
        is_name && image::names_registry(name) && name != LEGACY_REGISTRY
    };
    names.into_iter().filter_map(registry).find(is_of_images)
}

/// Compares like `URLsMatch`: the port is equal, the number of labels is equal, each label matches by a glob with
/// regard to case, and the path is a prefix that may end in the middle of a word.
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

/// Returns whether a name belongs to Docker Hub, as `isDefaultRegistryMatch` does.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// The index finds the same keys as a comparison with every key.
        #[test]
        fn a_look_up_finds_what_comparing_with_every_key_finds(
            keys in proptest::collection::vec("(a|b|\\*|a\\*|[ab]\\?)\\.(a|b|\\*)(:|:1)?(/|/a|/ab|/a/b)?", 0..8),
            name in "(a|b|ab)\\.(a|b)(:1)?(/a|/ab|/abc|/a/b){0,2}",
        ) {
            let mut keyring = Keyring::default();
            for (number, key) in keys.iter().enumerate() {
                keyring.add(key.as_bytes(), number);
            }
            let target = Url::parse(name.as_bytes()).unwrap();
            let matches = |key: &str| Url::parse(key.as_bytes()).is_some_and(|url| urls_match(&url, &target));
            let mut expected: Vec<_> = (0..keys.len()).filter(|number| matches(&keys[*number])).collect();
            expected.sort_by(|a, b| keys[*b].cmp(&keys[*a]).then(a.cmp(b)));
            let found: Vec<_> = keyring.lookup_name(name.as_bytes()).into_iter().map(|(_, number)| *number).collect();
            prop_assert_eq!(found, expected);
        }

        /// A key either matches the image that is named for it, or none of these images.
        #[test]
        fn some_image_is_named_if_and_only_if_one_matches(
            key in "([aA]|\\*|a\\*|-a|a_b|localhost|index|\\[::A\\])(\\.([aA]|\\*|docker\\.io|b-))?(:|:1)?(/|/a|/A|/a\\*|/a-|/a\\.\\.|//a|/v2)?",
            registry in "([aAX]|localhost|index|a_b|\\[::A\\])(\\.([aA]|docker\\.io))?(:1)?",
            repository in "[av]([a2/.-]{0,3}[a2])?(/a)?",
        ) {
            let mut keyring = Keyring::default();
            keyring.add(key.as_bytes(), ());
            let matches = |text: &str| Image::parse(text).is_ok_and(|image| !keyring.lookup(&image).is_empty());
            let image = some_image(key.as_bytes());
            if let Some(image) = &image {
                prop_assert!(matches(image), "{} should match {}", key, image);
            }
            let other = format!("{registry}/{repository}");
            prop_assert!(image.is_some() || !matches(&other), "{} matches {}", key, other);
        }
    }

    #[test]
    fn keys_that_match_no_image_are_known() {
        for (key, expected) in [
            ("index.docker.io", true),
            ("index.docker.io/v1", false),
            ("index.docker.io:443/v1", true),
            ("registry-1.docker.io", true),
            ("reg.io/v2", true),
            ("reg.io/team/*", false),
            ("reg.io//team", false),
            ("reg.io/Team", false),
            ("reg.io/team-", true),
            ("oci://reg.io", false),
            ("oci:", false),
            ("reg", false),
            ("localhost", true),
            ("reg:5000", true),
            ("*", true),
            ("-*.io", false),
            ("*.reg.io", true),
            ("[fd00::1]", false),
            ("[fd00::1]:5000", true),
            (" reg.io", false),
        ] {
            let image = some_image(key.as_bytes());
            assert_eq!(image.is_some(), expected, "{key} {image:?}");
        }
    }
}
