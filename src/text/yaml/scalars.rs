//! Plain, quoted and block scalars.

use super::cursor::{Mark, syntax};
use super::node::YamlError;
use super::scanner::Scanner;
use super::tokens::{Item, Token};

/// A column that no tab comes before: every tab is allowed.
const ANY_COLUMN: isize = isize::MIN;

/// White space between the words of a scalar that may continue in the next line.
#[derive(Default)]
struct Gap {
    blanks: String,
    /// The first line break.
    first: Option<char>,
    /// The other line breaks.
    further: String,
    /// Whether a line break came, also one that is escaped.
    is_broken: bool,
}

impl Gap {
    /// Reads blanks and line breaks. After a line break a tab may not come before the column `indent`.
    fn read(&mut self, scanner: &mut Scanner<'_>, indent: isize) -> Result<(), YamlError> {
        loop {
            if scanner.cursor.is_blank() {
                if !self.is_broken {
                    scanner.cursor.take(&mut self.blanks);
                } else if scanner.cursor.byte(0) == Some(b'\t')
                    && scanner.cursor.mark.column.cast_signed() < indent
                {
                    return Err(scanner.cursor.error("a tab in the indentation"));
                } else {
                    scanner.cursor.skip_ascii(1);
                }
            } else if let Some(line_break) = scanner.cursor.take_break() {
                if self.is_broken {
                    self.further.push(line_break);
                } else {
                    self.first = Some(line_break);
                    self.is_broken = true;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// Appends the gap: a single line break becomes a space; if there are several, the first is dropped.
    fn join(self, text: &mut String) {
        match self.first {
            _ if !self.is_broken => *text += &self.blanks,
            Some('\n') if self.further.is_empty() => text.push(' '),
            Some('\n') => *text += &self.further,
            first => {
                text.extend(first);
                *text += &self.further;
            }
        }
    }
}

/// The treatment of line breaks at the end of a block scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    /// Reads a scalar without quotes.
    pub(super) fn plain_scalar(&mut self) -> Result<Item, YamlError> {
        let start = self.cursor.mark;
        let indent = self.indent + 1;
        let in_flow = self.is_in_flow();
        let mut text = String::new();
        let mut end = self.cursor.mark;
        let mut gap = Gap::default();
        while !self.cursor.is_document_indicator() && self.cursor.byte(0) != Some(b'#') {
            let mut is_first = true;
            while !self.cursor.is_space_or_end(0) {
                let ends = match self.cursor.byte(0) {
                    Some(b':') => self.cursor.is_space_or_end(1),
                    Some(b',' | b'?' | b'[' | b']' | b'{' | b'}') => in_flow,
                    _ => false,
                };
                if ends {
                    break;
                }
                if is_first {
                    std::mem::take(&mut gap).join(&mut text);
                    is_first = false;
                }
                self.cursor.take(&mut text);
                end = self.cursor.mark;
            }
            if !self.cursor.is_blank() && !self.cursor.is_break() {
                break;
            }
            gap.read(self, indent)?;
            if !in_flow && self.cursor.mark.column.cast_signed() < indent {
                break;
            }
        }
        if gap.is_broken {
            self.is_key_allowed = true;
        }
        let is_plain = true;
        let token = Token::Scalar { text, is_plain };
        Ok(Item { token, start, end })
    }

    /// Reads a scalar in quotes. It may continue in any column, even in the column of its key.
    pub(super) fn quoted(&mut self, quote: char) -> Result<String, YamlError> {
        let start = self.cursor.mark;
        self.cursor.skip_ascii(1);
        let mut text = String::new();
        loop {
            if self.cursor.is_document_indicator() {
                return Err(self.cursor.error("a document ends inside quotes"));
            }
            if self.cursor.is_at_end() {
                let opening = Mark {
                    offset: start.offset + 1,
                    ..start
                };
                return Err(syntax(start.to(opening), "the closing quote is missing"));
            }
            let mut gap = Gap {
                is_broken: self.quoted_word(quote, &mut text)?,
                ..Gap::default()
            };
            if self.cursor.peek() == Some(quote) {
                self.cursor.skip_ascii(1);
                return Ok(text);
            }
            gap.read(self, ANY_COLUMN)?;
            gap.join(&mut text);
        }
    }

    /// Reads up to white space or the closing quote. Returns whether an escaped line break ended it.
    fn quoted_word(&mut self, quote: char, text: &mut String) -> Result<bool, YamlError> {
        while !self.cursor.is_space_or_end(0) {
            match self.cursor.byte(0) {
                Some(b'\'') if quote == '\'' => {
                    if self.cursor.byte(1) != Some(b'\'') {
                        break;
                    }
                    text.push('\'');
                    self.cursor.skip_ascii(2);
                }
                Some(b'"') if quote == '"' => break,
                Some(b'\\') if quote == '"' => {
                    self.cursor.skip_ascii(1);
                    if self.cursor.take_break().is_some() {
                        return Ok(true);
                    }
                    text.push(self.escape()?);
                }
                _ => self.cursor.take(text),
            }
        }
        Ok(false)
    }

    /// Reads the character after a backslash.
    fn escape(&mut self) -> Result<char, YamlError> {
        let digits = match self.cursor.byte(0) {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(name) => {
                let escaped = named_escape(name);
                let escaped = escaped.ok_or_else(|| self.cursor.error("an unknown escape"))?;
                self.cursor.skip_ascii(1);
                return Ok(escaped);
            }
            None => return Err(self.cursor.error("an unknown escape")),
        };
        let code = self.cursor.rest().get(1..=digits).unwrap_or_default();
        let is_hex = code.len() == digits && code.bytes().all(|byte| byte.is_ascii_hexdigit());
        let escaped = is_hex
            .then(|| u32::from_str_radix(code, 16).ok())
            .flatten()
            .and_then(char::from_u32)
            .ok_or_else(|| self.cursor.error("an escape that stands for no character"))?;
        self.cursor.skip_ascii(1 + digits);
        Ok(escaped)
    }

    /// Reads a literal (`|`) or folded (`>`) scalar. Its place begins at the first line of its text that is not empty.
    pub(super) fn block_scalar(&mut self, is_literal: bool) -> Result<Item, YamlError> {
        let header = self.cursor.mark;
        self.cursor.skip_ascii(1);
        let (chomping, increment) = self.block_header()?;
        let mut indent = increment.map_or(0, |increment| {
            usize::try_from(self.indent).unwrap_or_default() + increment
        });
        let mut text = String::new();
        let mut last_break: Option<char> = None;
        let mut breaks = String::new();
        let mut end = self.block_breaks(&mut indent, &mut breaks)?;
        let is_empty = self.cursor.mark.column != indent || self.cursor.is_at_end();
        let start = if is_empty { header } else { self.cursor.mark };
        let mut was_blank = false;
        while self.cursor.mark.column == indent && !self.cursor.is_at_end() {
            let is_blank = self.cursor.is_blank();
            if !is_literal && !was_blank && !is_blank && last_break == Some('\n') {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(last_break);
            }
            text += &breaks;
            breaks.clear();
            was_blank = is_blank;
            while !self.cursor.is_break_or_end() {
                self.cursor.take(&mut text);
            }
            last_break = self.cursor.take_break();
            end = self.block_breaks(&mut indent, &mut breaks)?;
        }
        if chomping != Chomping::Strip {
            text.extend(last_break);
        }
        if chomping == Chomping::Keep {
            text += &breaks;
        }
        let is_plain = false;
        let token = Token::Scalar { text, is_plain };
        Ok(Item { token, start, end })
    }

    /// Reads the rest of the first line of a block scalar.
    fn block_header(&mut self) -> Result<(Chomping, Option<usize>), YamlError> {
        let mut chomping = None;
        let mut increment = None;
        loop {
            match self.cursor.byte(0) {
                Some(b'+') if chomping.is_none() => chomping = Some(Chomping::Keep),
                Some(b'-') if chomping.is_none() => chomping = Some(Chomping::Strip),
                Some(digit @ b'1'..=b'9') if increment.is_none() => {
                    increment = Some(usize::from(digit - b'0'));
                }
                _ => break,
            }
            self.cursor.skip_ascii(1);
        }
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end() {
            return Err(self.cursor.error("expected the end of the line here"));
        }
        self.cursor.take_break();
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    /// Reads empty lines and the indentation of the next line; finds the indentation if it is not given (0). Returns
    /// the end of the last line.
    fn block_breaks(&mut self, indent: &mut usize, breaks: &mut String) -> Result<Mark, YamlError> {
        let mut end = self.cursor.mark;
        let mut deepest = 0;
        loop {
            let is_indentation =
                |scanner: &Self| *indent == 0 || scanner.cursor.mark.column < *indent;
            while is_indentation(self) && self.cursor.byte(0) == Some(b' ') {
                self.cursor.skip_ascii(1);
            }
            deepest = deepest.max(self.cursor.mark.column);
            if is_indentation(self) && self.cursor.byte(0) == Some(b'\t') {
                return Err(self.cursor.error("a tab in the indentation"));
            }
            let Some(line_break) = self.cursor.take_break() else {
                break;
            };
            breaks.push(line_break);
            end = self.cursor.mark;
        }
        if *indent == 0 {
            let least = usize::try_from(self.indent + 1).unwrap_or_default();
            *indent = deepest.max(least).max(1);
        }
        Ok(end)
    }
}

/// The escapes of one character. (`\/` belongs to YAML 1.2 and JSON; kubectl's reader does not know it.)
fn named_escape(name: u8) -> Option<char> {
    Some(match name {
        b'0' => '\0',
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\u{b}',
        b'f' => '\u{c}',
        b'r' => '\r',
        b'e' => '\u{1b}',
        b' ' => ' ',
        b'"' => '"',
        b'\'' => '\'',
        b'\\' => '\\',
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
