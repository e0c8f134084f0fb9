//! The documents of a text, cut as kubectl cuts them: lines with `---` come before YAML, and JSON values may follow
//! each other. (`YAMLOrJSONDecoder` and `YAMLReader` in `k8s.io/apimachinery/pkg/util/yaml`.)
//!
//! Each part is read on its own, so that a document that cannot be read hides no other.

use super::builder::{Builder, SKIPPED};
use super::cursor::{Cursor, Mark, syntax};
use super::json;
use super::node::{Limits, Node, YamlError};
use serde::de::IgnoredAny;

/// The last step before a document counts as read.
type Finish<'f> = dyn FnMut(&mut Node) -> Result<(), YamlError> + 'f;

/// Reads all documents.
pub(super) fn read(
    text: &str,
    limits: Limits,
    finish: &mut Finish<'_>,
) -> Vec<Result<Node, YamlError>> {
    let limits = match limits.of(text) {
        Ok(limits) => limits,
        Err(error) => return vec![Err(error)],
    };
    let mut documents = Documents {
        read: Vec::new(),
        limits,
        finish,
    };
    let mut cursor = Cursor::new(text, Mark::default());
    if cursor.peek() == Some('\u{feff}') {
        cursor.mark.offset += '\u{feff}'.len_utf8();
    }
    let is_json = cursor.rest().trim_start().starts_with('{');
    if !is_json || documents.add_json(text, &mut cursor) {
        // For kubectl a line begins here, even if JSON comes before it.
        cursor.mark.column = 0;
        documents.add_yaml(text, cursor.mark);
    }
    documents.read
}

struct Documents<'f, 'g> {
    read: Vec<Result<Node, YamlError>>,
    limits: Limits,
    finish: &'g mut Finish<'f>,
}

impl Documents<'_, '_> {
    /// Reads JSON values while there are any. Returns whether YAML may follow: not after two values.
    fn add_json(&mut self, text: &str, cursor: &mut Cursor<'_>) -> bool {
        let first = cursor.mark.offset;
        let mut values =
            serde_json::Deserializer::from_str(&text[first..]).into_iter::<IgnoredAny>();
        for count in 0.. {
            match values.next() {
                None => break,
                Some(Ok(_)) => {
                    let end = first + values.byte_offset();
                    let node = json::read(&text[..end], cursor.mark, self.limits);
                    self.add(node);
                    while cursor.mark.offset < end {
                        if cursor.take_break().is_none() {
                            cursor.skip();
                        }
                    }
                }
                Some(Err(_)) if count <= 1 && skip_line_end(cursor) => return true,
                Some(Err(error)) => {
                    let reason = error.to_string();
                    let reason = reason.split(" at line ").next().unwrap_or_default();
                    let message = format!("not JSON: {reason}");
                    let at = cursor.mark.to(cursor.mark);
                    self.read.push(Err(YamlError::at(at, &message)));
                    break;
                }
            }
        }
        false
    }

    fn add_yaml(&mut self, text: &str, mut begin: Mark) {
        let mut line = begin;
        while line.offset < text.len() {
            let rest = &text[line.offset..];
            let length = rest.find('\n').map_or(rest.len(), |at| at + 1);
            let next = Mark {
                line: line.line + 1,
                column: 0,
                offset: line.offset + length,
                ..line
            };
            if let Some(behind) = rest[..length].strip_prefix("---") {
                let behind = behind.trim();
                if !behind.is_empty() && !behind.starts_with('#') {
                    self.add_part(&text[..line.offset], begin);
                    let message = "kubectl reads no text after `---`: put it on a new line";
                    self.read.push(Err(syntax(line.to(next), message)));
                    begin = line;
                } else if line.offset > begin.offset {
                    self.add_part(&text[..line.offset], begin);
                    begin = next;
                }
            }
            line = next;
        }
        self.add_part(text, begin);
    }

    /// Reads a part. kubectl reads its first document and skips the others; here they are an error.
    fn add_part(&mut self, text: &str, begin: Mark) {
        let mut builder = match Builder::new(text, begin, self.limits) {
            Ok(builder) => builder,
            Err(error) => return self.read.push(Err(error)),
        };
        let first = builder.document().transpose();
        if first.is_some_and(|first| self.add(first)) {
            let second = builder.document().transpose();
            let second =
                second.map(|second| second.and_then(|node| Err(syntax(node.span, SKIPPED))));
            self.read.extend(second);
        }
        self.limits.nodes = self.limits.nodes.saturating_sub(builder.nodes());
    }

    /// Returns whether the document could be read.
    fn add(&mut self, document: Result<Node, YamlError>) -> bool {
        let finished = document.and_then(|mut node| {
            (self.finish)(&mut node)?;
            Ok(node)
        });
        self.read.push(finished);
        self.read.last().is_some_and(Result::is_ok)
    }
}

/// Skips white space up to the end of the line. If fewer than four bytes are left, kubectl does not continue.
fn skip_line_end(cursor: &mut Cursor<'_>) -> bool {
    while cursor.rest().len() >= 4 {
        match cursor.peek() {
            Some('\n') => return cursor.take_break().is_some(),
            Some(space) if space.is_whitespace() => cursor.skip(),
            Some(_) | None => return true,
        }
    }
    false
}
