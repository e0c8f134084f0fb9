//! The one way in for the text of a policy: a file, the value of a key of a `ConfigMap`, an object among manifests.

use crate::objects::kind::Kind;
use crate::objects::manifest::{self, Manifest};
use crate::objects::names::{POLICY_CONFIG_MAP, POLICY_KEY, POLICY_KIND};
use crate::policy::{Loaded, Policy};
use crate::text::diagnostic::{Diagnostic, Span};
use crate::text::yaml::Node;
use jiff::civil::Date;

/// The text of a policy, by the place that it comes from.
#[derive(Debug, Clone, Copy)]
pub enum PolicyText<'t> {
    /// A file: the policy alone, or a `ConfigMap` with it, which may stand among other objects.
    File(&'t str),
    /// The value of the key `policy.yaml` of a `ConfigMap`.
    Value(&'t str),
}

impl PolicyText<'_> {
    /// Loads the policy. The places of diagnostics are those of the text.
    #[must_use]
    pub fn load(self, today: Date) -> Loaded {
        match self {
            Self::Value(text) => Policy::load(text, today),
            Self::File(text) => in_file(text, today).unwrap_or_else(|| Policy::load(text, today)),
        }
    }
}

/// Loads the policy of the only `ConfigMap` of a file that has the key.
fn in_file(text: &str, today: Date) -> Option<Loaded> {
    let manifests = manifest::read(text);
    let mut holders = manifests
        .objects
        .iter()
        .filter(|manifest| manifest.kind() == Kind::ConfigMap && value_of(manifest).is_some());
    let only = holders.next().filter(|_| holders.next().is_none())?;
    in_manifest(only, text, today)
}

/// Loads the policy that an object of a text is or holds.
#[must_use]
pub fn in_manifest(manifest: &Manifest, text: &str, today: Date) -> Option<Loaded> {
    if manifest::is_policy(manifest.node()) {
        return Some(Policy::load_node(manifest.node(), today));
    }
    let value = value_of(manifest).filter(|_| manifest.kind() == Kind::ConfigMap)?;
    let mut loaded = Policy::load(value.text()?, today);
    for diagnostic in &mut loaded.diagnostics {
        relocate(diagnostic, value, text);
    }
    Some(loaded)
}

/// Whether an object is a policy, or a `ConfigMap` that is meant to hold one.
#[must_use]
pub fn is_meant(manifest: &Manifest) -> bool {
    let is_named = manifest.name() == Some(POLICY_CONFIG_MAP);
    let reads_like_one = |value: &Node| {
        let text = value.text();
        text.is_some_and(|text| text.contains("pullgate.dev/") && text.contains(POLICY_KIND))
    };
    manifest::is_policy(manifest.node())
        || manifest.kind() == Kind::ConfigMap
            && value_of(manifest).is_some_and(|value| is_named || reads_like_one(value))
}

fn value_of(manifest: &Manifest) -> Option<&Node> {
    let value = manifest.node().get("data")?.get(POLICY_KEY)?;
    value.text().map(|_| value)
}

/// From the place in a text within a text to the place in the outer one: line by line in a block (`|`), else where the
/// value begins.
fn relocate(diagnostic: &mut Diagnostic, value: &Node, text: &str) {
    let inner = value.text().unwrap_or_default();
    let number = diagnostic.span.line;
    // The place of a block is that of its first line that is not empty.
    let empty = inner.bytes().take_while(|byte| *byte == b'\n').count();
    let line_of = |text: &str, number: usize| -> Option<(usize, usize)> {
        let start = text
            .split_inclusive('\n')
            .take(number - 1)
            .map(str::len)
            .sum();
        let length = text.get(start..)?.lines().next()?.len();
        Some((start, length))
    };
    let outer_number = (value.span.line + number - 1).saturating_sub(empty).max(1);
    let moved = line_of(inner, number)
        .zip(line_of(text, outer_number))
        .and_then(|((inner_start, inner_length), (start, length))| {
            let indent = length.checked_sub(inner_length)?;
            let inner_line = &inner[inner_start..inner_start + inner_length];
            let is_same = text[start..start + length]
                .strip_suffix(inner_line)?
                .trim()
                .is_empty();
            let shift =
                |at: usize| start + indent + at.saturating_sub(inner_start).min(inner_length);
            is_same.then(|| Span {
                line: outer_number,
                column: diagnostic.span.column + indent,
                start: shift(diagnostic.span.start),
                end: shift(diagnostic.span.end),
            })
        });
    diagnostic.span = moved.unwrap_or(value.span);
}
