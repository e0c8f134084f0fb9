//! Scalars with a tag.

use super::cursor::syntax;
use super::node::{Node, Value, YamlError};
use super::resolve::{Resolved, resolve};
use crate::text::base64;
use crate::text::diagnostic::Span;

/// Reads a scalar with a tag. The tag decides whether it is a text, even if it looks like a number; so do tags that
/// kubectl does not know.
pub(super) fn tagged(
    text: String,
    is_plain: bool,
    tag: Option<&str>,
    span: Span,
) -> Result<Node, YamlError> {
    let (text, plain) = match tag.map(|tag| tag.strip_prefix("tag:yaml.org,2002:")) {
        None => (text, is_plain),
        Some(Some("float")) if let Resolved::Int(int) = resolve(&text) => {
            let int = i64::try_from(int).map_err(|_| syntax(span, "too large for a !!float"))?;
            #[expect(clippy::cast_precision_loss, reason = "kubectl does so")]
            (format!("{:?}", int as f64), true)
        }
        Some(Some(name @ ("int" | "float" | "bool" | "null"))) => {
            let fits = match resolve(&text) {
                Resolved::Int(_) => name == "int",
                Resolved::Float(_) => name == "float",
                Resolved::Bool(_) => name == "bool",
                Resolved::Null => name == "null",
                Resolved::Text => false,
            };
            if !fits {
                return Err(syntax(span, &format!("{text:?} is not a !!{name}")));
            }
            (text, true)
        }
        Some(Some("binary")) => {
            let bytes = base64::decode(&text);
            let bytes = bytes.ok_or_else(|| syntax(span, "a !!binary that is not base64"))?;
            let mut text = String::new();
            for chunk in bytes.utf8_chunks() {
                text += chunk.valid();
                // One U+FFFD for each byte, as Go writes JSON.
                text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
            }
            (text, false)
        }
        Some(Some("merge")) => {
            let is_merge = text == "<<";
            (text, is_merge)
        }
        Some(_) => (text, false),
    };
    Ok(Node {
        value: Value::Scalar { text, plain },
        span,
    })
}
