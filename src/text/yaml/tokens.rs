//! The tokens of YAML.

use super::cursor::Mark;
use crate::text::diagnostic::Span;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    StreamEnd,
    /// `%YAML 1.1`.
    Version(u8, u8),
    /// The handle and the prefix of `%TAG`.
    TagDirective(String, String),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    /// The handle and the suffix of a tag.
    Tag(String, String),
    Scalar {
        text: String,
        is_plain: bool,
    },
}

/// A token and its place.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) token: Token,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

impl Item {
    pub(super) fn span(&self) -> Span {
        self.start.to(self.end)
    }
}
