//! What carries words, and how much of them it takes.

use crate::text::excerpt::{clean, shorten};

/// What the documentation of Kubernetes asks of a warning, in characters.
pub(super) const WANTED: usize = 120;
/// What the API server cuts a warning to when there are many (`pkg/endpoints/filters/warning.go`).
pub(super) const MAX_WARNING: usize = 256;
/// The API server shows 4096 characters of warnings a request, of all webhooks and its own; half of it is ours.
const MAX_WARNINGS: usize = 2048;

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
