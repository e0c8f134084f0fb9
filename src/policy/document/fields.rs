//! The fields of a mapping: present, missing and unknown ones.

use super::reader::{DocumentReader, quoted};
use crate::text::diagnostic::Span;
use crate::text::yaml::{Node, Value};
use std::collections::HashSet;

/// A field of a mapping.
struct Field<'n> {
    name: &'n str,
    key: &'n Node,
    value: &'n Node,
}

/// The fields of one mapping. Each may be taken once.
pub(super) struct Fields<'n> {
    path: String,
    span: Span,
    entries: Vec<Field<'n>>,
    known: Vec<&'static str>,
    /// The faults of missing keys, reported at the end: a misspelt key is reported only once, as unknown.
    missing: Vec<Missing>,
}

/// Keys of which one is required and none is present.
struct Missing {
    keys: Vec<&'static str>,
    message: String,
}

impl<'n> Fields<'n> {
    /// Returns the fields of a mapping.
    pub(super) fn of(reader: &mut DocumentReader, node: &'n Node, path: &str) -> Option<Self> {
        let Value::Mapping(pairs) = &node.value else {
            return reader.expected("a mapping", node, path);
        };
        let mut entries: Vec<Field<'_>> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for (key, value) in pairs {
            let Value::Scalar { text, .. } = &key.value else {
                reader.fault_at(
                    key,
                    path,
                    format!("a key is a text, not {}", key.kind()),
                    None,
                );
                continue;
            };
            if seen.insert(text) {
                let name = text;
                entries.push(Field { name, key, value });
            } else {
                let help = Some("keep one of them".to_owned());
                reader.fault_at(
                    key,
                    &join(path, text),
                    format!("the key `{text}` is there twice"),
                    help,
                );
            }
        }
        Some(Self {
            path: path.to_owned(),
            span: node.span,
            entries,
            known: Vec::new(),
            missing: Vec::new(),
        })
    }

    pub(super) fn optional<T>(
        &mut self,
        reader: &mut DocumentReader,
        key: &'static str,
        read: impl FnOnce(&mut DocumentReader, &'n Node, &str) -> Option<T>,
    ) -> Option<T> {
        self.known.push(key);
        let node = self.entries.iter().find(|field| field.name == key)?.value;
        read(reader, node, &join(&self.path, key))
    }

    pub(super) fn required<T>(
        &mut self,
        reader: &mut DocumentReader,
        key: &'static str,
        read: impl FnOnce(&mut DocumentReader, &'n Node, &str) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.missing.push(Missing {
                keys: vec![key],
                message: format!("the key `{key}` is missing"),
            });
        }
        self.optional(reader, key, read)
    }

    fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|field| field.name == key)
    }

    /// Checks that exactly one of these keys is present.
    pub(super) fn exactly_one(&mut self, reader: &mut DocumentReader, keys: &[&'static str]) {
        let there: Vec<_> = self
            .entries
            .iter()
            .filter(|field| keys.contains(&field.name))
            .collect();
        match there.as_slice() {
            [] => self.at_least_one(keys),
            [_] => {}
            [_, second, ..] => {
                let message = format!("only one of {} can be there", quoted(keys));
                reader.fault_at(
                    second.key,
                    &join(&self.path, second.name),
                    message,
                    Some("keep one of them".to_owned()),
                );
            }
        }
    }

    /// Checks that at least one of these keys is present.
    pub(super) fn at_least_one(&mut self, keys: &[&'static str]) {
        if !keys.iter().any(|key| self.has(key)) {
            self.missing.push(Missing {
                keys: keys.to_vec(),
                message: format!("one of {} is missing", quoted(keys)),
            });
        }
    }

    /// Adds faults for all unknown keys, and for missing keys that were not misspelt. Returns the place where the
    /// mapping begins.
    pub(super) fn finish(self, reader: &mut DocumentReader) -> Span {
        let mut meant: Vec<&str> = Vec::new();
        for Field { name, key, .. } in &self.entries {
            if !self.known.contains(name) && !reader.is_full() {
                let nearest = reader.nearest(name, &self.known);
                meant.extend(nearest);
                let help = match nearest {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("known here: {}", quoted(&self.known)),
                };
                reader.fault_at(
                    key,
                    &join(&self.path, name),
                    format!("unknown key `{name}`"),
                    Some(help),
                );
            }
        }
        for Missing { keys, message } in self.missing {
            if !keys.iter().any(|key| meant.contains(key)) {
                reader.fault(&self.path, self.span, message, None);
            }
        }
        self.span
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
