//! A map in parts: a copy shares them all, and a change copies one.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// So many that a part of a map of 50 000 has some hundred entries, and so few that copying the parts is nothing.
const COUNT: usize = 256;

/// A map whose copies share what is not changed.
#[derive(Debug, Clone)]
pub(super) struct Shards<K, V> {
    parts: Box<[Arc<HashMap<K, V>>]>,
    hasher: RandomState,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::new());
        Self {
            parts: vec![empty; COUNT].into(),
            hasher: RandomState::new(),
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    pub(super) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.parts[self.number(key)].get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// The value of a key, which is made where it is missing.
    pub(super) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let number = self.number(&key);
        Arc::make_mut(&mut self.parts[number])
            .entry(key)
            .or_default()
    }

    pub(super) fn remove(&mut self, key: &K) {
        let number = self.number(key);
        Arc::make_mut(&mut self.parts[number]).remove(key);
    }

    /// Puts another value, or none, in the place of the one that is there.
    pub(super) fn update(&mut self, key: K, change: impl FnOnce(Option<V>) -> Option<V>) {
        let number = self.number(&key);
        let part = Arc::make_mut(&mut self.parts[number]);
        let old = part.remove(&key);
        if let Some(new) = change(old) {
            part.insert(key, new);
        }
    }

    fn number<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        let hash = self.hasher.hash_one(key);
        usize::from(hash.to_le_bytes()[0]) % COUNT
    }
}
