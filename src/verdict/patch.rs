//! The smallest JSON Patch (RFC 6902) that puts secrets first in a pod's `imagePullSecrets`.
//!
//! It is made from the object that was received and so always applies to it. A patch that does not apply fails the
//! request even under `failurePolicy: Ignore`.

use crate::objects::names;
use crate::objects::subject::{INJECTED, Metadata, PodSpec, Presence};
use std::collections::HashSet;
use std::fmt::{self, Write as _};

/// A JSON Patch, as it is sent. It is written at once: a tree of values would be made of twenty allocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch(String);

/// What a patch of one secret and an annotation takes.
const CAPACITY: usize = 256;

/// A patch, and what it puts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectionPatch<'a> {
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
) -> Option<InjectionPatch<'a>> {
    let listed = pod.pull_secrets.iter().map(|name| &**name);
    if listed.take(wanted.len()).eq(wanted.iter().copied()) {
        return None;
    }
    // Names that are no names would have to be escaped.
    debug_assert!(wanted.iter().all(|name| names::is_subdomain(name)));
    let mut patch = Patch(String::with_capacity(CAPACITY));
    if pod.pull_secrets.is_empty() {
        add_list(&mut patch, wanted);
    } else {
        reorder(&mut patch, pod, wanted);
    }
    if patch.0.is_empty() {
        return None;
    }
    let added: Vec<_> = wanted
        .iter()
        .copied()
        .filter(|name| !pod.lists(name))
        .collect();
    if !added.is_empty() {
        annotate(&mut patch, metadata, wanted, &added);
    }
    patch.0.push(']');
    Some(InjectionPatch { patch, added })
}

/// Where there is no list, or an empty one, it is made in one operation.
fn add_list(patch: &mut Patch, wanted: &[&str]) {
    if wanted.is_empty() {
        return;
    }
    let list = fmt::from_fn(|f| {
        for (i, name) in wanted.iter().enumerate() {
            let before = if i == 0 { "[" } else { "," };
            write!(f, "{before}{}", entry(name))?;
        }
        f.write_str("]")
    });
    patch.add("/spec/imagePullSecrets", list);
}

/// One operation for each entry that is missing and for each that has to move. Of the entries that are there, a longest
/// run that is in order already stays where it is.
fn reorder(patch: &mut Patch, pod: &PodSpec<'_>, wanted: &[&str]) {
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
        match (from, slot) {
            (None, ListSlot::New(number)) => {
                let place = format_args!("/spec/imagePullSecrets/{to}");
                patch.add(place, entry(wanted[*number]));
            }
            (from, _) => patch.relocate(from.unwrap_or_default(), to),
        }
    }
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

/// The annotation that names what was injected, now and, where another webhook made the API server ask again, before.
fn annotate(patch: &mut Patch, metadata: &Metadata<'_>, wanted: &[&str], added: &[&str]) {
    let earlier = metadata.injected.as_deref().unwrap_or_default();
    let is_named =
        |name: &&&str| added.contains(name) || earlier.split(',').any(|other| other == **name);
    let value = fmt::from_fn(|f| {
        for (i, name) in wanted.iter().filter(is_named).enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    });
    let annotation = format_args!("{{\"{INJECTED}\":\"{value}\"}}");
    match metadata.annotations {
        Presence::Present => {
            // In a path, a slash of a key is `~1`.
            let key = fmt::from_fn(|f| {
                let (prefix, name) = INJECTED.split_once('/').unwrap_or_default();
                write!(f, "/metadata/annotations/{prefix}~1{name}")
            });
            patch.add(key, format_args!("\"{value}\""));
        }
        Presence::Absent => patch.add("/metadata/annotations", annotation),
        Presence::NoMetadata => {
            patch.add(
                "/metadata",
                format_args!("{{\"annotations\":{annotation}}}"),
            );
        }
    }
}

fn entry(name: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{{\"name\":\"{name}\"}}"))
}

impl Patch {
    /// Its JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    fn add(&mut self, path: impl fmt::Display, value: impl fmt::Display) {
        let fields = format_args!("\"op\":\"add\",\"path\":\"{path}\",\"value\":{value}");
        self.push(fields);
    }

    fn relocate(&mut self, from: usize, to: usize) {
        let list = "/spec/imagePullSecrets";
        self.push(format_args!(
            "\"op\":\"move\",\"from\":\"{list}/{from}\",\"path\":\"{list}/{to}\""
        ));
    }

    fn push(&mut self, fields: fmt::Arguments<'_>) {
        let before = if self.0.is_empty() { '[' } else { ',' };
        // Writing to a text does not fail.
        let _ = write!(self.0, "{before}{{{fields}}}");
    }
}
