//! An index of many globs. A look-up compares a text only with globs that share its beginning or its end.

use crate::text::glob::Glob;
use std::cmp::Ordering;

/// Globs with a value each. The key of a glob is the text before its first `*`, or, for a glob that begins with `*`,
/// the text after its last `*`. Building takes `n log n` comparisons of texts. A look-up takes `log n` comparisons, and
/// then visits only the globs with a key that the text begins (or ends) with.
#[derive(Debug)]
pub struct GlobIndex<V> {
    entries: Vec<(Glob, V)>,
    by_prefix: Keys,
    by_suffix: Keys,
}

/// Keys in sorted order, compared from one end.
#[derive(Debug)]
struct Keys {
    end: End,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    text: Box<[u8]>,
    /// The longest other key that this key begins (or ends) with.
    parent: Option<usize>,
    entries: Vec<usize>,
}

/// The end from which texts are compared.
#[derive(Debug, Clone, Copy)]
enum End {
    First,
    Last,
}

impl<V> Default for GlobIndex<V> {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl<V> GlobIndex<V> {
    /// Builds an index of the given globs.
    #[must_use]
    pub fn new(globs: impl Iterator<Item = (Glob, V)>) -> Self {
        let entries: Vec<_> = globs.collect();
        let (mut prefixes, mut suffixes) = (Vec::new(), Vec::new());
        for (number, (glob, _)) in entries.iter().enumerate() {
            if glob.prefix().is_empty() {
                suffixes.push((glob.suffix().as_bytes(), number));
            } else {
                prefixes.push((glob.prefix().as_bytes(), number));
            }
        }
        Self {
            by_prefix: Keys::new(End::First, prefixes),
            by_suffix: Keys::new(End::Last, suffixes),
            entries,
        }
    }

    /// Returns the globs that may match a text. All others do not match it.
    pub fn candidates<'s>(&'s self, text: &'s str) -> impl Iterator<Item = (&'s Glob, &'s V)> {
        let text = text.as_bytes();
        let numbers = self.by_prefix.within(text);
        let numbers = numbers.chain(self.by_suffix.within(text));
        numbers.map(|number| self.entry(number))
    }

    /// Returns the globs that may overlap with `glob`. All others do not overlap with it.
    pub fn neighbours<'s>(&'s self, glob: &'s Glob) -> impl Iterator<Item = (&'s Glob, &'s V)> {
        let (prefix, suffix) = (glob.prefix().as_bytes(), glob.suffix().as_bytes());
        let numbers = self.by_prefix.within(prefix);
        let numbers = numbers.chain(self.by_prefix.beyond(prefix));
        let numbers = numbers.chain(self.by_suffix.within(suffix));
        let numbers = numbers.chain(self.by_suffix.beyond(suffix));
        numbers.map(|number| self.entry(number))
    }

    /// Returns the values of the globs that match a text, in no particular order.
    pub fn matching<'s>(&'s self, text: &'s str) -> impl Iterator<Item = &'s V> {
        let found = self.candidates(text);
        found
            .filter(|(glob, _)| glob.matches(text))
            .map(|(_, value)| value)
    }

    fn entry(&self, number: usize) -> (&Glob, &V) {
        let (glob, value) = &self.entries[number];
        (glob, value)
    }
}

impl Keys {
    fn new(end: End, mut texts: Vec<(&[u8], usize)>) -> Self {
        texts.sort_unstable_by(|(a, i), (b, j)| end.order(a, b).then(i.cmp(j)));
        let mut keys: Vec<Key> = Vec::new();
        let mut parents: Vec<usize> = Vec::new();
        for (text, number) in texts {
            if let Some(last) = keys.last_mut().filter(|last| *last.text == *text) {
                last.entries.push(number);
                continue;
            }
            while parents
                .last()
                .is_some_and(|parent| !end.extends(text, &keys[*parent].text))
            {
                parents.pop();
            }
            let parent = parents.last().copied();
            parents.push(keys.len());
            keys.push(Key {
                text: text.into(),
                parent,
                entries: vec![number],
            });
        }
        Self { end, keys }
    }

    /// Returns the entries of the keys that `text` begins (or ends) with, including `text` itself.
    fn within(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        let end = self.end;
        let after = |key: &Key| end.order(&key.text, text) != Ordering::Greater;
        let last = self.keys.partition_point(after).checked_sub(1);
        // In sorted order, a prefix of `text` stands before `text`, and every key between the two begins with that
        // prefix too. So the chain of parents of the last key before `text` holds all its prefixes.
        let chain = std::iter::successors(last, |key| self.keys[*key].parent);
        let keys = chain.map(|key| &self.keys[key]);
        let keys = keys.filter(move |key| end.extends(text, &key.text));
        keys.flat_map(|key| key.entries.iter().copied())
    }

    /// Returns the entries of the longer keys that begin (or end) with `text`.
    fn beyond(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        let end = self.end;
        let before = |key: &Key| end.order(&key.text, text) != Ordering::Greater;
        let keys = &self.keys[self.keys.partition_point(before)..];
        let keys = keys
            .iter()
            .take_while(move |key| end.extends(&key.text, text));
        keys.flat_map(|key| key.entries.iter().copied())
    }
}

impl End {
    fn order(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::First => a.cmp(b),
            Self::Last => a.iter().rev().cmp(b.iter().rev()),
        }
    }

    fn extends(self, longer: &[u8], shorter: &[u8]) -> bool {
        match self {
            Self::First => longer.starts_with(shorter),
            Self::Last => longer.ends_with(shorter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GlobIndex;
    use crate::text::glob::Glob;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_index_agrees_with_comparing_every_glob(
            globs in proptest::collection::vec("[ab*]{0,5}", 0..12), text in "[ab]{0,6}", glob in "[ab*]{0,5}",
        ) {
            let globs: Vec<_> = globs.iter().map(|glob| Glob::new(glob)).collect();
            let index = GlobIndex::new(globs.iter().cloned().zip(0..));
            let all = |is_wanted: &dyn Fn(&Glob) -> bool| -> Vec<usize> {
                (0..globs.len()).filter(|i| is_wanted(&globs[*i])).collect()
            };
            let mut matching: Vec<_> = index.matching(&text).copied().collect();
            matching.sort_unstable();
            prop_assert_eq!(matching, all(&|known| known.matches(&text)));
            let glob = Glob::new(&glob);
            let near = index.neighbours(&glob).filter(|(known, _)| known.overlaps(&glob));
            let mut overlapping: Vec<_> = near.map(|(_, number)| *number).collect();
            overlapping.sort_unstable();
            prop_assert_eq!(overlapping, all(&|known| known.overlaps(&glob)));
        }
    }

    #[test]
    fn a_look_up_visits_no_glob_that_begins_or_ends_otherwise() {
        let team = |number: usize| format!("team-{number:04}-*");
        let region = |number: usize| format!("*-{number:04}");
        let names = (0..1000).map(team).chain((0..1000).map(region));
        let index = GlobIndex::new(names.map(|name| (Glob::new(&name), ())));
        assert_eq!(index.candidates("team-0007-0009").count(), 2);
        assert_eq!(index.neighbours(&Glob::new("team-0007-x*")).count(), 1001);
        assert_eq!(index.neighbours(&Glob::new("team-0007-eu-0007")).count(), 2);
    }
}
