//! Lists and mappings, in blocks and in brackets.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule names the tokens that it accepts, and every other is an error"
)]

use super::builder::Builder;
use super::cursor::syntax;
use super::node::{Node, Value, YamlError};
use super::tokens::Token;
use crate::text::diagnostic::Span;

impl Builder<'_> {
    pub(super) fn block_list(&mut self, depth: usize) -> Result<Node, YamlError> {
        let start = self.scanner.next()?;
        let span = start.span();
        let mut items = Vec::new();
        loop {
            let item = self.scanner.next()?;
            match item.token {
                Token::BlockEntry => {}
                Token::BlockEnd => return Ok(list(items, span)),
                _ => {
                    let at = item.span();
                    return Err(syntax(at, "expected `-` or the end of the list"));
                }
            }
            items.push(match self.scanner.peek()?.token {
                Token::BlockEntry | Token::BlockEnd => self.empty_here(item.span())?,
                _ => self.node(true, false, depth + 1)?,
            });
        }
    }

    /// Reads a list in the column of the key that it belongs to.
    pub(super) fn indentless_list(&mut self, span: Span, depth: usize) -> Result<Node, YamlError> {
        let mut items = Vec::new();
        while self.scanner.peek()?.token == Token::BlockEntry {
            let item = self.scanner.next()?;
            items.push(match self.scanner.peek()?.token {
                Token::BlockEntry | Token::Key | Token::Value | Token::BlockEnd => {
                    self.empty_here(item.span())?
                }
                _ => self.node(true, false, depth + 1)?,
            });
        }
        Ok(list(items, span))
    }

    pub(super) fn block_mapping(&mut self, depth: usize) -> Result<Node, YamlError> {
        let start = self.scanner.next()?;
        let mut entries = Vec::new();
        loop {
            let item = self.scanner.next()?;
            match item.token {
                Token::Key => {}
                Token::BlockEnd => return Ok(mapping(entries, start.span())),
                _ => {
                    let at = item.span();
                    return Err(syntax(at, "expected a key or the end of the mapping"));
                }
            }
            let key = self.entry_part(item.span(), depth)?;
            let next = self.scanner.peek()?;
            let (token, at) = (next.token.clone(), next.start.to(next.start));
            let value = if token == Token::Value {
                let item = self.scanner.next()?;
                self.entry_part(item.span(), depth)?
            } else {
                self.empty_here(at)?
            };
            entries.push((key, value));
        }
    }

    /// Reads a key or a value of a block mapping; `at` is its place if it is empty.
    fn entry_part(&mut self, at: Span, depth: usize) -> Result<Node, YamlError> {
        match self.scanner.peek()?.token {
            Token::Key | Token::Value | Token::BlockEnd => self.empty_here(at),
            _ => self.node(true, true, depth + 1),
        }
    }

    pub(super) fn flow_list(&mut self, depth: usize) -> Result<Node, YamlError> {
        let start = self.scanner.next()?;
        let span = start.span();
        let mut items = Vec::new();
        loop {
            self.expect_more(span)?;
            if self.scanner.peek()?.token != Token::FlowSequenceEnd && !items.is_empty() {
                self.expect(&Token::FlowEntry, "expected `,` or `]`")?;
            }
            match self.scanner.peek()?.token {
                Token::FlowSequenceEnd => {
                    self.scanner.next()?;
                    return Ok(list(items, span));
                }
                Token::Key => items.push(self.pair(depth + 1)?),
                _ => items.push(self.node(false, false, depth + 1)?),
            }
        }
    }

    /// Refuses the end of the document inside brackets.
    fn expect_more(&mut self, bracket: Span) -> Result<(), YamlError> {
        match self.scanner.peek()?.token {
            Token::StreamEnd | Token::DocumentStart | Token::DocumentEnd => {
                Err(syntax(bracket, "this bracket is not closed"))
            }
            _ => Ok(()),
        }
    }

    /// Reads a mapping of one entry without braces, in a flow list.
    fn pair(&mut self, depth: usize) -> Result<Node, YamlError> {
        let start = self.scanner.next()?;
        let span = start.span();
        self.count(1, span)?;
        let next = self.scanner.peek()?;
        let key = match next.token {
            // As in libyaml, which skips one token here, and so refuses the tokens that follow.
            Token::Value | Token::FlowEntry | Token::FlowSequenceEnd => {
                let at = self.scanner.next()?.end;
                self.empty_here(at.to(at))?
            }
            _ => self.node(false, false, depth + 1)?,
        };
        let value = self.flow_value(&Token::FlowSequenceEnd, depth)?;
        Ok(mapping(vec![(key, value)], span))
    }

    /// Reads the value of an entry of a flow collection, if there is one.
    fn flow_value(&mut self, end: &Token, depth: usize) -> Result<Node, YamlError> {
        if self.scanner.peek()?.token == Token::Value {
            self.scanner.next()?;
            let next = &self.scanner.peek()?.token;
            if *next != Token::FlowEntry && next != end {
                return self.node(false, false, depth + 1);
            }
        }
        let at = self.scanner.peek()?.start;
        self.empty_here(at.to(at))
    }

    pub(super) fn flow_mapping(&mut self, depth: usize) -> Result<Node, YamlError> {
        let start = self.scanner.next()?;
        let mut entries = Vec::new();
        loop {
            self.expect_more(start.span())?;
            if self.scanner.peek()?.token != Token::FlowMappingEnd && !entries.is_empty() {
                self.expect(&Token::FlowEntry, "expected `,` or `}`")?;
            }
            match self.scanner.peek()?.token {
                Token::FlowMappingEnd => {
                    self.scanner.next()?;
                    return Ok(mapping(entries, start.span()));
                }
                Token::Key => {
                    self.scanner.next()?;
                    let next = self.scanner.peek()?;
                    let at = next.start.to(next.start);
                    let key = match next.token {
                        Token::Value | Token::FlowEntry | Token::FlowMappingEnd => {
                            self.empty_here(at)?
                        }
                        _ => self.node(false, false, depth + 1)?,
                    };
                    let value = self.flow_value(&Token::FlowMappingEnd, depth)?;
                    entries.push((key, value));
                }
                _ => {
                    let key = self.node(false, false, depth + 1)?;
                    let at = self.scanner.peek()?.start;
                    let value = self.empty_here(at.to(at))?;
                    entries.push((key, value));
                }
            }
        }
    }
}

fn list(items: Vec<Node>, span: Span) -> Node {
    Node {
        value: Value::Sequence(items),
        span,
    }
}

/// Makes a mapping, which begins at its first key.
fn mapping(entries: Vec<(Node, Node)>, begin: Span) -> Node {
    let span = entries.first().map_or(begin, |(key, _)| key.span);
    Node {
        value: Value::Mapping(entries),
        span,
    }
}
