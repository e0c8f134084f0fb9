//! Strategic merge patches, as kustomize applies them: they look like the object that they change.

use crate::text::yaml::{Node, Value};

/// Whether a mapping asks for its own deletion (`$patch: delete`).
pub(super) fn is_deletion(node: &Node) -> bool {
    node.get("$patch").and_then(Node::text) == Some("delete")
}

/// Empties all parts that a patch deletes. They stay as empty mappings, so that the indices of lists stay the same.
/// The other directives (`$patch: replace`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`) are keys
/// that no field of Kubernetes has, and are skipped like all such keys.
pub(super) fn empty_deletions(node: &mut Node) {
    let is_deletion = is_deletion(node);
    match &mut node.value {
        Value::Scalar { .. } => {}
        Value::Sequence(items) => items.iter_mut().for_each(empty_deletions),
        Value::Mapping(entries) if is_deletion => entries.clear(),
        Value::Mapping(entries) => {
            for (_, value) in entries {
                empty_deletions(value);
            }
        }
    }
}
