//! Writes notes for the audit log.

use super::teller::lifted;
use crate::kubelet::userinfo::behind_credentials;
use crate::text::excerpt::{clean, shorten};
use crate::verdict::finding::{Effect, Fault, Finding, Grounds, Trouble, WhyNotDenied};
use std::collections::BTreeMap;

/// The longest name part of a qualified name, in bytes. The key of an audit annotation has to be a qualified name.
const MAX_KEY: usize = 63;

/// The longest note, in bytes. People read no list that is longer, and the audit log must not get 3 MiB of it.
const MAX_NOTE: usize = 1024;

/// The end of a note without room for more values.
const MORE: &str = "; and more";

/// The most characters of one value in a note.
const MAX_NOTED: usize = 300;

/// Adds notes for the audit log: for each ban, the secrets that the object names and the effect. Field paths are left
/// out: another webhook can shift them between two calls for the same request, and the API server keeps the first
/// value.
pub fn audit(notes: &mut BTreeMap<String, String>, findings: &[Finding<'_>]) {
    for finding in findings {
        let key = key(finding);
        // An object can have a hundred thousand findings. The note has no room for most of them, so they are not even
        // written.
        if notes.get(&key).is_none_or(|text| !text.ends_with(MORE)) {
            note(notes, key, &value(finding));
        }
    }
}

/// Returns the key of the note about a finding.
fn key(finding: &Finding<'_>) -> String {
    match &finding.fault {
        Fault::Banned { ban, .. } | Fault::BannedSecret { ban, .. } => audit_key("ban", &ban.name),
        Fault::PullSecret { .. } | Fault::NoKey { .. } => "pull-secret".to_owned(),
        Fault::Uncovered { .. } | Fault::NoImage { .. } => "unmatched".to_owned(),
        Fault::TooLate { rule, .. } => audit_key("missing", &rule.name),
        Fault::NotMountable { .. } => "not-mountable".to_owned(),
        Fault::Lifted { ban: Some(ban), .. } => audit_key("lifted", &ban.name),
        Fault::Lifted { ban: None, .. } => "lifted".to_owned(),
    }
}

/// Returns the value of the note about a finding.
fn value(finding: &Finding<'_>) -> String {
    let outcome = outcome(finding.effect);
    match &finding.fault {
        Fault::Banned { secret, .. } => format!("{outcome} \"{secret}\""),
        Fault::BannedSecret { grounds, .. } => {
            let what = match grounds {
                Grounds::Name => "the name",
                Grounds::Credential { .. } | Grounds::TooManyEntries => "the content",
            };
            format!("{outcome} {what}")
        }
        Fault::PullSecret {
            secret, trouble, ..
        } => {
            let what = match trouble {
                Trouble::WrongType { .. } => "wrong type",
                Trouble::Missing { .. } => "not found",
                Trouble::Malformed { .. } => "malformed",
                Trouble::Expired { .. } => "expired",
            };
            format!("{what} \"{secret}\"")
        }
        Fault::NoKey { registry, .. } => format!("no credential for \"{registry}\""),
        Fault::Uncovered { image } | Fault::NoImage { image, .. } => {
            let image = behind_credentials(image).unwrap_or(image);
            format!("{outcome} \"{image}\"")
        }
        Fault::TooLate { secret, .. } | Fault::NotMountable { secret, .. } => (*secret).to_owned(),
        Fault::Lifted { ban, exception } => lifted(*ban, exception),
    }
}

fn outcome(effect: Effect) -> &'static str {
    match effect {
        Effect::Deny => "denied",
        Effect::Warn(WhyNotDenied::AlreadyThere) => "admitted, was there before:",
        Effect::Warn(WhyNotDenied::LabelsUnknown) => "admitted, namespace unknown:",
        Effect::Warn(WhyNotDenied::InjectedByPolicy) => "admitted, injected by the policy:",
        Effect::Warn(WhyNotDenied::Uncertain) => "admitted, the account type being only a guess:",
        Effect::Warn(_) => "warned of",
        Effect::Audit(WhyNotDenied::AdmittedEarlier) => "admitted, workload was admitted earlier:",
        Effect::Audit(_) => "audited",
    }
}

/// Returns the key of an audit annotation, `PREFIX.NAME`. Characters that a key must not have become `-`.
#[must_use]
pub fn audit_key(prefix: &str, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let all = prefix.chars().chain(['.']).chain(name.chars());
    let mut key = String::with_capacity(MAX_KEY);
    key.extend(all.map(|c| if fits(c) { c } else { '-' }).take(MAX_KEY));
    key.truncate(key.trim_end_matches(['-', '_', '.']).len());
    key
}

/// Adds a value to an audit annotation, unless it is there already. If the annotation has no room for the value, marks
/// it as incomplete.
pub fn note(notes: &mut BTreeMap<String, String>, key: String, value: &str) {
    let text = notes.entry(key).or_default();
    let value = shorten(&clean(value), MAX_NOTED);
    if text.is_empty() {
        *text = value;
        return;
    }
    if text.split("; ").any(|known| known == value) || text.ends_with(MORE) {
        return;
    }
    if text.len() + value.len() > MAX_NOTE {
        text.push_str(MORE);
    } else {
        text.push_str("; ");
        text.push_str(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_say_when_they_are_full() {
        let mut notes = BTreeMap::new();
        for i in 0..100 {
            note(
                &mut notes,
                "ban.x".into(),
                &format!("{i}{}", "x".repeat(1000)),
            );
        }
        let text = &notes["ban.x"];
        assert!(
            text.starts_with("0x") && text.ends_with("; and more") && text.len() < 1200,
            "{text}"
        );
    }
}
