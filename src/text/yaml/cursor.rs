//! A position in a text that moves forward and counts lines and columns.

use super::node::YamlError;
use crate::text::diagnostic::Span;

/// A position in a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    /// The number of characters before it.
    pub(super) index: usize,
    /// The line, from 0.
    pub(super) line: usize,
    /// The column in characters, from 0.
    pub(super) column: usize,
    /// The number of bytes before it.
    pub(super) offset: usize,
}

impl Mark {
    /// Returns the span from here to another position.
    pub(super) fn to(self, end: Self) -> Span {
        Span {
            line: self.line + 1,
            column: self.column + 1,
            start: self.offset,
            end: end.offset.max(self.offset),
        }
    }
}

/// A text and the current position.
pub(super) struct Cursor<'a> {
    text: &'a str,
    pub(super) mark: Mark,
    /// Whether the last line has ended.
    is_complete: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, begin: Mark) -> Self {
        Self {
            text,
            mark: begin,
            is_complete: text.is_empty() || text.ends_with(['\n', '\r']),
        }
    }

    /// Returns the text from the current position on.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.mark.offset..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Returns the byte at this many bytes after the position, for callers to whom only ASCII matters.
    pub(super) fn byte(&self, further: usize) -> Option<u8> {
        self.text
            .as_bytes()
            .get(self.mark.offset + further)
            .copied()
    }

    /// Moves past a character that is not a line break.
    pub(super) fn skip(&mut self) {
        let length = self.peek().map_or(0, char::len_utf8);
        self.mark.offset += length;
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Moves past characters of one byte.
    pub(super) fn skip_ascii(&mut self, count: usize) {
        self.mark.offset += count;
        self.mark.index += count;
        self.mark.column += count;
    }

    /// Moves past a character and appends it.
    pub(super) fn take(&mut self, into: &mut String) {
        into.extend(self.peek());
        self.skip();
    }

    /// Moves past a line break, and returns the character that it stands for. `\r\n` is one break, and so is `\r\r\n`,
    /// because kubectl removes `\r\n` from each line before it parses. If the last line has no end, kubectl adds one.
    pub(super) fn take_break(&mut self) -> Option<char> {
        let rest = self.rest();
        let (characters, length, read) = match self.peek().or(self.end_of_last_line())? {
            '\r' if rest.starts_with("\r\r\n") => (3, 3, '\n'),
            '\r' if rest.starts_with("\r\n") => (2, 2, '\n'),
            '\n' if rest.is_empty() => {
                self.is_complete = true;
                (0, 0, '\n')
            }
            '\r' | '\n' => (1, 1, '\n'),
            '\u{85}' => (1, 2, '\n'),
            separator @ ('\u{2028}' | '\u{2029}') => (1, 3, separator),
            _ => return None,
        };
        self.mark.index += characters;
        self.mark.offset += length;
        self.mark.line += 1;
        self.mark.column = 0;
        Some(read)
    }

    fn end_of_last_line(&self) -> Option<char> {
        (self.is_at_end() && !self.is_complete).then_some('\n')
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.mark.offset == self.text.len()
    }

    /// Returns whether a space or tab is here.
    pub(super) fn is_blank(&self) -> bool {
        matches!(self.byte(0), Some(b' ' | b'\t'))
    }

    pub(super) fn is_break(&self) -> bool {
        self.peek().is_some_and(is_break)
    }

    /// Returns whether a line break or the end of the text is here.
    pub(super) fn is_break_or_end(&self) -> bool {
        self.peek().is_none_or(is_break)
    }

    /// Returns whether white space or the end of the text comes this many bytes after the position.
    pub(super) fn is_space_or_end(&self, further: usize) -> bool {
        let rest = self.rest().get(further..).unwrap_or_default();
        let next = rest.chars().next();
        next.is_none_or(|next| matches!(next, ' ' | '\t') || is_break(next))
    }

    /// Returns whether a line begins here with `---` or `...` alone.
    pub(super) fn is_document_indicator(&self) -> bool {
        let rest = self.rest();
        self.mark.column == 0
            && (rest.starts_with("---") || rest.starts_with("..."))
            && self.is_space_or_end(3)
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.skip_ascii(1);
        }
    }

    /// Moves past a comment, up to the end of its line.
    pub(super) fn skip_comment(&mut self) {
        if self.byte(0) == Some(b'#') {
            while !self.is_break_or_end() {
                self.skip();
            }
        }
    }

    /// Moves past characters of names and appends them.
    pub(super) fn take_word(&mut self, into: &mut String) {
        while self
            .byte(0)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            self.take(into);
        }
    }

    /// Returns an error at the current position.
    pub(super) fn error(&self, message: &str) -> YamlError {
        let length = self.peek().map_or(0, char::len_utf8);
        let end = Mark {
            offset: self.mark.offset + length,
            ..self.mark
        };
        syntax(self.mark.to(end), message)
    }
}

fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns a syntax error.
pub(super) fn syntax(span: Span, message: &str) -> YamlError {
    YamlError::at(span, &format!("not YAML: {message}"))
}
