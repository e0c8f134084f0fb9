//! Namespace selectors. They have three results, because labels may be unknown.

use crate::facts::Labels;
use crate::policy::document::{LabelSelector, NamespaceSelector, Operator, Requirement};

/// A namespace, as selectors see it.
#[derive(Debug, Clone, Copy)]
pub struct Namespace<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels, or `None` if they are unknown.
    pub labels: Option<&'a Labels>,
}

/// The result of a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The selector matches.
    Yes,
    /// The selector does not match.
    No,
    /// Unknown, because it depends on unknown labels.
    Unknown,
}

impl NamespaceSelector {
    /// Returns whether the selector matches a namespace.
    #[must_use]
    pub fn matches(&self, namespace: Namespace<'_>) -> Match {
        let by_name = self
            .names
            .as_ref()
            .is_none_or(|names| names.iter().any(|glob| glob.matches(namespace.name)));
        match (&self.labels, namespace.labels) {
            _ if !by_name => Match::No,
            (None, _) => Match::Yes,
            (Some(_), None) => Match::Unknown,
            (Some(selector), Some(labels)) if selector.matches(labels) => Match::Yes,
            (Some(_), Some(_)) => Match::No,
        }
    }
}

impl LabelSelector {
    fn matches(&self, labels: &Labels) -> bool {
        let has = |(key, value): &(String, String)| {
            labels.get(key.as_str()).is_some_and(|v| **v == **value)
        };
        self.match_labels.iter().all(has)
            && self
                .match_expressions
                .iter()
                .all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(self.key.as_str());
        let listed = value.is_some_and(|value| self.values.iter().any(|v| **v == **value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}
