//! Builds the smallest JSON Patch (RFC 6902) that puts secrets first in the `imagePullSecrets` of a pod.
//!
//! The patch is built from the received object, so it always applies to it. A patch that does not apply fails the
//! request even under `failurePolicy: Ignore`.

use super::distinct::Distinct;
use crate::objects::subject::{INJECTED, Metadata, PodSpec, Presence};
use json_patch::jsonptr::{Pointer, PointerBuf, Token};
use json_patch::{AddOperation, MoveOperation, Patch, PatchOperation, ReplaceOperation};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The limit for the keys and values of all annotations of an object together, in bytes (`TotalAnnotationSizeLimitB` in
/// `apimachinery/pkg/api/validation/objectmeta.go`).
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// The list that the patch changes.
const PULL_SECRETS: &Pointer = Pointer::from_static("/spec/imagePullSecrets");
/// The annotations of a pod.
const ANNOTATIONS: &Pointer = Pointer::from_static("/metadata/annotations");
/// The metadata of a pod.
const METADATA: &Pointer = Pointer::from_static("/metadata");

/// The longest list, including the wanted entries, that is patched entry by entry. A longer one is replaced as a whole:
/// moving each of very many entries takes time that grows with the square of their number.
const LONG: usize = 256;

/// A patch, with the secrets that it adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectionPatch<'a> {
    /// The patch; never empty.
    pub patch: Patch,
    /// The wanted secrets that the list lacked.
    pub added: Vec<&'a str>,
}

/// Returns the patch after which `wanted` (without duplicates) comes first, in this order, followed by the other
/// entries in their order. Returns `None` if the list is in this order already.
#[must_use]
pub fn put_first<'a>(
    pod: &PodSpec<'_>,
    metadata: &Metadata<'_>,
    wanted: &[&'a str],
) -> Option<InjectionPatch<'a>> {
    let listed = pod.pull_secrets.iter().map(|name| &**name);
    if listed.take(wanted.len()).eq(wanted.iter().copied()) {
        return None;
    }
    let mut operations = if pod.pull_secrets.is_empty() {
        let list = wanted.iter().map(|name| entry(name)).collect();
        vec![add(PULL_SECRETS.to_buf(), list)]
    } else if pod.pull_secrets.len() + wanted.len() > LONG {
        vec![replace(pod, wanted)]
    } else {
        reorder(pod, wanted)
    };
    if operations.is_empty() {
        return None;
    }
    let listed: Distinct<&str> = pod.pull_secrets.iter().map(AsRef::as_ref).collect();
    let added = wanted.iter().copied();
    let added: Vec<_> = added.filter(|name| !listed.contains(name)).collect();
    if !added.is_empty() {
        operations.extend(annotate(metadata, wanted, &added));
    }
    let patch = Patch(operations);
    Some(InjectionPatch { patch, added })
}

/// Replaces the list.
fn replace(pod: &PodSpec<'_>, wanted: &[&str]) -> PatchOperation {
    let mut to_come: HashSet<&str> = wanted.iter().copied().collect();
    let listed = pod.pull_secrets.iter().map(|name| &**name);
    // A name that is listed twice stays listed twice.
    let others = listed.filter(|name| !to_come.remove(name));
    let list = wanted.iter().copied().chain(others).map(entry).collect();
    let path = PULL_SECRETS.to_buf();
    PatchOperation::Replace(ReplaceOperation { path, value: list })
}

