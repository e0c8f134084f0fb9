//! The findings of checks, within limits.

use crate::policy::document::At;
use crate::policy::effort::Ended;
use crate::text::diagnostic::{Diagnostic, Severity, Span};

/// The most findings of each severity that are kept: a reader needs no more, and the author of a document decides how
/// many there are.
const MAX_DIAGNOSTICS: usize = 1_000;

/// Gathers faults and warnings. Warnings never take the place of faults: a document with a fault is not a policy.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) diagnostics: Vec<Diagnostic>,
    faults: usize,
    others: usize,
}

impl Report {
    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Fault => &mut self.faults,
            Severity::Warning | Severity::Note => &mut self.others,
        };
        *count += 1;
        if *count <= MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Returns whether one more fault would not be kept.
    pub(super) fn has_enough_faults(&self) -> bool {
        self.faults >= MAX_DIAGNOSTICS
    }

    /// Returns whether one more warning would not be kept.
    pub(super) fn has_enough_warnings(&self) -> bool {
        self.others >= MAX_DIAGNOSTICS
    }
}

/// The place where a check ended early, and the reason.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) ended: Ended,
    path: String,
    span: Span,
}

impl Unfinished {
    pub(super) fn at<T>(ended: Ended, at: &At<T>) -> Self {
        Self {
            ended,
            path: at.path.clone(),
            span: at.span,
        }
    }

    /// Returns the warning that a check ended at this place.
    pub(super) fn warning(self, message: &str) -> Diagnostic {
        let help = "write fewer globs that begin alike, or fewer rules with the same patterns, secrets and bans";
        Diagnostic {
            severity: Severity::Warning,
            path: self.path,
            span: self.span,
            message: message.to_owned(),
            help: Some(help.to_owned()),
        }
    }
}
