//! A node as JSON, each value on a line of its own, so that the line of an error leads back to a place.

use crate::text::diagnostic::Span;
use crate::text::yaml::{Node, Plain, Value, plain};
use std::fmt::Write as _;

/// Writes a node as JSON, each value on a line of its own, so that the line of an error is a place.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) json: Vec<u8>,
    pub(super) places: Vec<Span>,
}

impl Writer {
    pub(super) fn write(&mut self, node: &Node) {
        self.places.push(node.span);
        match &node.value {
            Value::Scalar { text, plain: true } => match plain(text) {
                Plain::Null => self.json.extend(b"null"),
                Plain::Bool(value) => self.json.extend(value.to_string().bytes()),
                // No number matters, only that it is one.
                Plain::Number => self.json.push(b'0'),
                Plain::Text => self.text(text),
            },
            Value::Scalar { text, .. } => self.text(text),
            Value::Sequence(items) => {
                self.json.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    self.json.extend(if i == 0 { &b"\n"[..] } else { b",\n" });
                    self.write(item);
                }
                self.json.push(b']');
            }
            Value::Mapping(entries) => self.mapping(entries),
        }
    }

    fn mapping(&mut self, entries: &[(Node, Node)]) {
        self.json.push(b'{');
        for (i, (key, value)) in entries.iter().enumerate() {
            self.json.extend(if i == 0 { &b"\n"[..] } else { b",\n" });
            self.text(key.text().unwrap_or_default());
            self.json.push(b':');
            self.write(value);
        }
        self.json.push(b'}');
    }

    fn text(&mut self, text: &str) {
        // A text always has a JSON.
        let _ = serde_json::to_writer(&mut self.json, text);
    }
}

/// The path of the value that is so many values further, as they are written to JSON.
pub(super) fn path_to(node: &Node, further: &mut usize, path: &mut String) -> bool {
    if *further == 0 {
        return true;
    }
    let length = path.len();
    let mut enter = |name: &dyn std::fmt::Display, node: &Node| {
        *further -= 1;
        let _ = write!(path, "{name}");
        let is_there = path_to(node, further, path);
        if !is_there {
            path.truncate(length);
        }
        is_there
    };
    match &node.value {
        Value::Scalar { .. } => false,
        Value::Sequence(items) => {
            let mut items = items.iter().enumerate();
            items.any(|(i, item)| enter(&format_args!("[{i}]"), item))
        }
        Value::Mapping(entries) => {
            let dot = if length == 0 { "" } else { "." };
            let mut entries = entries.iter();
            entries.any(|(key, value)| {
                let key = key.text().unwrap_or_default();
                enter(&format_args!("{dot}{key}"), value)
            })
        }
    }
}
