//! Writes a finding as a warning of kubectl.

use super::limits::{MAX_WARNING, WANTED};
use super::secrets::{LOGIN, elsewhere as where_it_is};
use super::teller::{Teller, why_not_denied};
use crate::verdict::finding::{Fault, Finding, Trouble, WhyNotDenied};

impl Teller<'_> {
    /// Writes a finding in the 120 characters that a warning should have, if it fits. The advice is worth more than
    /// that limit.
    pub(super) fn warning(&self, finding: &Finding<'_>, why: WhyNotDenied) -> String {
        let mut text = self.short(finding);
        if !matches!(finding.fault, Fault::Lifted { .. }) {
            text = format!("{}: {text}", self.subject);
        }
        text.extend(why_not_denied(why).map(|why| format!("; {why}")));
        match &finding.fault {
            Fault::PullSecret {
                trouble: Trouble::Missing { elsewhere },
                ..
            } => {
                if text.chars().count() > MAX_WARNING {
                    text = text.replace(LOGIN, " ...");
                }
                append(&mut text, elsewhere.map(where_it_is), MAX_WARNING);
            }
            Fault::Banned { ban, .. } => {
                let instead = ban.instead.as_ref();
                let instead = instead.map(|instead| format!("; use \"{instead}\""));
                append(&mut text, instead, MAX_WARNING);
                let reason = ban.reason.as_ref().map(|reason| format!(" ({reason})"));
                append(&mut text, reason, WANTED);
            }
            Fault::PullSecret { .. }
            | Fault::Uncovered { .. }
            | Fault::NoImage { .. }
            | Fault::TooLate { .. }
            | Fault::NotMountable { .. }
            | Fault::BannedSecret { .. }
            | Fault::Lifted { .. } => {}
        }
        text
    }
}

/// Appends `part` if the text stays within `most` characters.
fn append(text: &mut String, part: Option<String>, most: usize) {
    let part = part.unwrap_or_default();
    if text.chars().count() + part.chars().count() <= most {
        text.push_str(&part);
    }
}