/// Returns one operation for each missing entry and for each entry that moves. A longest run of entries that are in
/// order already stays in place, so that the patch is as small as possible.
fn reorder(pod: &PodSpec<'_>, wanted: &[&str]) -> Vec<PatchOperation> {
    let mut operations = Vec::new();
    // The old position identifies an entry: a name may be listed twice, and no entry is dropped.
    let listed = |name: &&str| pod.pull_secrets.iter().position(|listed| listed == *name);
    let first: Vec<Option<usize>> = wanted.iter().map(listed).collect();
    let others = (0..pod.pull_secrets.len()).filter(|index| !first.contains(&Some(*index)));
    let target: Vec<ListSlot> = (0..wanted.len())
        .map(|number| first[number].map_or(ListSlot::New(number), ListSlot::Old))
        .chain(others.map(ListSlot::Old))
        .collect();
    let stay = longest_increasing(&target);
    let mut list: Vec<ListSlot> = (0..pod.pull_secrets.len()).map(ListSlot::Old).collect();
    for (index, slot) in target
        .iter()
        .enumerate()
        .filter(|(_, slot)| !stay.contains(slot))
    {
        let place_of =
            |list: &[ListSlot], slot: ListSlot| list.iter().position(|other| *other == slot);
        let from = place_of(&list, *slot);
        if let Some(from) = from {
            list.remove(from);
        }
        // All entries before it in the target are in place, so it belongs right after its predecessor.
        let to = if index == 0 {
            0
        } else {
            place_of(&list, target[index - 1]).map_or(0, |place| place + 1)
        };
        list.insert(to, *slot);
        operations.push(match (from, slot) {
            (None, ListSlot::New(number)) => PatchOperation::Add(AddOperation {
                path: place(to),
                value: entry(wanted[*number]),
            }),
            (from, _) => PatchOperation::Move(MoveOperation {
                from: place(from.unwrap_or_default()),
                path: place(to),
            }),
        });
    }
    operations
}

/// An entry of the target list: an old one, by its index, or a wanted one, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ListSlot {
    Old(usize),
    New(usize),
}

/// Returns a longest sequence of old entries that keeps its order in the target (patience sorting).
fn longest_increasing(target: &[ListSlot]) -> HashSet<ListSlot> {
    let old: Vec<usize> = target
        .iter()
        .filter_map(|slot| {
            if let ListSlot::Old(i) = slot {
                Some(*i)
            } else {
                None
            }
        })
        .collect();
    // ends[n]: the index in `old` at which the best run of length n + 1 ends; before[i]: the predecessor of old[i] in
    // its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; old.len()];
    for (i, value) in old.iter().enumerate() {
        let length = ends.partition_point(|end| old[*end] < *value);
        before[i] = length.checked_sub(1).map(|shorter| ends[shorter]);
        if length == ends.len() {
            ends.push(i);
        } else {
            ends[length] = i;
        }
    }
    std::iter::successors(ends.last().copied(), |i| before[*i])
        .map(|i| ListSlot::Old(old[i]))
        .collect()
}

/// Returns the operation that sets the annotation with the names of the injected secrets: those of this patch and, if
/// another webhook made the API server call again, those of an earlier patch. Returns `None` if the annotations of the
/// pod leave no room: the API server would refuse the pod.
fn annotate(metadata: &Metadata<'_>, wanted: &[&str], added: &[&str]) -> Option<PatchOperation> {
    let earlier = metadata.injected.as_deref().unwrap_or_default();
    let earlier = earlier.split(',').filter(|name| !name.is_empty());
    let named: Distinct<&str> = added.iter().copied().chain(earlier).collect();
    let is_named = |name: &&str| named.contains(name);
    let injected: Vec<&str> = wanted.iter().copied().filter(is_named).collect();
    let value = injected.join(",");
    if metadata.annotations_length + INJECTED.len() + value.len() > MAX_ANNOTATIONS {
        return None;
    }
    let value = Value::from(value);
    Some(match metadata.annotations {
        Presence::Present => add(ANNOTATIONS.with_trailing_token(INJECTED), value),
        Presence::Absent => add(ANNOTATIONS.to_buf(), object(INJECTED, value)),
        Presence::NoMetadata => {
            let annotations = object(INJECTED, value);
            add(METADATA.to_buf(), object("annotations", annotations))
        }
    })
}

/// Returns an entry of `imagePullSecrets`.
fn entry(name: &str) -> Value {
    object("name", Value::from(name))
}

/// Returns a JSON object with one field.
fn object(key: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value)]))
}

fn add(path: PointerBuf, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path, value })
}

/// Returns the path of an entry of the list.
fn place(index: usize) -> PointerBuf {
    PULL_SECRETS.with_trailing_token(Token::from(index))
}
