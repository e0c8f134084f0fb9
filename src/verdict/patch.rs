//! The smallest JSON Patch (RFC 6902) that puts secrets first in a pod's `imagePullSecrets`.
//!
//! It is made from the object that was received and so always applies to it. A patch that does not apply fails the
//! request even under `failurePolicy: Ignore`.

use super::distinct::Distinct;
use crate::objects::subject::{INJECTED, Metadata, PodSpec, Presence};
use json_patch::jsonptr::{Pointer, PointerBuf, Token};
use json_patch::{AddOperation, MoveOperation, Patch, PatchOperation, ReplaceOperation};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The most bytes that the keys and values of all annotations of an object may have together
/// (`TotalAnnotationSizeLimitB` in `apimachinery/pkg/api/validation/objectmeta.go`).
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// The list that a patch changes.
const PULL_SECRETS: &Pointer = Pointer::from_static("/spec/imagePullSecrets");
/// The annotations of a pod.
const ANNOTATIONS: &Pointer = Pointer::from_static("/metadata/annotations");
/// The metadata of a pod.
const METADATA: &Pointer = Pointer::from_static("/metadata");

/// A list of more entries than this, the wanted ones included, is replaced as a whole: to move each of very many entries
/// would take time that grows with the square of their number.
const LONG: usize = 256;

/// A patch and the secrets that it adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectionPatch<'a> {
    /// The patch; never empty.
    pub patch: Patch,
    /// The wanted secrets that were not listed before.
    pub added: Vec<&'a str>,
}

/// The patch after which `wanted` (no name twice) comes first and in this order, and then what else was listed, in its
/// order. `None` where that is so already.
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

/// One operation for each entry that is missing and for each that has to move. Of the entries that are there, a longest
/// run that is in order already stays where it is.
fn reorder(pod: &PodSpec<'_>, wanted: &[&str]) -> Vec<PatchOperation> {
    let mut operations = Vec::new();
    // Entries are told apart by where they were: a name may be listed twice, and nothing is dropped.
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
        // All before it in the target are in their order, so its place is right behind its predecessor.
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

/// An entry of the list: one that was there, by its index, or one of the wanted ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ListSlot {
    Old(usize),
    New(usize),
}

/// A longest sequence of old entries that stand in the target as they stood in the list (patience sorting).
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
    // ends[n]: where in `old` the best run of length n + 1 ends; before[i]: what precedes old[i] in its run.
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

/// Returns the operation that sets the annotation with the names of the injected secrets: those of this patch and, where
/// another webhook made the API server ask again, those of an earlier one. `None` where the annotations of the pod leave no
/// room for it: the API server would refuse the pod.
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

/// An entry of `imagePullSecrets`.
fn entry(name: &str) -> Value {
    object("name", Value::from(name))
}

/// A JSON object with one field.
fn object(key: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value)]))
}

fn add(path: PointerBuf, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path, value })
}

/// The path of an entry of the list.
fn place(index: usize) -> PointerBuf {
    PULL_SECRETS.with_trailing_token(Token::from(index))
}
