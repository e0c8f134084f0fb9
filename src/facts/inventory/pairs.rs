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

/// In order, each pair once, with how often it was added: a tenant may write one credential into a Secret 256 times.
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
    /// The namespaces that have it, in order, each once.
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

    /// Whether a namespace has it.
    pub(super) fn contains(&self, key: &K, namespace: &str) -> bool {
        let part = &self.parts[self.number(key)];
        let pair = (key, namespace);
        part.binary_search_by(|((key, namespace), _)| (key, &**namespace).cmp(&pair))
            .is_ok()
    }

    /// How many namespaces have each.
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

    /// Takes it away once.
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
