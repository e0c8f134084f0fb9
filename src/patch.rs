//! The smallest JSON Patch (RFC 6902) that puts secrets first in a pod's `imagePullSecrets`.
//!
//! It is made from the object that was received and so always applies to it. A patch that does not apply fails the
//! request even under `failurePolicy: Ignore`.

use crate::subject::{INJECTED, Metadata, PodSpec, Presence};
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, MoveOperation, Patch, PatchOperation};
use serde_json::{Value, json};
use std::collections::HashSet;

/// A patch, and what it puts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection<'a> {
    /// The patch.
    pub patch: Patch,
    /// Those of the wanted secrets that were not listed before.
    pub added: Vec<&'a str>,
}

/// The patch after which `wanted` (no name twice) comes first and in this order, and then what else was listed, in its
/// order. `None` where that is so already.
#[must_use]
pub fn put_first<'a>(
    pod: &PodSpec<'_>,
    metadata: &Metadata<'_>,
    wanted: &[&'a str],
) -> Option<Injection<'a>> {
    let mut operations = if pod.pull_secrets.is_empty() {
        whole_list(wanted)
    } else {
        reorder(pod, wanted)
    };
    if operations.is_empty() {
        return None;
    }
    let is_listed = |name: &&str| pod.pull_secrets.iter().any(|listed| listed == *name);
    let added: Vec<_> = wanted
        .iter()
        .copied()
        .filter(|name| !is_listed(name))
        .collect();
    if !added.is_empty() {
        operations.push(annotate(metadata, wanted, &added));
    }
    Some(Injection {
        patch: Patch(operations),
        added,
    })
}

/// Where there is no list, or an empty one, it is made in one operation.
fn whole_list(wanted: &[&str]) -> Vec<PatchOperation> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let list = wanted.iter().map(|name| entry(name)).collect();
    vec![add(&["spec", "imagePullSecrets"], list)]
}

/// One operation for each entry that is missing and for each that has to move. Of the entries that are there, a longest
/// run that is in order already stays where it is.
fn reorder(pod: &PodSpec<'_>, wanted: &[&str]) -> Vec<PatchOperation> {
    // Entries are told apart by where they were: a name may be listed twice, and nothing is dropped.
    let listed = |name: &&str| pod.pull_secrets.iter().position(|listed| listed == *name);
    let first: Vec<Option<usize>> = wanted.iter().map(listed).collect();
    let others = (0..pod.pull_secrets.len()).filter(|index| !first.contains(&Some(*index)));
    let target: Vec<Slot> = (0..wanted.len())
        .map(|number| first[number].map_or(Slot::New(number), Slot::Old))
        .chain(others.map(Slot::Old))
        .collect();
    let stay = longest_increasing(&target);
    let mut list: Vec<Slot> = (0..pod.pull_secrets.len()).map(Slot::Old).collect();
    let mut operations = Vec::new();
    for (index, slot) in target
        .iter()
        .enumerate()
        .filter(|(_, slot)| !stay.contains(slot))
    {
        let place_of = |list: &[Slot], slot: Slot| list.iter().position(|other| *other == slot);
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
            (None, Slot::New(number)) => add(
                &["spec", "imagePullSecrets", &to.to_string()],
                entry(wanted[*number]),
            ),
            (from, _) => relocate(from.unwrap_or_default(), to),
        });
    }
    operations
}

/// An entry of the list: one that was there, by its index, or one of the wanted ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    Old(usize),
    New(usize),
}

/// A longest sequence of old entries that stand in the target as they stood in the list (patience sorting).
fn longest_increasing(target: &[Slot]) -> HashSet<Slot> {
    let old: Vec<usize> = target
        .iter()
        .filter_map(|slot| {
            if let Slot::Old(i) = slot {
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
        .map(|i| Slot::Old(old[i]))
        .collect()
}

/// The annotation that names what was injected, now and, where another webhook made the API server ask again, before.
fn annotate(metadata: &Metadata<'_>, wanted: &[&str], added: &[&str]) -> PatchOperation {
    let earlier: Vec<&str> = metadata
        .injected
        .as_deref()
        .unwrap_or_default()
        .split(',')
        .collect();
    let named: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| added.contains(name) || earlier.contains(name))
        .collect();
    let value = named.join(",");
    match metadata.annotations {
        Presence::Present => add(&["metadata", "annotations", INJECTED], value.into()),
        Presence::Absent => add(&["metadata", "annotations"], json!({ INJECTED: value })),
        Presence::NoMetadata => add(&["metadata"], json!({ "annotations": { INJECTED: value } })),
    }
}

fn entry(name: &str) -> Value {
    json!({ "name": name })
}

fn add(path: &[&str], value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation {
        path: PointerBuf::from_tokens(path.iter().copied()),
        value,
    })
}

fn relocate(from: usize, to: usize) -> PatchOperation {
    let path =
        |index: usize| PointerBuf::from_tokens(["spec", "imagePullSecrets", &index.to_string()]);
    PatchOperation::Move(MoveOperation {
        from: path(from),
        path: path(to),
    })
}
