//! A report for code hosts: SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use super::json::severity;
use super::{ExceptionUse, Item, Report};
use crate::text::diagnostic::Span;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Every code that a finding may have, and what it means.
const RULES: [(&str, &str); 11] = [
    (
        "policy",
        "The policy cannot be used, or does not say what was meant",
    ),
    ("banned-secret", "A reference to a Secret that a ban covers"),
    ("banned-name", "A docker-type Secret under a banned name"),
    ("uncovered-image", "An image that no registry rule covers"),
    ("invalid-image", "An image that is no image reference"),
    (
        "secret-not-mountable",
        "A secret that the ServiceAccount does not allow its pods",
    ),
    (
        "secret-missing",
        "An image whose secret the Pod cannot get any more",
    ),
    ("double-key", "A key that is there twice"),
    ("credential", "A registry credential in a file"),
    (
        "unreadable",
        "A file that is no YAML, or an object that the API server would not take",
    ),
    ("exception", "An exception in use"),
];

impl Report {
    /// The report as SARIF. Paths below `root` are told from there on: code hosts know the files by those.
    #[must_use]
    pub fn sarif(&self, root: &str) -> Value {
        let rules = RULES.map(|(id, text)| json!({"id": id, "shortDescription": {"text": text}}));
        let items = self.items.iter().map(|item| self.result(item, root));
        let exceptions = self.exceptions.iter().map(|used| self.note(used, root));
        let results: Vec<_> = items.chain(exceptions).collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "pullgate",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                }},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }

    fn result(&self, item: &Item, root: &str) -> Value {
        let diagnostic = &item.diagnostic;
        let text = match &diagnostic.help {
            Some(help) => format!("{}\n{help}", diagnostic.message),
            None => diagnostic.message.clone(),
        };
        let level = severity(diagnostic.severity);
        result(
            item.code,
            level,
            &text,
            &uri(&self.inputs[item.input].name, root),
            diagnostic.span,
        )
    }

    fn note(&self, used: &ExceptionUse, root: &str) -> Value {
        let text = format!("{}: {}", used.object.shown, used.words());
        result(
            "exception",
            "note",
            &text,
            &uri(&self.inputs[used.input].name, root),
            used.span,
        )
    }
}

fn result(code: &str, level: &str, text: &str, uri: &str, span: Span) -> Value {
    json!({
        "ruleId": code,
        "ruleIndex": RULES.iter().position(|(id, _)| *id == code),
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": span.line.max(1), "startColumn": span.column.max(1)},
        }}],
    })
}

/// A path as a URI reference (RFC 3986).
fn uri(path: &str, root: &str) -> String {
    let below = path
        .strip_prefix(root)
        .and_then(|path| path.strip_prefix('/'));
    let mut uri = String::new();
    for byte in below.unwrap_or(path).trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
