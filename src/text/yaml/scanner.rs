//! Splits a text into tokens, as the reader of kubectl does.
//!
//! kubectl reads YAML by `go.yaml.in/yaml/v2`, a port of libyaml to Go. No crate reads YAML in the same way: those for
//! YAML 1.2 refuse texts that it reads, and ports of libyaml to Rust follow a later libyaml, which has other escapes
//! and other rules in flow collections. So this module has the algorithm of libyaml as that package has it: its limits,
//! its lookahead, and its rules for tabs.
//!
//! A key without `?` (a "simple key") is known as a key only at its `:`. Until then its place in the queue of tokens is
//! remembered, for at most one line and 1,024 characters; so the queue stays short.

use super::cursor::{Cursor, Mark, syntax};
use super::node::YamlError;
use super::tokens::{Item, Token};
use std::collections::VecDeque;

/// The most characters between the beginning of a key and its `:`.
const SIMPLE_KEY: usize = 1024;

/// A place where a key may begin.
struct SimpleKey {
    is_possible: bool,
    /// Only a key can be there: in a block mapping, where its keys begin.
    is_required: bool,
    /// Whether kubectl has forgotten the key. Its scanner keeps a table of keys by the number of their token, and
    /// clears the entry of a bracket where it closes an empty list or mapping.
    is_forgotten: bool,
    /// The number of tokens before it.
    number: usize,
    /// Its place, or the place of the bracket if there is no key yet.
    mark: Mark,
}

impl SimpleKey {
    /// Makes an entry for a level on which no key was possible yet.
    fn none(number: usize, mark: Mark) -> Self {
        Self {
            is_possible: false,
            is_required: false,
            is_forgotten: false,
            number,
            mark,
        }
    }
}

/// Finds tokens.
pub(super) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
    queue: VecDeque<Item>,
    /// The number of tokens that have left the queue.
    taken: usize,
    /// The possible keys: one for each open flow collection, and one for the block around them.
    simple_keys: Vec<SimpleKey>,
    pub(super) is_key_allowed: bool,
    /// The column of the innermost block collection, from 0; -1 outside all of them.
    pub(super) indent: isize,
    indents: Vec<isize>,
}

impl<'a> Scanner<'a> {
    /// Reads a text from a position on.
    pub(super) fn new(text: &'a str, begin: Mark) -> Self {
        Self {
            cursor: Cursor::new(text, begin),
            queue: VecDeque::new(),
            taken: 0,
            simple_keys: vec![SimpleKey::none(0, begin)],
            is_key_allowed: true,
            indent: -1,
            indents: Vec::new(),
        }
    }

    /// Returns the next token, and keeps it in the queue.
    pub(super) fn peek(&mut self) -> Result<&Item, YamlError> {
        while self.needs_more()? {
            self.fetch()?;
        }
        Ok(&self.queue[0])
    }

    /// Returns the next token, and removes it from the queue.
    pub(super) fn next(&mut self) -> Result<Item, YamlError> {
        self.peek()?;
        self.taken += 1;
        let first = self.queue.pop_front();
        first.ok_or_else(|| self.cursor.error("the document ends too early"))
    }

    /// Returns whether the first token of the queue may turn out to be a key.
    fn needs_more(&mut self) -> Result<bool, YamlError> {
        if self.queue.is_empty() {
            return Ok(true);
        }
        // The numbers ascend, from the block to the innermost flow collection.
        match self
            .simple_keys
            .binary_search_by_key(&self.taken, |key| key.number)
        {
            Ok(at) => Ok(!self.simple_keys[at].is_forgotten && self.is_valid(at)?),
            Err(_) => Ok(false),
        }
    }

    fn is_valid(&mut self, at: usize) -> Result<bool, YamlError> {
        let mark = self.cursor.mark;
        let key = &mut self.simple_keys[at];
        if !key.is_possible {
            return Ok(false);
        }
        if key.mark.line == mark.line && key.mark.index + SIMPLE_KEY >= mark.index {
            return Ok(true);
        }
        if key.is_required {
            return Err(no_colon(key.mark));
        }
        key.is_possible = false;
        Ok(false)
    }

