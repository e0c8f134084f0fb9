//! Namespace selectors, prepared to be compared with each other.

use crate::policy::document::{LabelSelector, NamespaceSelector, RegistryEntry};
use crate::policy::effort::{Effort, Ended};
use crate::text::glob::Glob;
use crate::text::glob_index::GlobIndex;
use std::collections::HashMap;

/// The namespaces of a selector.
#[derive(Debug)]
pub(super) struct Selection<'d> {
    /// Its globs of names; `None` if it selects only by labels.
    pub(super) names: Option<&'d [Glob]>,
    /// The number of its label selector: equal ones have one number.
    labels: Option<usize>,
    index: GlobIndex<()>,
    has_every_name: bool,
}

/// A registry rule with the namespaces where it exists.
pub(super) struct Rule<'d> {
    pub(super) entry: &'d RegistryEntry,
    /// The namespaces; `None` if the rule has no `namespaces`.
    pub(super) selection: Option<Selection<'d>>,
}

/// The label selectors of a document, each distinct one with its number.
pub(super) type LabelNumbers<'d> = HashMap<&'d LabelSelector, usize>;

impl<'d> Selection<'d> {
    /// Returns the namespaces of a selector.
    pub(super) fn of(selector: &'d NamespaceSelector, numbers: &mut LabelNumbers<'d>) -> Self {
        let names = selector.names.as_deref();
        let labels = selector.labels.as_ref();
        let next = numbers.len();
        let globs = names.unwrap_or_default().iter();
        Self {
            names,
            labels: labels.map(|labels| *numbers.entry(labels).or_insert(next)),
            has_every_name: names.is_none_or(|names| names.iter().any(Glob::is_everything)),
            index: GlobIndex::new(globs.map(|glob| (glob.clone(), ()))),
        }
    }

    /// Returns whether it selects every namespace.
    pub(super) fn is_everything(&self) -> bool {
        self.has_every_name && self.labels.is_none()
    }

    /// Returns whether it selects every name.
    pub(super) fn has_every_name(&self) -> bool {
        self.has_every_name
    }

    /// Returns whether it asks for the same labels as `other`, or for none.
    pub(super) fn has_labels_of(&self, other: &Self) -> bool {
        self.labels.is_none() || self.labels == other.labels
    }

    /// Returns whether its names cover every name that a glob matches. `true` is never wrong; `false` may be.
    pub(super) fn covers_names_of(&self, glob: &Glob, effort: &Effort<'_>) -> Result<bool, Ended> {
        effort.spend(0)?;
        if self.has_every_name {
            return Ok(true);
        }
        for (ours, ()) in self.index.candidates(glob.as_str()) {
            effort.spend(ours.as_str().len() + glob.as_str().len())?;
            if ours.covers(glob) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns whether it selects every namespace that `other` selects. `true` is never wrong; `false` may be.
    pub(super) fn covers(&self, other: &Self, effort: &Effort<'_>) -> Result<bool, Ended> {
        effort.spend(0)?;
        if !self.has_labels_of(other) || self.has_every_name {
            return Ok(self.has_labels_of(other));
        }
        let Some(names) = other.names else {
            return Ok(false);
        };
        for glob in names {
            if !self.covers_names_of(glob, effort)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
