//! Distinct values in order. Most objects have a handful of them, but a tenant may write a hundred thousand.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;

/// Up to this number, values are compared one by one: this is faster than hashing them, and needs no memory.
const FEW: usize = 16;

/// Distinct values, in the order in which they were added.
#[derive(Debug)]
pub(super) struct Distinct<T> {
    values: Vec<T>,
    /// All values, once there are more than [`FEW`].
    hashed: HashSet<T>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            hashed: HashSet::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Distinct<T> {
    /// Adds a value and returns whether it is new.
    pub(super) fn add(&mut self, value: T) -> bool {
        if self.contains(&value) {
            return false;
        }
        self.values.push(value);
        if self.values.len() == FEW + 1 {
            self.hashed.extend(&self.values);
        } else if self.values.len() > FEW {
            self.hashed.insert(value);
        }
        true
    }

    pub(super) fn contains(&self, value: &T) -> bool {
        if self.values.len() > FEW {
            self.hashed.contains(value)
        } else {
            self.values.contains(value)
        }
    }

    pub(super) fn as_slice(&self) -> &[T] {
        &self.values
    }
}

impl<T: Copy + Eq + Hash> FromIterator<T> for Distinct<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut distinct = Self::default();
        for value in values {
            distinct.add(value);
        }
        distinct
    }
}

/// A list of names with a fast `contains`.
#[derive(Debug, Default)]
pub(super) struct NameList<'l> {
    names: &'l [Cow<'l, str>],
    /// All names, if there are more than [`FEW`].
    hashed: HashSet<&'l str>,
}

impl<'l> NameList<'l> {
    pub(super) fn of(names: &'l [Cow<'l, str>]) -> Self {
        let hashed = names.iter().filter(|_| names.len() > FEW);
        Self {
            names,
            hashed: hashed.map(AsRef::as_ref).collect(),
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        if self.names.len() > FEW {
            self.hashed.contains(name)
        } else {
            self.names.iter().any(|listed| listed == name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_knows_its_names_however_many_there_are() {
        for count in [0, 1, FEW, FEW + 1] {
            let names: Vec<_> = (0..count)
                .map(|number| Cow::from(number.to_string()))
                .collect();
            let listed = NameList::of(&names);
            assert!(names.iter().all(|name| listed.contains(name)));
            assert!(!listed.contains("other"));
        }
    }

    #[test]
    fn the_first_of_equal_values_stays_however_many_there_are() {
        for count in [0, 1, FEW - 1, FEW, FEW + 1, 3 * FEW] {
            let distinct: Distinct<usize> = (0..count).chain(0..count).collect();
            assert_eq!(distinct.as_slice(), (0..count).collect::<Vec<_>>());
            assert!((0..count).all(|value| distinct.contains(&value)));
            assert!(!distinct.contains(&count));
        }
    }
}
