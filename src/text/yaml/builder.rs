//! Builds trees from tokens, within limits.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule names the tokens that it accepts, and every other is an error"
)]

use super::cursor::{Cursor, Mark, syntax};
use super::node::{Limits, Node, Value, YamlError};
use super::scanner::Scanner;
use super::tagged::tagged;
use super::tokens::Token;
use crate::text::diagnostic::Span;
use std::collections::HashMap;

/// The approximate memory of a value without its text, in bytes.
const BYTES_OF_A_VALUE: usize = 64;

/// The message about a second document without `---` before it.
pub(super) const SKIPPED: &str = "the document ends before this, and kubectl skips the rest";

/// The most %TAG directives of a document.
const MAX_TAG_DIRECTIVES: usize = 64;

/// Builds the documents of a text.
pub(super) struct Builder<'a> {
    pub(super) scanner: Scanner<'a>,
    anchors: HashMap<String, Anchored>,
    /// Handles of tags and their prefixes.
    tags: Vec<(String, String)>,
    nodes: usize,
    limits: Limits,
    is_first: bool,
}

/// The value that an alias stands for.
enum Anchored {
    /// A value that is not complete yet, because the alias is part of it.
    Open,
    Complete {
        node: Node,
        height: usize,
        size: usize,
    },
}

impl<'a> Builder<'a> {
    /// Reads a text from a position on.
    ///
    /// # Errors
    /// The text holds a character that YAML does not allow.
    pub(super) fn new(text: &'a str, mut begin: Mark, limits: Limits) -> Result<Self, YamlError> {
        check_characters(text, begin)?;
        if text[begin.offset..].starts_with('\u{feff}') {
            begin.offset += '\u{feff}'.len_utf8();
        }
        Ok(Self {
            scanner: Scanner::new(text, begin),
            anchors: HashMap::new(),
            tags: Vec::new(),
            nodes: 0,
            limits,
            is_first: true,
        })
    }

    /// Returns the number of nodes built so far, including copies by aliases.
    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Returns the next document.
    pub(super) fn document(&mut self) -> Result<Option<Node>, YamlError> {
        let is_first = std::mem::take(&mut self.is_first);
        while !is_first && self.scanner.peek()?.token == Token::DocumentEnd {
            self.scanner.next()?;
        }
        let token = self.scanner.peek()?.token.clone();
        if token == Token::StreamEnd {
            return Ok(None);
        }
        let is_explicit = matches!(
            token,
            Token::Version(..) | Token::TagDirective(..) | Token::DocumentStart
        );
        self.anchors.clear();
        let node = if is_first && !is_explicit {
            self.directives()?;
            self.node(true, false, 0)?
        } else {
            self.directives()?;
            let item = self.scanner.next()?;
            if item.token != Token::DocumentStart {
                let message = if is_explicit {
                    "expected `---` after a directive"
                } else {
                    SKIPPED
                };
                return Err(syntax(item.span(), message));
            }
            let next = self.scanner.peek()?;
            match next.token {
                Token::Version(..)
                | Token::TagDirective(..)
                | Token::DocumentStart
                | Token::DocumentEnd
                | Token::StreamEnd => empty(next.start.to(next.start)),
                _ => self.node(true, false, 0)?,
            }
        };
        if self.scanner.peek()?.token == Token::DocumentEnd {
            self.scanner.next()?;
        }
        Ok(Some(node))
    }

