//! Objects of kinds that are not judged: their numbers.

use crate::text::excerpt::{clean, shorten};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The number of kinds that a line names; the rest is counted.
const MAX_KINDS: usize = 20;
/// The longest kind or `apiVersion` of a manifest that is repeated, in characters.
const MAX_NAME: usize = 63;

/// A kind as the manifests have it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnjudgedKind {
    pub(super) kind: String,
    pub(super) api_version: String,
}

/// The number of objects of each kind.
#[derive(Debug, Default)]
pub(super) struct UnjudgedKinds(BTreeMap<UnjudgedKind, usize>);

impl UnjudgedKinds {
    /// Counts an object.
    pub(super) fn count(&mut self, kind: &str, api_version: &str) {
        let [kind, api_version] = [kind, api_version].map(|text| shorten(&clean(text), MAX_NAME));
        *self
            .0
            .entry(UnjudgedKind { kind, api_version })
            .or_default() += 1;
    }

    /// Returns the kinds and their numbers, in the order of the names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&UnjudgedKind, usize)> {
        self.0.iter().map(|(kind, objects)| (kind, *objects))
    }

    /// Returns the number of all objects.
    pub(super) fn objects(&self) -> usize {
        self.0.values().sum()
    }

    /// Returns the kinds and their numbers in one line, the most frequent kind first; `None` if there are no objects.
    pub(super) fn line(&self) -> Option<String> {
        let mut kinds: Vec<_> = self.iter().collect();
        kinds.sort_by_key(|(_, objects)| Reverse(*objects));
        let rest = kinds.len().saturating_sub(MAX_KINDS);
        let named = kinds.into_iter().take(MAX_KINDS).map(|(kind, objects)| {
            let UnjudgedKind { kind, api_version } = kind;
            match &**api_version {
                "v1" => format!("{objects} {kind}"),
                version => format!("{objects} {kind} ({version})"),
            }
        });
        let mut named: Vec<_> = named.collect();
        if rest > 0 {
            named.push(some(rest, "more kind", "more kinds"));
        }
        let objects = some(self.objects(), "object", "objects");
        (!named.is_empty())
            .then(|| format!("not judged: {objects} of other kinds: {}", named.join(", ")))
    }
}

/// Returns a number and its noun.
pub(super) fn some(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}
