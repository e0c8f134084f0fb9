//! The docker-type Secrets of a cluster, reduced to facts.
//!
//! A snapshot is cheap to copy: copies share its parts until a part is changed.

mod pairs;

use crate::kubelet::docker_config::Form;
use crate::secrets::credentials::{Content, Credential, Fingerprint};
use pairs::Pairs;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The amount of knowledge about docker-type Secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum InventoryMode {
    /// Nothing.
    #[default]
    Off,
    /// Their names.
    Names,
    /// Their names and the facts that are kept about their content.
    Contents,
}

impl InventoryMode {
    /// All modes, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Off, Self::Names, Self::Contents];

    /// Returns the word for the mode on the command line and in the values of the chart.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Names => "names",
            Self::Contents => "contents",
        }
    }
}

/// Docker-type Secrets by namespace and name.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    namespaces: HashMap<Arc<str>, Arc<Vec<NamedSecret>>>,
    /// The namespaces that have a Secret of a name.
    names: Pairs<Arc<str>>,
    /// The namespaces that have a credential. A namespace that has it twice is counted twice.
    credentials: Pairs<Fingerprint>,
}

/// The Secrets of a namespace, in the order of their names.
type NamedSecret = (Arc<str>, SecretFacts);

/// A Secret of the inventory.
#[derive(Debug, Clone, Copy)]
pub struct KnownSecret<'i> {
    /// The namespace.
    pub namespace: &'i str,
    /// The name.
    pub name: &'i str,
    /// The facts that are kept about it.
    pub facts: &'i SecretFacts,
}

/// The facts that are kept about a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFacts {
    /// Its type.
    pub form: Form,
    /// Its content.
    pub content: Content,
    /// The time of its last change, in seconds of Unix time.
    pub changed: Option<u32>,
}

/// Texts and contents that are shared.
#[derive(Debug, Default)]
pub struct Names {
    texts: HashSet<Arc<str>>,
    contents: HashSet<Arc<[Credential]>>,
}

impl Inventory {
    /// Returns a Secret, or `None` if there is no Secret of a docker type.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&SecretFacts> {
        let secrets = self.namespaces.get(namespace)?;
        let number = position(secrets, name).ok()?;
        Some(&secrets[number].1)
    }

    /// Returns the namespaces that have a Secret of this name, in order.
    #[must_use]
    pub fn namespaces_of(&self, name: &str) -> impl ExactSizeIterator<Item = &str> {
        self.names.of(name)
    }

    /// Returns the namespaces that have a credential, in order and each once.
    pub fn namespaces_with(&self, credential: Fingerprint) -> impl Iterator<Item = &str> {
        self.credentials.of(&credential)
    }

    /// Returns whether a namespace has a credential.
    #[must_use]
    pub fn has_credential(&self, namespace: &str, credential: Fingerprint) -> bool {
        self.credentials.contains(&credential, namespace)
    }

    /// Returns the number of namespaces that have each credential.
    pub fn spread(&self) -> impl Iterator<Item = usize> {
        self.credentials.counts()
    }

    /// Returns all Secrets.
    pub fn iter(&self) -> impl Iterator<Item = KnownSecret<'_>> {
        self.namespaces.iter().flat_map(|(namespace, secrets)| {
            let each = secrets.iter();
            each.map(move |(name, facts)| KnownSecret {
                namespace,
                name,
                facts,
            })
        })
    }

    /// Learns about a Secret, or that it is gone.
    pub fn set(
        &mut self,
        namespace: &str,
        name: &str,
        facts: Option<SecretFacts>,
        names: &mut Names,
    ) {
        if facts.is_none() && self.get(namespace, name).is_none() {
            return;
        }
        let namespace = names.intern(namespace);
        let name = names.intern(name);
        let secrets = self.namespaces.entry(namespace.clone()).or_default();
        let secrets = Arc::make_mut(secrets);
        let place = position(secrets, &name);
        let new: Vec<Fingerprint> = fingerprints(facts.as_ref()).collect();
        let is_new = place.is_err();
        let old = match (place, facts) {
            (Ok(number), Some(facts)) => Some(std::mem::replace(&mut secrets[number].1, facts)),
            (Ok(number), None) => Some(secrets.remove(number).1),
            (Err(number), Some(facts)) => {
                secrets.insert(number, (name.clone(), facts));
                None
            }
            (Err(_), None) => None,
        };
        let is_gone = position(secrets, &name).is_err();
        if secrets.is_empty() {
            self.namespaces.remove(&namespace);
        }
        match (is_new, is_gone) {
            (true, false) => self.names.add(name, &namespace),
            (false, true) => self.names.remove(&name, &namespace),
            _ => {}
        }
        for fingerprint in fingerprints(old.as_ref()) {
            self.credentials.remove(&fingerprint, &namespace);
        }
        for fingerprint in new {
            self.credentials.add(fingerprint, &namespace);
        }
    }

    /// Releases spare memory: after a list the inventory hardly grows.
    pub fn shrink(&mut self) {
        for secrets in self.namespaces.values_mut() {
            if let Some(secrets) = Arc::get_mut(secrets) {
                secrets.shrink_to_fit();
            }
        }
        self.namespaces.shrink_to_fit();
        self.names.shrink();
        self.credentials.shrink();
    }

    /// Forgets every Secret of a type that is not among these.
    pub fn retain(&mut self, form: Form, names: &mut Names, is_there: impl Fn(&str, &str) -> bool) {
        let gone: Vec<_> = self
            .iter()
            .filter(|secret| secret.facts.form == form && !is_there(secret.namespace, secret.name))
            .map(|secret| (secret.namespace.to_owned(), secret.name.to_owned()))
            .collect();
        for (namespace, name) in gone {
            self.set(&namespace, &name, None, names);
        }
    }
}

fn position(secrets: &[NamedSecret], name: &str) -> Result<usize, usize> {
    secrets.binary_search_by(|(known, _)| (**known).cmp(name))
}

fn fingerprints(facts: Option<&SecretFacts>) -> impl Iterator<Item = Fingerprint> {
    let credentials = facts.map_or(&[][..], |facts| facts.content.credentials());
    credentials
        .iter()
        .filter_map(|credential| credential.fingerprint)
}

impl SecretFacts {
    /// Returns the same facts with shared texts.
    #[must_use]
    pub fn shared(self, names: &mut Names) -> Self {
        let Content::Credentials(credentials) = &self.content else {
            return self;
        };
        Self {
            content: Content::Credentials(names.share(credentials)),
            ..self
        }
    }
}

impl Names {
    /// Returns the shared text.
    pub fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        text
    }

    /// Returns credentials with shared texts; equal lists are shared as a whole.
    fn share(&mut self, credentials: &[Credential]) -> Arc<[Credential]> {
        if let Some(known) = self.contents.get(credentials) {
            return known.clone();
        }
        let shared = credentials.iter().map(|credential| Credential {
            key: self.intern(&credential.key),
            username: self.intern(&credential.username),
            ..*credential
        });
        let shared: Arc<[Credential]> = shared.collect();
        self.contents.insert(shared.clone());
        shared
    }

    /// Forgets texts that are not shared: an entry for a text with only one user saves no memory.
    pub fn forget_unshared(&mut self) {
        self.texts.retain(|text| Arc::strong_count(text) > 2);
        self.texts.shrink_to_fit();
        let is_shared = |content: &Arc<[Credential]>| Arc::strong_count(content) > 2;
        self.contents.retain(is_shared);
        self.contents.shrink_to_fit();
    }
}
