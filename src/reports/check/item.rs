//! One finding, and the object that it is about.

use crate::objects::manifest::Manifest;
use crate::objects::subject::{Place, Subject};
use crate::text::diagnostic::{Diagnostic, Severity, Span};
use crate::text::excerpt::clean;
use crate::verdict::code::FindingCode;

/// One finding in one place.
#[derive(Debug)]
pub struct ReportItem {
    pub(super) input: usize,
    pub(super) code: FindingCode,
    pub(super) diagnostic: Diagnostic,
    pub(super) object: Option<ReportedObject>,
    pub(super) field: Option<String>,
    pub(super) ban: Option<String>,
}

/// An object, as people and programs know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReportedObject {
    pub(super) input: usize,
    pub(super) span: Span,
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) shown: String,
}

impl ReportItem {
    /// Returns a finding about a field of an object.
    pub(super) fn about(
        object: &ReportedObject,
        code: FindingCode,
        diagnostic: Diagnostic,
        field: String,
    ) -> Self {
        Self {
            object: Some(object.clone()),
            field: Some(field),
            ..Self::of(object.input, code, diagnostic)
        }
    }

    /// Returns a finding that is not about a readable object.
    pub(super) fn of(input: usize, code: FindingCode, diagnostic: Diagnostic) -> Self {
        Self {
            input,
            code,
            diagnostic,
            object: None,
            field: None,
            ban: None,
        }
    }
}

impl ReportedObject {
    /// Returns the object of a manifest.
    pub(super) fn of(input: usize, manifest: &Manifest, subject: &Subject<'_>) -> Self {
        Self {
            input,
            span: manifest.span(Place::Name),
            kind: subject.kind.name(),
            namespace: subject.namespace.to_string(),
            name: subject.own_name().unwrap_or_default().to_owned(),
            shown: clean(&subject.to_string()),
        }
    }
}

pub(super) fn diagnostic(
    severity: Severity,
    span: Span,
    message: String,
    help: Option<String>,
) -> Diagnostic {
    Diagnostic {
        severity,
        path: String::new(),
        span,
        message,
        help,
    }
}
