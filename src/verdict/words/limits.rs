//! What carries words, and how much of them it takes.

use crate::text::excerpt::{clean, shorten};
use std::collections::BTreeMap;

/// What the documentation of Kubernetes asks of a warning, in characters.
pub(super) const WANTED: usize = 120;
/// What the API server cuts a warning to when there are many (`pkg/endpoints/filters/warning.go`).
pub(super) const MAX_WARNING: usize = 256;
/// The API server shows 4096 characters of warnings a request, of all webhooks and its own; half of it is ours.
const MAX_WARNINGS: usize = 2048;
/// The longest name of a qualified name, which the key of an audit annotation has to be.
const MAX_KEY: usize = 63;
/// Longer than any list that a person reads; the audit log is not the place for 3 MiB.
const MAX_NOTE: usize = 1024;
/// What one finding may take of that.
const MAX_NOTED: usize = 300;

/// Warnings as the API server takes them: no control characters, none twice, not too long and not too many. What is
/// left out is counted, with what was `untold` before.
#[must_use]
pub fn within_limits(warnings: impl Iterator<Item = String>, untold: usize) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut left = MAX_WARNINGS;
    let mut dropped = untold;
    for warning in warnings {
        let warning = shorten(&clean(&warning), MAX_WARNING);
        if kept.contains(&warning) {
            continue;
        }
        match left.checked_sub(warning.chars().count()) {
            Some(rest) => {
                left = rest;
                kept.push(warning);
            }
            None => dropped += 1,
        }
    }
    if dropped > 0 {
        kept.push(format!("and {dropped} more"));
    }
    kept
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
    const MORE: &str = "; and more";
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
