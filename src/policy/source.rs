//! Loads the text of a policy from any source: a file, a key of a `ConfigMap`, or an object among manifests.

use crate::objects::kind::Kind;
use crate::objects::manifest::{self, Manifest};
use crate::objects::names::{POLICY_CONFIG_MAP, POLICY_KEY, POLICY_KIND};
use crate::policy::{Loaded, Loading, Policy};
use crate::text::diagnostic::{Diagnostic, Span};
use crate::text::yaml::Node;
use jiff::civil::Date;

/// The text of a policy, by its source.
#[derive(Debug, Clone, Copy)]
pub enum PolicyText<'t> {
    /// A file: the policy alone, or a `ConfigMap` with it, possibly among other objects.
    File(&'t str),
    /// The value of the key `policy.yaml` of a `ConfigMap`.
    Value(&'t str),
}

impl PolicyText<'_> {
    /// Loads the policy as an edit on this day (UTC).
    #[must_use]
    pub fn load(self, today: Date) -> Loaded {
        self.load_as(&Loading::edit(today))
    }

    /// Loads the policy. Diagnostics point into this text.
    #[must_use]
    pub fn load_as(self, loading: &Loading<'_>) -> Loaded {
        let alone = |text| Policy::load_as(text, loading);
        match self {
            Self::Value(text) => alone(text),
            Self::File(text) => in_file(text, loading).unwrap_or_else(|| alone(text)),
        }
    }
}

/// Loads the policy of the only `ConfigMap` in a file that has the key.
fn in_file(text: &str, loading: &Loading<'_>) -> Option<Loaded> {
    let manifests = manifest::read(text);
    let mut holders = manifests
        .objects
        .iter()
        .filter(|manifest| manifest.kind() == Kind::ConfigMap && value_of(manifest).is_some());
    let only = holders.next().filter(|_| holders.next().is_none())?;
    load_manifest(only, text, loading)
}

/// Loads the policy that an object is or contains, as an edit on this day (UTC).
#[must_use]
pub fn in_manifest(manifest: &Manifest, text: &str, today: Date) -> Option<Loaded> {
    load_manifest(manifest, text, &Loading::edit(today))
}

fn load_manifest(manifest: &Manifest, text: &str, loading: &Loading<'_>) -> Option<Loaded> {
    if manifest::is_policy(manifest.node()) {
        return Some(Policy::load_node(manifest.node(), loading));
    }
    let value = value_of(manifest).filter(|_| manifest.kind() == Kind::ConfigMap)?;
    let inner = value.text()?;
    let mut loaded = Policy::load_as(inner, loading);
    if !loaded.diagnostics.is_empty() {
        let (inner, outer) = (Lines::of(inner), Lines::of(text));
        for diagnostic in &mut loaded.diagnostics {
            relocate(diagnostic, value.span, &inner, &outer);
        }
    }
    Some(loaded)
}

/// Returns whether an object is a policy, or a `ConfigMap` that is meant to hold one.
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

/// The lines of a text, indexed because many diagnostics look up their line.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let lines = text.split_inclusive('\n');
        let starts = lines.scan(0, |end, line| {
            let start = *end;
            *end += line.len();
            Some(start)
        });
        Self {
            text,
            starts: starts.collect(),
        }
    }

    /// Returns the offset of a line (from 1) and its text.
    fn get(&self, number: usize) -> Option<(usize, &'t str)> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        Some((start, self.text[start..].lines().next()?))
    }
}

/// Moves a diagnostic from its place in the inner text to its place in the outer one: line by line in a block (`|`), or
/// else to the beginning of the value.
fn relocate(diagnostic: &mut Diagnostic, value: Span, inner: &Lines<'_>, outer: &Lines<'_>) {
    let number = diagnostic.span.line;
    // The span of a block begins at its first line that is not empty.
    let empty = inner.text.bytes().take_while(|byte| *byte == b'\n').count();
    let outer_number = (value.line + number - 1).saturating_sub(empty).max(1);
    let moved = inner.get(number).zip(outer.get(outer_number)).and_then(
        |((inner_start, inner_line), (start, line))| {
            let indent = line.len().checked_sub(inner_line.len())?;
            let shift =
                |at: usize| start + indent + at.saturating_sub(inner_start).min(inner_line.len());
            let is_same = line.strip_suffix(inner_line)?.trim().is_empty();
            is_same.then(|| Span {
                line: outer_number,
                column: diagnostic.span.column + indent,
                start: shift(diagnostic.span.start),
                end: shift(diagnostic.span.end),
            })
        },
    );
    diagnostic.span = moved.unwrap_or(value);
}
