//! Pull secrets in a field that Kubernetes does not know.
//!
//! The API server drops unknown fields before a webhook sees the object, and a client without strict validation says
//! nothing. So only files show the mistake, and the pod fails much later with `ImagePullBackOff`.

use super::item::{ReportItem, ReportedObject, diagnostic};
use crate::objects::kind::Kind;
use crate::objects::manifest::Manifest;
use crate::text::diagnostic::{Severity, Span};
use crate::text::excerpt::{clean, shorten};
use crate::text::suggest::nearest;
use crate::text::yaml::{Node, Value};
use crate::verdict::code::FindingCode;
use std::fmt::Write as _;

const FIELD: &str = "imagePullSecrets";

/// Fields with keys that people choose, and fields that clients do not write.
const OTHER_KEYS: [&str; 10] = [
    "annotations",
    "labels",
    "limits",
    "managedFields",
    "matchLabels",
    "nodeSelector",
    "options",
    "requests",
    "status",
    "volumeAttributes",
];

/// The longest path in a message, in characters. A path holds keys of the file, which may be of any length.
const MAX_PATH: usize = 200;

/// A field that was meant to be `imagePullSecrets`, but is not.
struct Misplaced {
    path: String,
    span: Span,
}

/// Returns a warning for each field of a manifest that looks like `imagePullSecrets` but is not, with the right place.
pub(super) fn items(manifest: &Manifest, object: &ReportedObject) -> Vec<ReportItem> {
    let Some(right) = right_path(manifest.kind()) else {
        return Vec::new();
    };
    let found = find(manifest, &right).into_iter();
    let items = found.map(|Misplaced { path, span }| {
        let path = shorten(&clean(&path), MAX_PATH);
        let message = format!(
            "{}: {path} is not a field of Kubernetes and has no effect",
            object.shown
        );
        let help = format!(
            "Pull secrets of a {} belong in {right}, as a list: `{FIELD}: [{{name: NAME}}]`",
            object.kind
        );
        let diagnostic = diagnostic(Severity::Warning, span, message, Some(help));
        ReportItem::about(object, FindingCode::MisplacedPullSecrets, diagnostic, path)
    });
    items.collect()
}

/// Returns the path of `imagePullSecrets` in objects of a kind; `None` if the kind has no such field. A
/// `ControllerRevision` has none here, because its controller may keep any fields in it.
fn right_path(kind: Kind) -> Option<String> {
    let path = kind.path();
    let has_one =
        (!path.is_empty() && kind != Kind::ControllerRevision) || kind == Kind::ServiceAccount;
    has_one.then(|| format!("{path}{FIELD}"))
}

/// Finds the fields of a manifest that look like `imagePullSecrets`, except the field at the right path.
///
/// Only built-in kinds are searched, because their fields are known: a custom resource may have such a field anywhere.
fn find(manifest: &Manifest, right: &str) -> Vec<Misplaced> {
    let mut search = Search {
        right,
        path: String::new(),
        found: Vec::new(),
    };
    search.node(manifest.node());
    search.found
}

struct Search<'r> {
    right: &'r str,
    path: String,
    found: Vec<Misplaced>,
}

impl Search<'_> {
    fn node(&mut self, node: &Node) {
        let length = self.path.len();
        match &node.value {
            Value::Scalar { .. } => {}
            Value::Sequence(items) => {
                for (i, item) in items.iter().enumerate() {
                    let _ = write!(self.path, "[{i}]");
                    self.node(item);
                    self.path.truncate(length);
                }
            }
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    self.entry(key, value);
                    self.path.truncate(length);
                }
            }
        }
    }

    fn entry(&mut self, key: &Node, value: &Node) {
        let name = key.text().unwrap_or_default();
        if OTHER_KEYS.contains(&name) {
            return;
        }
        let dot = if self.path.is_empty() { "" } else { "." };
        let _ = write!(self.path, "{dot}{name}");
        if nearest(name, &[FIELD]).is_none() {
            self.node(value);
        } else if self.path != self.right && says_something(value) {
            self.found.push(Misplaced {
                path: self.path.clone(),
                span: key.span,
            });
        }
    }
}

/// Returns whether a value is neither null nor empty: templates leave empty lists behind.
fn says_something(value: &Node) -> bool {
    match &value.value {
        Value::Scalar { .. } => value.some_text().is_some_and(|text| !text.is_empty()),
        Value::Sequence(items) => !items.is_empty(),
        Value::Mapping(entries) => !entries.is_empty(),
    }
}
