//! A YAML document as a tree: a node, the place where it stands, and the limits of a tree.

use crate::text::diagnostic::Span;

/// How much a text may hold before it is given up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How large it may be.
    pub bytes: usize,
    /// How many values it may hold, and no more than it has bytes, and some for those that aliases copy.
    pub nodes: usize,
    /// How deep they may be nested; what is deeper would only exhaust the stack.
    pub depth: usize,
}

/// How many values aliases may copy, however short the text is.
const COPIES: usize = 100_000;

impl Limits {
    /// For a policy: what a `ConfigMap` can hold, and more than a person writes.
    pub const POLICY: Self = Self {
        bytes: 1024 * 1024,
        nodes: 300_000,
        depth: 64,
    };
    /// For manifests: more than the API server would take in an hour.
    pub(super) const MANIFESTS: Self = Self {
        bytes: 256 * 1024 * 1024,
        nodes: 20_000_000,
        // serde_json, which reads the objects afterwards, goes no deeper.
        depth: 128,
    };

    /// The limits for a text. Its length bounds the nodes, and aliases may copy some more, in all documents together.
    ///
    /// # Errors
    /// The text is too large.
    pub(super) fn of(self, text: &str) -> Result<Self, YamlError> {
        if text.len() <= self.bytes {
            return Ok(Self {
                nodes: self.nodes.min(text.len() + COPIES),
                ..self
            });
        }
        let begin = Span {
            line: 1,
            column: 1,
            ..Span::default()
        };
        let message = format!("larger than {} MiB", self.bytes / 1024 / 1024);
        Err(YamlError::at(begin, &message))
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands; of a mapping or sequence, where it begins.
    pub span: Span,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Value {
    /// Any text, number, boolean or null.
    Scalar {
        /// The text after unescaping.
        text: String,
        /// Whether it was written as it is, without quotes: only then it can be a number, a boolean or null.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order in which they are written; a key may be there twice.
    Mapping(Vec<(Node, Node)>),
}

/// What the YAML core schema (YAML 1.2.2, 10.3.2) makes of a plain scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// A text.
    Text,
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer or a float.
    Number,
}

/// Why a text is no YAML document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Where.
    pub span: Span,
    /// What.
    pub message: String,
}

impl Node {
    /// The value of a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        let is_wanted = |(known, _): &&(Node, Node)| known.text() == Some(key);
        self.entries()
            .iter()
            .find(is_wanted)
            .map(|(_, value)| value)
    }

    /// The text of a scalar that is not null.
    #[must_use]
    pub fn some_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain: true } if plain(text) == Plain::Null => None,
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => self.text(),
        }
    }

    /// The text of a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// The entries of a sequence; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Scalar { .. } | Value::Mapping(_) => &[],
        }
    }

    /// The entries of a mapping; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Scalar { .. } | Value::Sequence(_) => &[],
        }
    }

    /// What it is, in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Scalar { text, plain: true } => match plain(text) {
                Plain::Text => "a text",
                Plain::Null => "nothing",
                Plain::Bool(_) => "a boolean",
                Plain::Number => "a number",
            },
            Value::Scalar { .. } => "a text",
        }
    }
}

/// Resolves a plain scalar.
#[must_use]
pub fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        _ if is_number(text) => Plain::Number,
        _ => Plain::Text,
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits_of = |prefix| text.strip_prefix(prefix);
    if let Some(digits) = digits_of("0o") {
        return !digits.is_empty() && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    }
    if let Some(digits) = digits_of("0x") {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || matches!(text, ".nan" | ".NaN" | ".NAN")
        || (unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && text.parse::<f64>().is_ok())
}

impl YamlError {
    pub(super) fn at(span: Span, message: &str) -> Self {
        Self {
            span,
            message: message.to_owned(),
        }
    }
}
