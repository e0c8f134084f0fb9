//! The report for programs. `docs/commands.md` lists the keys; they do not change.

use super::item::{ReportItem, ReportedObject};
use super::unjudged::UnjudgedKind;
use super::{ExceptionUse, InjectionRow, Report};
use crate::text::diagnostic::Severity;
use serde_json::{Value, json};

impl Report {
    /// Returns the report as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let items = self.items.iter().map(|item| self.item(item));
        let injected = self
            .injections
            .iter()
            .map(|injection| self.injection(injection));
        let exceptions = self.exceptions.iter().map(|used| self.exception(used));
        json!({
            "findings": items.collect::<Vec<_>>(),
            "injected": injected.collect::<Vec<_>>(),
            "exceptions": exceptions.collect::<Vec<_>>(),
            "exempt": self.exempt.iter().map(|object| self.object(object)).collect::<Vec<_>>(),
            "notJudged": self.unjudged.iter().map(unjudged).collect::<Vec<_>>(),
            "judged": self.is_judged,
            "summary": {
                "files": self.inputs.len() - self.policies,
                "objects": self.objects,
                "notJudged": self.unjudged.objects(),
                "errors": self.count(Severity::Fault),
                "warnings": self.count(Severity::Warning),
                "notes": self.count(Severity::Note),
            },
        })
    }

    fn item(&self, item: &ReportItem) -> Value {
        let object = item.object.as_ref();
        json!({
            "file": self.inputs[item.input].name,
            "line": item.diagnostic.span.line,
            "column": item.diagnostic.span.column,
            "severity": severity(item.diagnostic.severity),
            "code": item.code.name(),
            "kind": object.map(|object| object.kind),
            "namespace": object.map(|object| &object.namespace),
            "name": object.map(|object| &object.name),
            "field": item.field,
            "ban": item.ban,
            "message": item.diagnostic.message,
            "help": item.diagnostic.help,
        })
    }

    fn exception(&self, used: &ExceptionUse) -> Value {
        json!({
            "file": self.inputs[used.input].name,
            "line": used.span.line,
            "column": used.span.column,
            "kind": used.object.kind,
            "namespace": used.object.namespace,
            "name": used.object.name,
            "ban": used.ban,
            "owner": used.owner,
            "reason": used.reason,
            "expires": used.expires.to_string(),
            "daysLeft": used.days_left,
        })
    }

    fn injection(&self, injection: &InjectionRow) -> Value {
        let mut value = self.object(&injection.object);
        value["rule"] = json!(injection.rule);
        value["secrets"] = json!(injection.secrets);
        value
    }

    fn object(&self, object: &ReportedObject) -> Value {
        json!({
            "file": self.inputs[object.input].name,
            "line": object.span.line,
            "column": object.span.column,
            "kind": object.kind,
            "namespace": object.namespace,
            "name": object.name,
        })
    }
}

fn unjudged((kind, objects): (&UnjudgedKind, usize)) -> Value {
    json!({"kind": kind.kind, "apiVersion": kind.api_version, "objects": objects})
}

/// Returns the severity in the words of JSON and SARIF.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Fault => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
