//! Documents as kubectl reads them: scalars by YAML 1.1, doubled keys, and merge keys (`<<`).

use super::cursor::syntax;
use super::node::{Node, Value, YamlError};
use super::resolve::{Resolved, key_text, resolve};
use crate::text::diagnostic::Span;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

impl Node {
    /// Reads a document as kubectl does, by YAML 1.1: afterwards scalars and keys are as in the JSON that kubectl
    /// makes. If a key appears twice, the last one counts; a merge key (`<<`, <https://yaml.org/type/merge.html>)
    /// counts at its place. Adds the places of keys that appear twice to `doubles`.
    ///
    /// # Errors
    /// A part that has no JSON: a key that is a mapping, a list or null; a merge of anything but mappings; `.nan`.
    pub fn resolve(&mut self, doubles: &mut Vec<Span>) -> Result<(), YamlError> {
        self.merge(doubles)?;
        // After the merge: an entry that does not count needs no JSON.
        self.canonicalize()
    }

    fn merge(&mut self, doubles: &mut Vec<Span>) -> Result<(), YamlError> {
        match &mut self.value {
            Value::Scalar { .. } => {}
            Value::Sequence(items) => {
                for item in items {
                    item.merge(doubles)?;
                }
            }
            Value::Mapping(entries) => {
                for (key, value) in entries.iter_mut() {
                    key.resolve_key()?;
                    value.merge(doubles)?;
                }
                *entries = merged(std::mem::take(entries), doubles)?;
            }
        }
        Ok(())
    }

    /// Converts a key to a text, if there is a text for it.
    fn resolve_key(&mut self) -> Result<(), YamlError> {
        let is_merge = self.is_merge();
        match &mut self.value {
            Value::Scalar { text, plain } if *plain && !is_merge => {
                let resolved = resolve(text);
                if resolved != Resolved::Text {
                    // A key without a text stays unchanged, and is refused if it counts.
                    let Some(key) = key_text(resolved) else {
                        return Ok(());
                    };
                    *text = key;
                }
                *plain = false;
                Ok(())
            }
            Value::Scalar { .. } => Ok(()),
            Value::Mapping(_) => Err(syntax(self.span, "a mapping cannot be a key")),
            Value::Sequence(_) => Err(syntax(self.span, "a list cannot be a key")),
        }
    }

    fn canonicalize(&mut self) -> Result<(), YamlError> {
        let span = self.span;
        match &mut self.value {
            Value::Scalar { text, plain } if *plain => {
                let value = match resolve(text) {
                    Resolved::Text => {
                        *plain = false;
                        return Ok(());
                    }
                    Resolved::Null => "null".to_owned(),
                    Resolved::Bool(value) => value.to_string(),
                    Resolved::Int(int) => int.to_string(),
                    Resolved::Float(float) if float.is_finite() => format!("{float:?}"),
                    Resolved::Float(_) => return Err(syntax(span, "JSON has no such number")),
                };
                *text = value;
            }
            Value::Scalar { .. } => {}
            Value::Sequence(items) => {
                for item in items {
                    item.canonicalize()?;
                }
            }
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    if matches!(key.value, Value::Scalar { plain: true, .. }) {
                        let message = "a key cannot be null or a number as large as this";
                        return Err(syntax(key.span, message));
                    }
                    value.canonicalize()?;
                }
            }
        }
        Ok(())
    }

    fn is_merge(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if text == "<<")
    }
}

/// Returns the entries that count, and notes the places of keys that appear twice.
fn merged(
    entries: Vec<(Node, Node)>,
    doubles: &mut Vec<Span>,
) -> Result<Vec<(Node, Node)>, YamlError> {
    let mut known: HashSet<&str> = HashSet::new();
    let is_simple = entries
        .iter()
        .all(|(key, _)| !key.is_merge() && key.text().is_some_and(|text| known.insert(text)));
    if is_simple {
        return Ok(entries);
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
        // If several mappings of one list have the key, the first counts.
        for source in sources.into_iter().rev() {
            let Value::Mapping(entries) = source.value else {
                let message = "`<<` merges a mapping or a list of mappings, and nothing else";
                return Err(syntax(source.span, message));
            };
            for (key, value) in entries {
                merging.put(key, value, EntryOrigin::Merged);
            }
        }
    }
    Ok(merging.entries)
}

/// A mapping under construction: later entries replace earlier ones.
#[derive(Default)]
struct Merging {
    entries: Vec<(Node, Node)>,
    places: HashMap<String, (usize, EntryOrigin)>,
}

/// The origin of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryOrigin {
    Own,
    Merged,
}

impl Merging {
    /// Inserts an entry, and returns the origin of the entry that it replaces.
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
