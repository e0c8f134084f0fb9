//! The docker-type Secrets of a cluster, reduced to facts.
//!
//! A snapshot is cheap to copy: what it holds is in parts that copies share until one of them is written to.

mod shards;

use crate::credentials::{Content, Credential, Fingerprint};
use crate::docker_config::Form;
use shards::Shards;
use std::collections::HashSet;
use std::sync::Arc;

/// How much is known of Secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Depth {
    /// Nothing.
    #[default]
    Off,
    /// Which there are.
    Names,
    /// What is kept about their content.
    Contents,
}

/// Docker-type Secrets by namespace and name.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    namespaces: Shards<Arc<str>, Arc<Vec<Named>>>,
    /// The namespaces that have a Secret of a name.
    names: Shards<Arc<str>, Holders>,
    /// The namespaces that have a credential, copies of our own not counted; with one that has it twice named twice.
    credentials: Shards<Fingerprint, Holders>,
}

/// A Secret and its name; those of a namespace are in the order of their names.
type Named = (Arc<str>, SecretFacts);

/// What is kept about a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFacts {
    /// Its type.
    pub form: Form,
    /// What it holds.
    pub content: Content,
    /// When it changed last, in seconds of Unix time.
    pub changed: Option<i64>,
    /// Whether it is a copy that Pullgate keeps.
    pub is_managed: bool,
}

/// Namespaces, in order.
#[derive(Debug, Clone)]
enum Holders {
    One(Arc<str>),
    More(Arc<Vec<Arc<str>>>),
}

/// Texts that are shared.
#[derive(Debug, Default)]
pub struct Names(HashSet<Arc<str>>);

impl Inventory {
    /// A Secret, or `None` where there is none of a docker type.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&SecretFacts> {
        let secrets = self.namespaces.get(namespace)?;
        let number = position(secrets, name).ok()?;
        Some(&secrets[number].1)
    }

    /// The namespaces that have a Secret of this name, in order.
    pub fn namespaces_of(&self, name: &str) -> impl Iterator<Item = &str> {
        self.names.get(name).into_iter().flat_map(Holders::iter)
    }

    /// The namespaces that have a credential, in order and each once. Copies that Pullgate keeps do not count.
    pub fn namespaces_with(&self, credential: Fingerprint) -> impl Iterator<Item = &str> {
        let mut last = None;
        let holders = self.credentials.get(&credential);
        let all = holders.into_iter().flat_map(Holders::iter);
        all.filter(move |namespace| last.replace(*namespace) != Some(*namespace))
    }

    /// In how many namespaces each credential is.
    pub fn spread(&self) -> impl Iterator<Item = usize> {
        self.credentials.iter().map(|(_, holders)| {
            let mut last = None;
            let all = holders.iter();
            all.filter(|namespace| last.replace(*namespace) != Some(*namespace))
                .count()
        })
    }

    /// All Secrets: namespace, name, facts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &SecretFacts)> {
        self.namespaces.iter().flat_map(|(namespace, secrets)| {
            let each = secrets.iter();
            each.map(move |(name, facts)| (&**namespace, &**name, facts))
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
        let secrets = Arc::make_mut(self.namespaces.entry(namespace.clone()));
        let place = position(secrets, &name);
        let old = match (place, facts) {
            (Ok(number), Some(facts)) => Some(std::mem::replace(&mut secrets[number].1, facts)),
            (Ok(number), None) => Some(secrets.remove(number).1),
            (Err(number), Some(facts)) => {
                secrets.insert(number, (name.clone(), facts));
                None
            }
            (Err(_), None) => None,
        };
        let is_empty = secrets.is_empty();
        let new = position(secrets, &name)
            .ok()
            .map(|number| secrets[number].1.clone());
        if is_empty {
            self.namespaces.remove(&namespace);
        }
        match (&old, &new) {
            (None, Some(_)) => add(&mut self.names, name, &namespace),
            (Some(_), None) => remove(&mut self.names, &name, &namespace),
            _ => {}
        }
        for fingerprint in fingerprints(old.as_ref()) {
            remove(&mut self.credentials, &fingerprint, &namespace);
        }
        for fingerprint in fingerprints(new.as_ref()) {
            add(&mut self.credentials, fingerprint, &namespace);
        }
    }

    /// Forgets every Secret of a type that is not among these.
    pub fn retain(&mut self, form: Form, names: &mut Names, is_there: impl Fn(&str, &str) -> bool) {
        let gone: Vec<_> = self
            .iter()
            .filter(|(namespace, name, facts)| facts.form == form && !is_there(namespace, name))
            .map(|(namespace, name, _)| (namespace.to_owned(), name.to_owned()))
            .collect();
        for (namespace, name) in gone {
            self.set(&namespace, &name, None, names);
        }
    }
}

fn position(secrets: &[Named], name: &str) -> Result<usize, usize> {
    secrets.binary_search_by(|(known, _)| (**known).cmp(name))
}

fn fingerprints(facts: Option<&SecretFacts>) -> impl Iterator<Item = Fingerprint> {
    let counted = facts.filter(|facts| !facts.is_managed);
    let credentials = counted.map_or(&[][..], |facts| facts.content.credentials());
    credentials
        .iter()
        .filter_map(|credential| credential.fingerprint)
}

fn add<K: std::hash::Hash + Eq + Clone>(
    index: &mut Shards<K, Holders>,
    key: K,
    namespace: &Arc<str>,
) {
    index.update(key, |holders| {
        Some(match holders {
            None => Holders::One(namespace.clone()),
            Some(holders) => holders.with(namespace),
        })
    });
}

fn remove<K: std::hash::Hash + Eq + Clone>(
    index: &mut Shards<K, Holders>,
    key: &K,
    namespace: &Arc<str>,
) {
    index.update(key.clone(), |holders| holders?.without(namespace));
}

impl Holders {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(namespace) => std::slice::from_ref(namespace),
            Self::More(namespaces) => namespaces,
        };
        all.iter().map(|namespace| &**namespace)
    }

    fn with(self, namespace: &Arc<str>) -> Self {
        let mut all = match self {
            Self::One(first) => Arc::new(vec![first]),
            Self::More(all) => all,
        };
        let place = all.partition_point(|known| known <= namespace);
        Arc::make_mut(&mut all).insert(place, namespace.clone());
        Self::More(all)
    }

    fn without(self, namespace: &Arc<str>) -> Option<Self> {
        let Self::More(mut all) = self else {
            return None;
        };
        if let Ok(place) = all.binary_search(namespace) {
            Arc::make_mut(&mut all).remove(place);
        }
        match &all[..] {
            [] => None,
            [last] => Some(Self::One(last.clone())),
            _ => Some(Self::More(all)),
        }
    }
}

impl SecretFacts {
    /// The same with texts that others share.
    #[must_use]
    pub fn shared(self, names: &mut Names) -> Self {
        let Content::Credentials(credentials) = &self.content else {
            return self;
        };
        let shared = credentials.iter().map(|credential| Credential {
            key: names.intern(&credential.key),
            username: names.intern(&credential.username),
            ..*credential
        });
        Self {
            content: Content::Credentials(shared.collect()),
            ..self
        }
    }
}

impl Names {
    /// The text that all share.
    pub fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.0.insert(text.clone());
        text
    }

    /// Forgets what nobody else has any more.
    pub fn forget_unused(&mut self) {
        self.0.retain(|text| Arc::strong_count(text) > 1);
        self.0.shrink_to_fit();
    }
}
