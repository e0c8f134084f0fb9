//! Pairs of something and a namespace, sorted, in parts: a copy shares them all, and a change copies one.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// So many that a part of 50 000 pairs has some hundred, and so few that copying the parts is nothing.
const COUNT: usize = 256;

/// Which namespaces have what.
#[derive(Debug, Clone)]
pub(super) struct Pairs<K> {
    parts: Box<[Arc<Bucket<K>>]>,
    hasher: RandomState,
}

/// In order; a pair may be there more than once.
type Bucket<K> = Vec<(K, Arc<str>)>;

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
    /// The namespaces that have it, in order.
    pub(super) fn of<'s, Q>(
        &'s self,
        key: &Q,
    ) -> impl ExactSizeIterator<Item = &'s str> + use<'s, K, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Ord + ?Sized,
    {
        let part = &self.parts[self.number(key)];
        let start = part.partition_point(|(known, _)| known.borrow() < key);
        let length = part[start..].partition_point(|(known, _)| known.borrow() == key);
        let found = &part[start..start + length];
        found.iter().map(|(_, namespace)| &**namespace)
    }

    /// Whether a namespace has it.
    pub(super) fn contains(&self, key: &K, namespace: &str) -> bool {
        let part = &self.parts[self.number(key)];
        let pair = (key, namespace);
        part.binary_search_by(|(key, namespace)| (key, &**namespace).cmp(&pair))
            .is_ok()
    }

    /// How many namespaces have each.
    pub(super) fn counts(&self) -> impl Iterator<Item = usize> {
        let parts = self.parts.iter();
        let same = parts.flat_map(|part| part.chunk_by(|(a, _), (b, _)| a == b));
        same.map(|same| same.chunk_by(|(_, a), (_, b)| a == b).count())
    }

    pub(super) fn add(&mut self, key: K, namespace: &Arc<str>) {
        let part = self.part(&key);
        let pair = (key, namespace.clone());
        let place = part.partition_point(|known| *known < pair);
        part.insert(place, pair);
    }

    /// Takes it away once.
    pub(super) fn remove(&mut self, key: &K, namespace: &Arc<str>) {
        let part = self.part(key);
        let pair = (key, namespace);
        if let Ok(place) = part.binary_search_by(|(key, namespace)| (key, namespace).cmp(&pair)) {
            part.remove(place);
        }
    }

    /// Gives back what is kept for more.
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
