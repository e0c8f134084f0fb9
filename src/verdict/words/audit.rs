//! Notes for the audit log.

use super::teller::lifted;
use crate::kubelet::userinfo::behind_credentials;
use crate::text::excerpt::{clean, shorten};
use crate::verdict::finding::{Effect, Fault, Finding, Grounds, Trouble, WhyNotDenied};
use std::collections::BTreeMap;

/// The longest name of a qualified name, which the key of an audit annotation has to be.
const MAX_KEY: usize = 63;

/// Longer than any list that a person reads; the audit log is not the place for 3 MiB.
const MAX_NOTE: usize = 1024;

/// What a note ends with that has no room for more.
const MORE: &str = "; and more";

/// What one finding may take of that.
const MAX_NOTED: usize = 300;

/// Notes for the audit log: of each ban the secrets that were named, and what came of it. Fields are left out: another
/// webhook can shift them between two calls for the same request, and the API server keeps the first value.
pub fn audit(notes: &mut BTreeMap<String, String>, findings: &[Finding<'_>]) {
    for finding in findings {
        let key = key(finding);
        // Most findings of an object that has a hundred thousand are beyond what a note takes.
        if notes.get(&key).is_none_or(|text| !text.ends_with(MORE)) {
            note(notes, key, &value(finding));
        }
    }
}

/// The key of the note about a finding.
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

/// The value of the note about a finding.
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
        Effect::Warn(WhyNotDenied::Uncertain) => "admitted, what it is being a guess:",
        Effect::Warn(_) => "warned of",
        Effect::Audit(WhyNotDenied::AdmittedEarlier) => "admitted, workload was admitted earlier:",
        Effect::Audit(_) => "audited",
    }
}

/// A key of an audit annotation, `PREFIX.NAME`: what else a name may have becomes `-`.
#[must_use]
pub fn audit_key(prefix: &str, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let all = prefix.chars().chain(['.']).chain(name.chars());
    let mut key = String::with_capacity(MAX_KEY);
    key.extend(all.map(|c| if fits(c) { c } else { '-' }).take(MAX_KEY));
    key.truncate(key.trim_end_matches(['-', '_', '.']).len());
    key
}

/// Adds a value to an audit annotation, once, and says if there were more than it takes.
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
