//! A YAML document as a tree in which every value knows its place.
//!
//! serde stops at the first fault and does not keep positions; `check` shows all faults of a policy at once.

mod builder;
mod collections;
mod cursor;
mod documents;
mod json;
mod merge;
mod node;
mod resolve;
mod scalars;
mod scanner;
mod tagged;
mod tags;
mod tokens;

use builder::Builder;
use cursor::Mark;

pub use node::{Limits, Node, Plain, Value, YamlError, plain};

/// Reads the one document of a policy; `None` if the text has only white space and comments.
///
/// # Errors
/// The first syntax error, a second document, an unknown alias, or a document that is too deep or too large.
pub fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    let limits = Limits::POLICY.of(text)?;
    let mut builder = Builder::new(text, Mark::default(), limits)?;
    let first = builder.document()?;
    if let Some(second) = builder.document()? {
        let message = "a second document; only one is read";
        return Err(YamlError::at(second.span, message));
    }
    Ok(first.filter(|node| !is_empty_document(node)))
}

/// Reads all documents of a text that are not empty, as kubectl cuts it into documents. An error concerns one document,
/// and the others are read nevertheless. `finish` is the last step of reading a document, and may refuse it.
#[must_use]
pub fn parse_all(
    text: &str,
    finish: &mut dyn FnMut(&mut Node) -> Result<(), YamlError>,
) -> Vec<Result<Node, YamlError>> {
    let mut documents = documents::read(text, Limits::MANIFESTS, finish);
    documents.retain(|document| !document.as_ref().is_ok_and(is_empty_document));
    documents
}

fn is_empty_document(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar { text, plain: true } if plain(text) == Plain::Null)
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
        // Each alias has the depth of the value that it stands for.
        let deep = |of: &str| "[".repeat(60) + of + &"]".repeat(60);
        let chain = (1..140).fold(format!("a0: &a0 {}\n", deep("x")), |text, i| {
            text + &format!("a{i}: &a{i} {}\n", deep(&format!("*a{}", i - 1)))
        });
        assert_eq!(parse(&chain).unwrap_err().message, "nested too deeply");
        // Each anchor keeps a copy of its value.
        let anchors: Vec<_> = (0..60).map(|i| format!("&a{i} [")).collect();
        let copies = anchors.concat() + &"x, ".repeat(20_000) + &"]".repeat(60);
        assert_eq!(
            parse(&copies).unwrap_err().message,
            "the document is too large"
        );
        assert!(parse(&" ".repeat(Limits::POLICY.bytes + 1)).is_err());
        // The limit holds for all documents together.
        let small = (1..5).fold("a0: &a0 [x]\n".to_owned(), |text, i| {
            text + &format!(
                "a{i}: &a{i} [{}]\n",
                vec![format!("*a{}", i - 1); 9].join(", ")
            )
        });
        let is_read = |documents: &[Result<Node, YamlError>]| documents.iter().all(Result::is_ok);
        let read = |text: &str| parse_all(text, &mut |_| Ok(()));
        assert!(is_read(&read(&small)), "{small}");
        assert!(!is_read(&read(&format!("{small}---\n").repeat(20))));
    }
}
