//! JSON values as trees. They have escapes that YAML 1.1 does not know, and no limit for the length of a key.

use super::cursor::{Cursor, Mark};
use super::node::{Limits, Node, Value, YamlError};

/// Reads a value at a position. The caller has checked that it is JSON; only its depth and length are not checked yet.
pub(super) fn read(text: &str, begin: Mark, limits: Limits) -> Result<Node, YamlError> {
    let mut reader = Reader {
        cursor: Cursor::new(text, begin),
        limits,
        nodes: 0,
    };
    reader.value(0)
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    limits: Limits,
    nodes: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, YamlError> {
        self.skip_space();
        let start = self.cursor.mark;
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(YamlError::at(start.to(start), "the document is too large"));
        }
        if depth > self.limits.depth {
            return Err(YamlError::at(start.to(start), "nested too deeply"));
        }
        let value = match self.cursor.byte(0) {
            Some(b'{') => return self.object(depth),
            Some(b'[') => {
                self.cursor.skip_ascii(1);
                let mut items = Vec::new();
                while !self.ends(b']') {
                    items.push(self.value(depth + 1)?);
                }
                let mut begin = start;
                begin.offset += 1;
                return Ok(Node {
                    value: Value::Sequence(items),
                    span: start.to(begin),
                });
            }
            Some(b'"') => Value::Scalar {
                text: self.string(),
                plain: false,
            },
            _ => {
                let mut text = String::new();
                while !self.is_end_of_word() {
                    self.cursor.take(&mut text);
                }
                Value::Scalar { text, plain: true }
            }
        };
        let span = start.to(self.cursor.mark);
        Ok(Node { value, span })
    }

    fn object(&mut self, depth: usize) -> Result<Node, YamlError> {
        let start = self.cursor.mark;
        self.cursor.skip_ascii(1);
        let mut span = start.to(self.cursor.mark);
        let mut entries: Vec<(Node, Node)> = Vec::new();
        while !self.ends(b'}') {
            let key = self.value(depth + 1)?;
            self.skip_space();
            self.cursor.skip_ascii(1);
            let value = self.value(depth + 1)?;
            if entries.is_empty() {
                span = key.span;
            }
            entries.push((key, value));
        }
        let value = Value::Mapping(entries);
        Ok(Node { value, span })
    }

    /// Moves to the next entry, or past the bracket that closes the collection.
    fn ends(&mut self, bracket: u8) -> bool {
        self.skip_space();
        let byte = self.cursor.byte(0);
        if byte == Some(b',') || byte == Some(bracket) {
            self.cursor.skip_ascii(1);
        }
        byte == Some(bracket) || byte.is_none()
    }

    fn skip_space(&mut self) {
        while self.cursor.is_blank() || self.cursor.is_break() {
            if self.cursor.take_break().is_none() {
                self.cursor.skip_ascii(1);
            }
        }
    }

    fn is_end_of_word(&self) -> bool {
        let byte = self.cursor.byte(0);
        byte.is_none_or(|byte| b",:[]{}\" \t\r\n".contains(&byte))
    }

    fn string(&mut self) -> String {
        let mut text = String::new();
        self.cursor.skip_ascii(1);
        while let Some(byte) = self.cursor.byte(0) {
            match byte {
                b'"' => {
                    self.cursor.skip_ascii(1);
                    break;
                }
                b'\\' => text.push(self.escape()),
                _ => self.cursor.take(&mut text),
            }
        }
        text
    }

    fn escape(&mut self) -> char {
        let escaped = match self.cursor.byte(1) {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            other => other.map_or('\\', char::from),
        };
        self.cursor.skip_ascii(2);
        escaped
    }

    /// Reads `\u00e9`, or two such escapes for a character beyond U+FFFF. Go reads half of such a pair as U+FFFD.
    fn unicode(&mut self) -> char {
        let unit = |text: &str| {
            let digits = text.strip_prefix("\\u")?.get(..4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        let rest = self.cursor.rest();
        let first = unit(rest).unwrap_or_default();
        let second = rest.get(6..).and_then(unit);
        let mut pair = char::decode_utf16([first].into_iter().chain(second));
        let character = pair.next().and_then(Result::ok);
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.cursor.skip_ascii(6 * character.len_utf16());
        character
    }
}