    fn directives(&mut self) -> Result<(), YamlError> {
        self.tags.clear();
        let mut has_version = false;
        loop {
            let item = self.scanner.peek()?.clone();
            let span = item.span();
            let refuse = |message| Err(syntax(span, message));
            match item.token {
                Token::Version(1, 1 | 2) if !has_version => has_version = true,
                Token::Version(..) if has_version => return refuse("a second %YAML directive"),
                Token::Version(..) => return refuse("a version of YAML other than 1.1 and 1.2"),
                Token::TagDirective(handle, prefix) => {
                    if self.tags.iter().any(|(known, _)| *known == handle) {
                        return refuse("a second %TAG directive of that handle");
                    }
                    // Each tag of the document is looked up among them.
                    if self.tags.len() == MAX_TAG_DIRECTIVES {
                        return refuse("more than 64 %TAG directives");
                    }
                    self.tags.push((handle, prefix));
                }
                _ => break,
            }
            self.scanner.next()?;
        }
        // The first prefix of a handle counts.
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            self.tags.push((handle.to_owned(), prefix.to_owned()));
        }
        Ok(())
    }

    /// Builds a value. In a block it may be a block collection, and the value of a mapping may be a list that is not
    /// indented.
    pub(super) fn node(
        &mut self,
        block: bool,
        indentless: bool,
        depth: usize,
    ) -> Result<Node, YamlError> {
        let first = self.scanner.peek()?;
        let begin = first.span();
        let is_alias = matches!(first.token, Token::Alias(_));
        self.count(1, begin)?;
        if depth > self.limits.depth {
            return Err(YamlError::at(begin, "nested too deeply"));
        }
        if is_alias {
            return self.alias(depth);
        }
        let (anchor, tag) = self.properties()?;
        if let Some(anchor) = &anchor {
            self.anchors.insert(anchor.clone(), Anchored::Open);
        }
        let node = self.content(block, indentless, depth, tag.as_deref(), anchor.is_some())?;
        if let Some(anchor) = anchor {
            let size = size(&node);
            self.count(size, begin)?;
            let anchored = Anchored::Complete {
                height: height(&node),
                size,
                node: node.clone(),
            };
            // If a value in it has the same anchor, that later one counts.
            if let Some(known @ Anchored::Open) = self.anchors.get_mut(&anchor) {
                *known = anchored;
            }
        }
        Ok(node)
    }

    fn alias(&mut self, depth: usize) -> Result<Node, YamlError> {
        let item = self.scanner.next()?;
        let span = item.span();
        let Token::Alias(name) = item.token else {
            return Err(syntax(span, "expected an alias"));
        };
        let (height, size) = match self.anchors.get(&name) {
            None => {
                return Err(syntax(
                    span,
                    &format!("an alias without its anchor &{name}"),
                ));
            }
            Some(Anchored::Open) => {
                return Err(syntax(span, "an alias of a value that contains it"));
            }
            Some(Anchored::Complete { height, size, .. }) => (*height, *size),
        };
        if depth + height > self.limits.depth {
            return Err(YamlError::at(span, "nested too deeply"));
        }
        // The copy is counted before it is made: a few lines can ask for more memory than there is.
        self.count(size, span)?;
        match self.anchors.get(&name) {
            Some(Anchored::Complete { node, .. }) => Ok(Node {
                value: node.value.clone(),
                span,
            }),
            Some(Anchored::Open) | None => Ok(empty(span)),
        }
    }

    /// Reads an anchor and a tag, in any order.
    fn properties(&mut self) -> Result<(Option<String>, Option<String>), YamlError> {
        let (mut anchor, mut tag) = (None, None);
        loop {
            let item = self.scanner.peek()?;
            let span = item.span();
            match &item.token {
                Token::Anchor(name) if anchor.is_none() => anchor = Some(name.clone()),
                Token::Tag(handle, suffix) if tag.is_none() => {
                    let prefix = if handle.is_empty() {
                        Some("")
                    } else {
                        let known = self.tags.iter().find(|(known, _)| known == handle);
                        known.map(|(_, prefix)| &**prefix)
                    };
                    let prefix = prefix.ok_or_else(|| syntax(span, "an unknown tag handle"))?;
                    tag = Some(format!("{prefix}{suffix}"));
                }
                _ => return Ok((anchor, tag)),
            }
            self.scanner.next()?;
        }
    }

    fn content(
        &mut self,
        block: bool,
        indentless: bool,
        depth: usize,
        tag: Option<&str>,
        has_anchor: bool,
    ) -> Result<Node, YamlError> {
        let item = self.scanner.peek()?;
        let span = item.span();
        match item.token {
            Token::BlockEntry if indentless => self.indentless_list(span, depth),
            Token::FlowSequenceStart => self.flow_list(depth),
            Token::FlowMappingStart => self.flow_mapping(depth),
            Token::BlockSequenceStart if block => self.block_list(depth),
            Token::BlockMappingStart if block => self.block_mapping(depth),
            Token::Scalar { .. } => {
                let Token::Scalar { text, is_plain } = self.scanner.next()?.token else {
                    return Ok(empty(span));
                };
                tagged(text, is_plain, tag, span)
            }
            _ if tag.is_some() => tagged(String::new(), true, tag, span),
            _ if has_anchor => Ok(empty(span)),
            _ => Err(syntax(span, "expected a value here")),
        }
    }

    pub(super) fn expect(&mut self, token: &Token, message: &str) -> Result<(), YamlError> {
        let item = self.scanner.next()?;
        if item.token == *token {
            Ok(())
        } else {
            Err(syntax(item.span(), message))
        }
    }

    pub(super) fn empty_here(&mut self, at: Span) -> Result<Node, YamlError> {
        self.count(1, at)?;
        Ok(empty(at))
    }

    pub(super) fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            Err(YamlError::at(span, "the document is too large"))
        } else {
            Ok(())
        }
    }
}

/// Refuses control characters.
fn check_characters(text: &str, begin: Mark) -> Result<(), YamlError> {
    let is_refused = |c: char| match c {
        '\t' | '\n' | '\r' | '\u{85}' | ' '..='~' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        c => c < '\u{a0}',
    };
    if !text[begin.offset..].contains(is_refused) {
        return Ok(());
    }
    let mut cursor = Cursor::new(text, begin);
    while cursor.peek().is_some_and(|c| !is_refused(c)) {
        if cursor.take_break().is_none() {
            cursor.skip();
        }
    }
    Err(cursor.error("a control character"))
}

fn empty(span: Span) -> Node {
    Node {
        value: Value::Scalar {
            text: String::new(),
            plain: true,
        },
        span,
    }
}

fn height(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::Sequence(items) => items.iter().map(height).max().unwrap_or_default(),
        Value::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| height(key).max(height(value)))
            .max()
            .unwrap_or_default(),
    }
}

/// Returns the number of values that a copy counts as. A long text counts as many, because a few bytes of aliases can
/// ask for gigabytes.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { text, .. } => text.len() / BYTES_OF_A_VALUE,
        Value::Sequence(items) => items.iter().map(size).sum(),
        Value::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| size(key) + size(value))
            .sum(),
    }
}
