//! From the events of the parser to trees, within limits.

use super::node::{COPIES, Limits, Node, Value, YamlError};
use crate::text::diagnostic::Span;
use granit_parser::{Event, Parser, ScalarStyle, ScanError, options};
use std::collections::HashMap;

/// About as much as a value takes without its text.
const BYTES_OF_A_VALUE: usize = 64;

/// Reads a text, and hands over each document and where it begins.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the events are those of the parser, and every other begins a node"
)]
pub(super) fn read(
    text: &str,
    limits: Limits,
    found: &mut dyn FnMut(Node, Span) -> Result<(), YamlError>,
) -> Result<(), YamlError> {
    let begin = Span {
        line: 1,
        column: 1,
        ..Span::default()
    };
    if text.len() > limits.bytes {
        let message = format!("larger than {} MiB", limits.bytes / 1024 / 1024);
        return Err(YamlError::at(begin, &message));
    }
    let mut builder = Builder {
        text,
        events: Parser::new_from_str_with_options(text, options! { emit_comments: false }),
        anchors: HashMap::new(),
        nodes: 0,
        limits: Limits {
            nodes: limits.nodes.min(text.len() + COPIES),
            ..limits
        },
    };
    while let Some((event, span)) = builder.next()? {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            // An anchor is known in its own document (YAML 1.2.2, 3.2.2.2).
            Event::DocumentStart(..) => builder.anchors.clear(),
            event => {
                let node = builder.node(event, span, 0)?;
                found(node, span)?;
            }
        }
    }
    Ok(())
}

struct Builder<'a> {
    text: &'a str,
    events: Parser<'a, granit_parser::StrInput<'a>>,
    /// Nodes with an anchor, and how deep they are.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    limits: Limits,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        loop {
            match self.events.next_event() {
                None => return Ok(None),
                Some(Err(error)) => return Err(scan_error(&error, self.text)),
                Some(Ok((Event::Anchor(..), _))) => {}
                Some(Ok((event, span))) => return Ok(Some((event, place(&span)))),
            }
        }
    }

    fn expect(&mut self, at: Span) -> Result<(Event<'a>, Span), YamlError> {
        self.next()?
            .ok_or_else(|| YamlError::at(at, "the document ends too early"))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the events are those of the parser, and no other is a value"
    )]
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        self.count(1, span)?;
        if depth > self.limits.depth {
            return Err(YamlError::at(span, "nested too deeply"));
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (
                    Node {
                        value: Value::Scalar {
                            text: text.into_owned(),
                            plain,
                        },
                        span,
                    },
                    anchor,
                )
            }
            Event::SequenceStart(_, anchor, _) => (self.sequence(span, depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.mapping(span, depth)?, anchor),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor);
                let (height, size) = known
                    .map(|(node, height)| (*height, size(node)))
                    .ok_or_else(|| YamlError::at(span, "an alias of something that contains it"))?;
                if depth + height > self.limits.depth {
                    return Err(YamlError::at(span, "nested too deeply"));
                }
                // Before it is copied: a few lines can ask for more than there is.
                self.count(size, span)?;
                let mut node = self.anchors[&anchor].0.clone();
                node.span = span;
                (node, 0)
            }
            _ => return Err(YamlError::at(span, "no value here")),
        };
        if anchor != 0 {
            self.count(size(&node), span)?;
            self.anchors.insert(anchor, (node.clone(), height(&node)));
        }
        Ok(node)
    }

    fn sequence(&mut self, span: Span, depth: usize) -> Result<Node, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.expect(span)? {
                (Event::SequenceEnd, _) => {
                    return Ok(Node {
                        value: Value::Sequence(items),
                        span,
                    });
                }
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, span: Span, depth: usize) -> Result<Node, YamlError> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        loop {
            let key = match self.expect(span)? {
                (Event::MappingEnd, _) => {
                    let span = entries.first().map_or(span, |(key, _)| key.span);
                    return Ok(Node {
                        value: Value::Mapping(entries),
                        span,
                    });
                }
                (event, at) => self.node(event, at, depth + 1)?,
            };
            let (event, at) = self.expect(span)?;
            let value = self.node(event, at, depth + 1)?;
            entries.push((key, value));
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            Err(YamlError::at(span, "the document is too large"))
        } else {
            Ok(())
        }
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

/// How many values a copy counts as: a long text counts as many, because a few bytes of aliases can ask for gigabytes.
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

fn scan_error(error: &ScanError, text: &str) -> YamlError {
    let mark = error.marker();
    let start = text.floor_char_boundary(mark.byte_offset().unwrap_or_default());
    let end = start + text[start..].chars().next().map_or(0, char::len_utf8);
    let span = Span {
        line: mark.line(),
        column: mark.col() + 1,
        start,
        end,
    };
    YamlError {
        span,
        message: format!("not YAML: {}", error.info()),
    }
}

fn place(span: &granit_parser::Span) -> Span {
    let start = span.start.byte_offset().unwrap_or_default();
    let end = span.end.byte_offset().unwrap_or_default().max(start);
    Span {
        line: span.start.line(),
        column: span.start.col() + 1,
        start,
        end,
    }
}
