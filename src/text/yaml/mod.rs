//! A YAML document as a tree in which everything knows its place.
//!
//! serde stops at the first fault and forgets where things stood; a policy is to be told all its faults at once.

mod builder;
mod merge;

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
        nodes: 200_000,
        depth: 64,
    };
    /// For manifests: more than the API server would take in an hour.
    const MANIFESTS: Self = Self {
        bytes: 256 * 1024 * 1024,
        nodes: 20_000_000,
        depth: 256,
    };
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
            _ => self.text(),
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

    /// Reads mappings as kubectl does: of a key that is there twice the last one counts, and a merge key
    /// (`<<`, <https://yaml.org/type/merge.html>) counts where it stands. Says where keys were there twice.
    pub fn resolve(&mut self, doubles: &mut Vec<Span>) {
        match &mut self.value {
            Value::Scalar { .. } => {}
            Value::Sequence(items) => items.iter_mut().for_each(|item| item.resolve(doubles)),
            Value::Mapping(entries) => {
                for (_, value) in entries.iter_mut() {
                    value.resolve(doubles);
                }
                *entries = merge::resolved(std::mem::take(entries), doubles);
            }
        }
    }

    fn shift(&mut self, begin: Span) {
        self.span = shifted(self.span, begin);
        match &mut self.value {
            Value::Scalar { .. } => {}
            Value::Sequence(items) => items.iter_mut().for_each(|item| item.shift(begin)),
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    key.shift(begin);
                    value.shift(begin);
                }
            }
        }
    }

    fn is_merge(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if text == "<<")
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

/// Reads the one document of a policy; `None` where there is nothing but white space and comments.
///
/// # Errors
/// The first place that is no YAML, a second document, an unknown alias, or a document too deep or too large.
pub fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    let mut first = None;
    builder::read(text, Limits::POLICY, &mut |node, span| {
        if first.is_some() {
            return Err(YamlError::at(span, "a second document; only one is read"));
        }
        first = Some(node);
        Ok(())
    })?;
    Ok(first.filter(|node| !is_empty_document(node)))
}

/// Reads all documents of a text that are not empty, up to the first fault. JSON values may follow each other.
#[must_use]
pub fn parse_all(text: &str) -> (Vec<Node>, Option<YamlError>) {
    let (mut documents, error) = parse_documents(text);
    let is_too_large = text.len() > Limits::MANIFESTS.bytes;
    if error.is_none() || is_too_large || !text.trim_start().starts_with('{') {
        return (documents, error);
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let mut begin = Span {
        line: 1,
        column: 1,
        start: 0,
        end: 0,
    };
    let mut ends = Vec::new();
    while let Some(value) = values.next() {
        if value.is_err() {
            return (documents, error);
        }
        ends.push(values.byte_offset());
    }
    documents.clear();
    for end in ends {
        let part = &text[begin.start..end];
        let (mut parsed, error) = parse_documents(part);
        for node in &mut parsed {
            node.shift(begin);
        }
        documents.extend(parsed);
        if let Some(mut error) = error {
            error.span = shifted(error.span, begin);
            return (documents, Some(error));
        }
        begin.line += part.matches('\n').count();
        let last = part.rsplit('\n').next().unwrap_or_default().chars().count();
        begin.column = if part.contains('\n') { 1 } else { begin.column } + last;
        begin.start = end;
    }
    (documents, None)
}

/// From a place in a part of a text to the place in the text; the part begins here.
fn shifted(span: Span, begin: Span) -> Span {
    let column = if span.line == 1 { begin.column - 1 } else { 0 };
    Span {
        line: span.line + begin.line - 1,
        column: span.column + column,
        start: span.start + begin.start,
        end: span.end + begin.start,
    }
}

fn parse_documents(text: &str) -> (Vec<Node>, Option<YamlError>) {
    let mut documents = Vec::new();
    let result = builder::read(text, Limits::MANIFESTS, &mut |node, _| {
        documents.push(node);
        Ok(())
    });
    documents.retain(|node| !is_empty_document(node));
    (documents, result.err())
}

fn is_empty_document(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar { text, plain: true } if plain(text) == Plain::Null)
}

impl YamlError {
    fn at(span: Span, message: &str) -> Self {
        Self {
            span,
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_text() {
        let text = "a: 1\nbé: [x, \"y\"]\n";
        let Value::Mapping(entries) = parse(text).unwrap().unwrap().value else {
            panic!("no mapping")
        };
        let Value::Sequence(items) = &entries[1].1.value else {
            panic!("no list")
        };
        let spans: Vec<_> = items
            .iter()
            .map(|item| (item.span.line, item.span.column))
            .collect();
        assert_eq!(spans, [(2, 6), (2, 9)]);
        let span = items[1].span;
        assert_eq!(&text[span.start..span.end], "\"y\"");
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("", Plain::Null),
            ("true", Plain::Bool(true)),
            ("yes", Plain::Text),
            ("5", Plain::Number),
            ("-1.5e3", Plain::Number),
            ("0x1F", Plain::Number),
            ("2027-01-31", Plain::Text),
            ("1.2.3", Plain::Text),
            ("nan", Plain::Text),
            ("infinity", Plain::Text),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_document_is_told_with_its_place() {
        for (text, line, message) in [
            ("a: [1\n", 1, "not YAML"),
            ("a: 1\n---\nb: 2\n", 3, "second document"),
            ("a: *b\n", 1, ""),
            ("a: &x [*x]\n", 1, ""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(message), "{text}: {error:?}");
            assert_eq!(error.span.line, line, "{text}: {error:?}");
        }
    }

    #[test]
    fn empty_texts_have_no_document() {
        for text in ["", "\n", "# nothing\n", "---\n"] {
            assert!(parse(text).unwrap().is_none(), "{text:?}");
        }
    }

    #[test]
    fn depth_and_size_have_limits() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        let bomb = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, i| {
            text + &format!(
                "a{i}: &a{i} [{}]\n",
                vec![format!("*a{}", i - 1); 9].join(", ")
            )
        });
        assert_eq!(
            parse(&bomb).unwrap_err().message,
            "the document is too large"
        );
        // Each alias brings the depth of what it stands for.
        let deep = |of: &str| "[".repeat(60) + of + &"]".repeat(60);
        let chain = (1..140).fold(format!("a0: &a0 {}\n", deep("x")), |text, i| {
            text + &format!("a{i}: &a{i} {}\n", deep(&format!("*a{}", i - 1)))
        });
        assert_eq!(parse(&chain).unwrap_err().message, "nested too deeply");
        // Each anchor keeps a copy of what is in it.
        let anchors: Vec<_> = (0..60).map(|i| format!("&a{i} [")).collect();
        let copies = anchors.concat() + &"x, ".repeat(20_000) + &"]".repeat(60);
        assert_eq!(
            parse(&copies).unwrap_err().message,
            "the document is too large"
        );
        assert!(parse(&" ".repeat(Limits::POLICY.bytes + 1)).is_err());
    }
}
