//! Sorted pairs of a key and a namespace, in parts: a copy shares all parts, and a change copies one part.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// The number of parts: so large that a part of 50 000 pairs has a few hundred, and so small that a copy of the list of
/// parts is cheap.
const COUNT: usize = 256;

/// The namespaces that have each key.
#[derive(Debug, Clone)]
pub(super) struct Pairs<K> {
    parts: Box<[Arc<Bucket<K>>]>,
    hasher: RandomState,
}

/// The pairs in order, each once, with the number of times that it was added: a tenant may write one credential into a
/// Secret 256 times.
type Bucket<K> = Vec<((K, Arc<str>), u32)>;

impl<K: Clone> Default for Pairs<K> {
    fn default() -> Self {
        let empty = Arc::new(Vec::new());
        Self {
            parts: vec![empty; COUNT].into(),
            hasher: RandomState::new(),
        }
    }
}

impl<K: Hash + Ord + Clone> Pairs<K> {
    /// Returns the namespaces that have the key, in order and each once.
    pub(super) fn of<'s, Q>(
        &'s self,
        key: &Q,
    ) -> impl ExactSizeIterator<Item = &'s str> + use<'s, K, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Ord + ?Sized,
    {
        let part = &self.parts[self.number(key)];
        let start = part.partition_point(|((known, _), _)| known.borrow() < key);
        let length = part[start..].partition_point(|((known, _), _)| known.borrow() == key);
        let found = &part[start..start + length];
        found.iter().map(|((_, namespace), _)| &**namespace)
    }

    /// Returns whether a namespace has the key.
    pub(super) fn contains(&self, key: &K, namespace: &str) -> bool {
        let part = &self.parts[self.number(key)];
        let pair = (key, namespace);
        part.binary_search_by(|((key, namespace), _)| (key, &**namespace).cmp(&pair))
            .is_ok()
    }

    /// Returns the number of namespaces that have each key.
    pub(super) fn counts(&self) -> impl Iterator<Item = usize> {
        let parts = self.parts.iter();
        let same = parts.flat_map(|part| part.chunk_by(|((a, _), _), ((b, _), _)| a == b));
        same.map(<[_]>::len)
    }

    pub(super) fn add(&mut self, key: K, namespace: &Arc<str>) {
        let part = self.part(&key);
        let pair = (key, namespace.clone());
        match part.binary_search_by(|(known, _)| known.cmp(&pair)) {
            Ok(place) => part[place].1 += 1,
            Err(place) => part.insert(place, (pair, 1)),
        }
    }

    /// Removes the pair once.
    pub(super) fn remove(&mut self, key: &K, namespace: &Arc<str>) {
        let part = self.part(key);
        let pair = (key, namespace);
        let place = part.binary_search_by(|((key, namespace), _)| (key, namespace).cmp(&pair));
        let Ok(place) = place else {
            return;
        };
        part[place].1 -= 1;
        if part[place].1 == 0 {
            part.remove(place);
        }
    }

    /// Releases spare memory.
    pub(super) fn shrink(&mut self) {
        for part in &mut self.parts {
            if let Some(part) = Arc::get_mut(part) {
                part.shrink_to_fit();
            }
        }
    }

    fn part<Q>(&mut self, key: &Q) -> &mut Bucket<K>
    where
        Q: Hash + ?Sized,
    {
        let number = self.number(key);
        Arc::make_mut(&mut self.parts[number])
    }

    fn number<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        let hash = self.hasher.hash_one(key);
        usize::from(hash.to_le_bytes()[0]) % COUNT
    }
}
