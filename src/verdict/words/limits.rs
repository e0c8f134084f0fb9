//! The length limits of kubectl warnings.

use crate::text::excerpt::{clean, shorten};

/// The longest warning that the documentation of Kubernetes recommends, in characters.
pub(super) const WANTED: usize = 120;
/// The length to which the API server cuts a warning when there are many (`pkg/endpoints/filters/warning.go`).
pub(super) const MAX_WARNING: usize = 256;
/// The most characters of all warnings of a request. The API server shows 4096, of all webhooks and its own; half of
/// that is for Pullgate.
const MAX_WARNINGS: usize = 2048;

/// Returns the warnings in a form that the API server accepts: without control characters and duplicates, not too long
/// and not too many. Those left out are counted, together with `untold` earlier ones.
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
