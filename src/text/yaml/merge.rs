//! Mappings as kubectl reads them: doubled keys, and merge keys (`<<`).

use super::node::{Node, Value};
use crate::text::diagnostic::Span;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

impl Node {
    /// Reads mappings as kubectl does: of a key that is there twice the last one counts, and a merge key
    /// (`<<`, <https://yaml.org/type/merge.html>) counts where it stands. Says where keys were there twice.
    pub fn resolve(&mut self, doubles: &mut Vec<Span>) {
        match &mut self.value {
            Value::Scalar { .. } => {}
            Value::Sequence(items) => items.iter_mut().for_each(|item| item.resolve(doubles)),
            Value::Mapping(entries) => {
                for (_, value) in entries.iter_mut() {
                    value.resolve(doubles);
                }
                *entries = resolved(std::mem::take(entries), doubles);
            }
        }
    }

    fn is_merge(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if text == "<<")
    }
}

/// The entries that count; says where keys were there twice.
fn resolved(entries: Vec<(Node, Node)>, doubles: &mut Vec<Span>) -> Vec<(Node, Node)> {
    let mut known: HashSet<&str> = HashSet::new();
    let texts = entries.iter().map(|(key, _)| key.text());
    let is_plain = texts
        .flatten()
        .all(|text| text != "<<" && known.insert(text));
    if is_plain {
        return entries;
    }
    let mut merging = Merging::default();
    for (key, value) in entries {
        if !key.is_merge() {
            let span = key.span;
            if merging.put(key, value, EntryOrigin::Own) == Some(EntryOrigin::Own) {
                doubles.push(span);
            }
            continue;
        }
        let sources = match value.value {
            Value::Sequence(sources) => sources,
            Value::Scalar { .. } | Value::Mapping(_) => vec![value],
        };
        // Of several in one list the first counts.
        for source in sources.into_iter().rev() {
            if let Value::Mapping(entries) = source.value {
                for (key, value) in entries {
                    merging.put(key, value, EntryOrigin::Merged);
                }
            }
        }
    }
    merging.entries
}

/// A mapping that is being put together: what comes later counts.
#[derive(Default)]
struct Merging {
    entries: Vec<(Node, Node)>,
    places: HashMap<String, (usize, EntryOrigin)>,
}

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryOrigin {
    Own,
    Merged,
}

impl Merging {
    /// Puts an entry in, and says where the one came from that it replaces.
    fn put(&mut self, key: Node, value: Node, origin: EntryOrigin) -> Option<EntryOrigin> {
        let text = key.text().unwrap_or_default().to_owned();
        match self.places.entry(text) {
            Entry::Vacant(place) => {
                place.insert((self.entries.len(), origin));
                self.entries.push((key, value));
                None
            }
            Entry::Occupied(mut place) => {
                let (at, replaced) = *place.get();
                place.insert((at, origin));
                self.entries[at] = (key, value);
                Some(replaced)
            }
        }
    }
}