    fn save_simple_key(&mut self) -> Result<(), YamlError> {
        if !self.is_key_allowed {
            return Ok(());
        }
        self.remove_simple_key()?;
        let key = SimpleKey {
            is_possible: true,
            is_required: !self.is_in_flow() && self.indent == self.column(),
            is_forgotten: false,
            number: self.taken + self.queue.len(),
            mark: self.cursor.mark,
        };
        self.simple_keys.pop();
        self.simple_keys.push(key);
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Result<(), YamlError> {
        match self.simple_keys.last_mut() {
            Some(key) if key.is_possible && key.is_required => Err(no_colon(key.mark)),
            Some(key) => {
                key.is_possible = false;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn is_in_flow(&self) -> bool {
        self.simple_keys.len() > 1
    }

    fn column(&self) -> isize {
        self.cursor.mark.column.cast_signed()
    }

    /// Opens a block collection if the column is deeper than the current one.
    fn roll_indent(&mut self, mark: Mark, at: usize, token: Token) {
        let column = mark.column.cast_signed();
        if self.is_in_flow() || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        let item = Item {
            token,
            start: mark,
            end: mark,
        };
        let at = at.checked_sub(self.taken);
        self.queue.insert(at.unwrap_or(self.queue.len()), item);
    }

    /// Closes the block collections that are deeper than a column.
    fn unroll_indent(&mut self, column: isize) {
        while !self.is_in_flow() && self.indent > column {
            self.push(Token::BlockEnd, self.cursor.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn push(&mut self, token: Token, start: Mark) {
        self.queue.push_back(Item {
            token,
            start,
            end: self.cursor.mark,
        });
    }

    /// Adds a token of this many characters.
    fn indicator(&mut self, token: Token, length: usize) {
        let start = self.cursor.mark;
        self.cursor.skip_ascii(length);
        self.push(token, start);
    }

    /// Reads on, and adds at least one token to the queue.
    fn fetch(&mut self) -> Result<(), YamlError> {
        self.skip_to_token();
        self.unroll_indent(self.column());
        let cursor = &self.cursor;
        let Some(first) = cursor.peek() else {
            return self.fetch_end();
        };
        if cursor.mark.column == 0 && first == '%' {
            self.reset()?;
            let start = self.cursor.mark;
            let token = self.directive()?;
            self.push(token, start);
            return Ok(());
        }
        if cursor.is_document_indicator() {
            self.reset()?;
            let is_start = first == '-';
            let token = if is_start {
                Token::DocumentStart
            } else {
                Token::DocumentEnd
            };
            self.indicator(token, 3);
            return Ok(());
        }
        let is_spaced = cursor.is_space_or_end(first.len_utf8());
        let (in_flow, is_followed) = (self.is_in_flow(), self.is_in_flow() || is_spaced);
        match first {
            '[' => self.open_flow(Token::FlowSequenceStart),
            '{' => self.open_flow(Token::FlowMappingStart),
            ']' => self.close_flow(Token::FlowSequenceEnd),
            '}' => self.close_flow(Token::FlowMappingEnd),
            ',' => {
                self.remove_simple_key()?;
                self.is_key_allowed = true;
                self.indicator(Token::FlowEntry, 1);
                Ok(())
            }
            '-' if is_spaced => self.block_entry(),
            '?' if is_followed => self.explicit_key(),
            ':' if is_followed => self.value(),
            '*' | '&' | '!' | '\'' | '"' => self.word(first),
            '|' | '>' if !in_flow => {
                self.remove_simple_key()?;
                self.is_key_allowed = true;
                let scalar = self.block_scalar(first == '|')?;
                self.queue.push_back(scalar);
                Ok(())
            }
            '?' | ':' if !in_flow => self.plain(),
            '?' | ':' | '#' | '|' | '>' | '%' | '@' | '`' | '\t' => {
                Err(cursor.error(&format!("{first:?} cannot begin a value")))
            }
            _ => self.plain(),
        }
    }

    /// Forgets block collections and keys at the end of a document.
    fn reset(&mut self) -> Result<(), YamlError> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.is_key_allowed = false;
        Ok(())
    }

    fn fetch_end(&mut self) -> Result<(), YamlError> {
        self.reset()?;
        self.push(Token::StreamEnd, self.cursor.mark);
        Ok(())
    }

    /// Skips to the next token. A tab counts as white space where no key can begin.
    fn skip_to_token(&mut self) {
        loop {
            while self.cursor.byte(0) == Some(b' ')
                || (self.cursor.byte(0) == Some(b'\t')
                    && (self.is_in_flow() || !self.is_key_allowed))
            {
                self.cursor.skip_ascii(1);
            }
            self.cursor.skip_comment();
            if self.cursor.take_break().is_none() {
                return;
            }
            if !self.is_in_flow() {
                self.is_key_allowed = true;
            }
        }
    }

    fn open_flow(&mut self, token: Token) -> Result<(), YamlError> {
        self.save_simple_key()?;
        // Behind the bracket, which may itself begin a key.
        let number = self.taken + self.queue.len() + 1;
        self.simple_keys
            .push(SimpleKey::none(number, self.cursor.mark));
        self.is_key_allowed = true;
        self.indicator(token, 1);
        Ok(())
    }

    fn close_flow(&mut self, token: Token) -> Result<(), YamlError> {
        self.remove_simple_key()?;
        if self.is_in_flow() {
            let closed = self.simple_keys.pop().map(|closed| closed.mark.index);
            if let Some(outer) = self.simple_keys.last_mut() {
                outer.is_forgotten |= closed == Some(outer.mark.index);
            }
        }
        self.is_key_allowed = false;
        self.indicator(token, 1);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), YamlError> {
        if !self.is_in_flow() {
            if !self.is_key_allowed {
                return Err(self.cursor.error("a list entry is not allowed here"));
            }
            let at = self.taken + self.queue.len();
            self.roll_indent(self.cursor.mark, at, Token::BlockSequenceStart);
        }
        self.remove_simple_key()?;
        self.is_key_allowed = true;
        self.indicator(Token::BlockEntry, 1);
        Ok(())
    }

    fn explicit_key(&mut self) -> Result<(), YamlError> {
        self.begin_block_mapping("a mapping key is not allowed here")?;
        self.remove_simple_key()?;
        self.is_key_allowed = !self.is_in_flow();
        self.indicator(Token::Key, 1);
        Ok(())
    }

    fn begin_block_mapping(&mut self, refusal: &str) -> Result<(), YamlError> {
        if !self.is_in_flow() {
            if !self.is_key_allowed {
                return Err(self.cursor.error(refusal));
            }
            let at = self.taken + self.queue.len();
            self.roll_indent(self.cursor.mark, at, Token::BlockMappingStart);
        }
        Ok(())
    }

    fn value(&mut self) -> Result<(), YamlError> {
        let innermost = self.simple_keys.len() - 1;
        if self.is_valid(innermost)? {
            let SimpleKey { number, mark, .. } = self.simple_keys[innermost];
            let key = Item {
                token: Token::Key,
                start: mark,
                end: mark,
            };
            let at = number.checked_sub(self.taken);
            self.queue.insert(at.unwrap_or(self.queue.len()), key);
            self.roll_indent(mark, number, Token::BlockMappingStart);
            self.simple_keys[innermost].is_possible = false;
            self.is_key_allowed = false;
        } else {
            self.begin_block_mapping("a mapping value is not allowed here")?;
            self.is_key_allowed = !self.is_in_flow();
        }
        self.indicator(Token::Value, 1);
        Ok(())
    }

    /// Reads an alias, anchor, tag or quoted scalar: each may begin a key, and no key may begin after it.
    fn word(&mut self, first: char) -> Result<(), YamlError> {
        self.save_simple_key()?;
        self.is_key_allowed = false;
        let start = self.cursor.mark;
        let token = match first {
            '*' => Token::Alias(self.anchor("an alias")?),
            '&' => Token::Anchor(self.anchor("an anchor")?),
            '!' => self.tag()?,
            quote => Token::Scalar {
                text: self.quoted(quote)?,
                is_plain: false,
            },
        };
        self.push(token, start);
        Ok(())
    }

    fn plain(&mut self) -> Result<(), YamlError> {
        self.save_simple_key()?;
        self.is_key_allowed = false;
        let scalar = self.plain_scalar()?;
        self.queue.push_back(scalar);
        Ok(())
    }
}

fn no_colon(mark: Mark) -> YamlError {
    syntax(mark.to(mark), "a key without `:`")
}
