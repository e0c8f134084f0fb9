//! The report for code hosts: SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use super::item::ReportItem;
use super::json::severity;
use super::{ExceptionUse, Report};
use crate::text::diagnostic::Span;
use crate::verdict::code::FindingCode;
use serde_json::{Value, json};
use std::fmt::Write as _;

impl Report {
    /// Returns the report as SARIF. Paths below `root` are relative to it, because code hosts identify files by such
    /// paths.
    #[must_use]
    pub fn sarif(&self, root: &str) -> Value {
        let rules = FindingCode::ALL
            .map(|code| json!({"id": code.name(), "shortDescription": {"text": code.summary()}}));
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
                "invocations": [self.invocation()],
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }

    /// Returns the run. Objects that were not judged become a notification of the tool, because they are not about a
    /// place in a file.
    fn invocation(&self) -> Value {
        let lines = [
            self.nothing_judged().map(ToOwned::to_owned),
            self.unjudged(),
        ];
        let notification = |text| json!({"level": "note", "message": {"text": text}});
        let notifications: Vec<_> = lines.into_iter().flatten().map(notification).collect();
        json!({"executionSuccessful": true, "toolExecutionNotifications": notifications})
    }

    fn result(&self, item: &ReportItem, root: &str) -> Value {
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
            FindingCode::Exception,
            "note",
            &text,
            &uri(&self.inputs[used.input].name, root),
            used.span,
        )
    }
}

fn result(code: FindingCode, level: &str, text: &str, uri: &str, span: Span) -> Value {
    json!({
        "ruleId": code.name(),
        "ruleIndex": code.index(),
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": span.line.max(1), "startColumn": span.column.max(1)},
        }}],
    })
}

/// Returns a path as a URI reference (RFC 3986).
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
