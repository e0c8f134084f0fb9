//! A YAML document as a tree: a node, the place where it stands, and the limits of a tree.

use crate::text::diagnostic::Span;

/// The limits of a text. A larger text is refused.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes of the text.
    pub bytes: usize,
    /// The most values of the text. It has no more values than bytes, apart from the values that aliases copy.
    pub nodes: usize,
    /// The deepest nesting of values; a deeper text would only exhaust the stack.
    pub depth: usize,
}

/// The most values that aliases may copy, even in a short text.
const COPIES: usize = 100_000;

impl Limits {
    /// The limits of a policy: as much as a `ConfigMap` can hold, and more than a person writes.
    pub const POLICY: Self = Self {
        bytes: 1024 * 1024,
        nodes: 300_000,
        depth: 64,
    };
    /// The limits of manifests: more than the API server would take in an hour.
    pub(super) const MANIFESTS: Self = Self {
        bytes: 256 * 1024 * 1024,
        nodes: 20_000_000,
        // serde_json, which reads the objects afterwards, goes no deeper.
        depth: 128,
    };

    /// Returns the limits for a text. Its length bounds the nodes, and aliases may copy some more, in all documents
    /// together.
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
    /// The place of the value, or the beginning of a mapping or sequence.
    pub span: Span,
}

/// The value of a node.
#[derive(Debug, Clone)]
pub enum Value {
    /// Any text, number, boolean or null.
    Scalar {
        /// The text after unescaping.
        text: String,
        /// Whether it was written without quotes: only then it can be a number, a boolean or null.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the text; a key may appear twice.
    Mapping(Vec<(Node, Node)>),
}

/// The type that the YAML core schema (YAML 1.2.2, 10.3.2) gives to a plain scalar.
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

/// The reason why a text is not a YAML document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// The place of the error.
    pub span: Span,
    /// The error in words.
    pub message: String,
}

impl Node {
    /// Returns the value of a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        let is_wanted = |(known, _): &&(Node, Node)| known.text() == Some(key);
        self.entries()
            .iter()
            .find(is_wanted)
            .map(|(_, value)| value)
    }

    /// Returns the text of a scalar that is not null.
    #[must_use]
    pub fn some_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain: true } if plain(text) == Plain::Null => None,
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => self.text(),
        }
    }

    /// Returns the text of a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// Returns the entries of a sequence; for other values, an empty slice.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Scalar { .. } | Value::Mapping(_) => &[],
        }
    }

    /// Returns the entries of a mapping; for other values, an empty slice.
    #[must_use]
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Scalar { .. } | Value::Sequence(_) => &[],
        }
    }

    /// Returns the kind of the value, in words.
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
