//! Rules that have the same pattern: a fault if they have no `namespaces`, a warning if they can overlap or if one of
//! them never applies.

use super::report::{Report, Unfinished};
use super::selection::{Rule, Selection};
use crate::policy::document::{At, RegistryEntry};
use crate::policy::effort::{Effort, Ended};
use crate::policy::pattern::ImagePattern;
use crate::text::diagnostic::{Diagnostic, Severity};
use crate::text::glob_index::GlobIndex;
use std::collections::HashMap;
use std::rc::Rc;

/// The uses of one pattern, in the order of the document.
#[derive(Default)]
struct Uses<'d> {
    places: Vec<&'d At<ImagePattern>>,
    /// The numbers of the rules, one for each use.
    rules: Vec<usize>,
}

/// The relation of a rule to another rule with the same pattern. The other rule is given by its number.
#[derive(Debug, Clone, Copy)]
enum Clash {
    /// The other rule wins wherever this one exists.
    NeverReached(usize),
    /// Both rules may exist in one namespace.
    Overlap(usize),
}

/// Compares the rules of each pattern. Patterns that have the same rules are compared once.
pub(super) fn check(
    rules: &[Rule<'_>],
    effort: &Effort<'_>,
    report: &mut Report,
) -> Result<(), Unfinished> {
    let patterns = patterns(rules);
    // This comes first, and has no limit: a warning must not hide a fault.
    for pattern in &patterns {
        taken(rules, pattern, report);
    }
    let mut compared: HashMap<&[usize], Rc<[Vec<Clash>]>> = HashMap::new();
    for pattern in patterns.iter().filter(|pattern| pattern.rules.len() > 1) {
        if report.has_enough_warnings() {
            break;
        }
        let clashes = if let Some(known) = compared.get(&*pattern.rules) {
            known.clone()
        } else {
            let clashes: Rc<[_]> = compare(rules, &pattern.rules, effort)
                .map_err(|ended| Unfinished::at(ended, pattern.places[0]))?
                .into();
            compared.insert(&pattern.rules, clashes.clone());
            clashes
        };
        let uses = pattern.places.iter().zip(&pattern.rules);
        for ((at, rule), clashes) in uses.zip(&*clashes) {
            for clash in clashes {
                report.add(clash.diagnose(at, rules[*rule].entry, rules));
            }
        }
    }
    Ok(())
}

fn patterns<'d>(rules: &[Rule<'d>]) -> Vec<Uses<'d>> {
    let mut numbers: HashMap<&ImagePattern, usize> = HashMap::new();
    let mut patterns: Vec<Uses<'_>> = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        for image in &rule.entry.images {
            let pattern = *numbers.entry(&image.value).or_insert(patterns.len());
            if pattern == patterns.len() {
                patterns.push(Uses::default());
            }
            patterns[pattern].places.push(image);
            patterns[pattern].rules.push(number);
        }
    }
    patterns
}

/// Adds a fault if two rules without `namespaces` have the same pattern.
fn taken(rules: &[Rule<'_>], pattern: &Uses<'_>, report: &mut Report) {
    let uses = pattern.places.iter().zip(&pattern.rules);
    let mut unbound = uses.filter(|(_, rule)| rules[**rule].selection.is_none());
    let Some((first_at, first)) = unbound.next() else {
        return;
    };
    let name = |rule: &usize| &rules[*rule].entry.name.value;
    for (at, rule) in unbound.filter(|(_, rule)| *rule != first) {
        let message = format!(
            "the pattern `{}` is in rule `{}` already (line {}, column {}), and again in rule `{}`",
            at.value,
            name(first),
            first_at.span.line,
            first_at.span.column,
            name(rule),
        );
        let help = "give one of the rules `namespaces`, or keep one of them".to_owned();
        report.add(at.diagnose(Severity::Fault, message, Some(help)));
    }
}

/// Returns the relations between the rules of one pattern: a list for each use, in the order of `users`.
fn compare(
    rules: &[Rule<'_>],
    users: &[usize],
    effort: &Effort<'_>,
) -> Result<Vec<Vec<Clash>>, Ended> {
    let group = Group::new(rules, users, effort)?;
    let hiding = group.hiding_later();
    let mut clashes = Vec::new();
    for (place, later) in hiding.into_iter().enumerate() {
        clashes.push(match group.selection(place) {
            None => {
                let earlier = group.hiding_earlier(place);
                let numbers = earlier.into_iter().chain(later);
                numbers.map(Clash::NeverReached).collect()
            }
            Some(own) => group.clash(place, own, effort)?.into_iter().collect(),
        });
    }
    Ok(clashes)
}

/// The uses of one pattern. A *place* is the number of a use, a *number* that of a rule.
struct Group<'g, 'd> {
    rules: &'g [Rule<'d>],
    users: &'g [usize],
    /// The globs of all rules, each with the place of the use.
    globs: GlobIndex<usize>,
    /// The first places of a rule without `namespaces`, with `namespaces`, without names, and for all namespaces.
    unbound: Option<usize>,
    bound: Option<usize>,
    of_any_name: Option<usize>,
    everywhere: Option<usize>,
}

impl<'g, 'd> Group<'g, 'd> {
    fn new(rules: &'g [Rule<'d>], users: &'g [usize], effort: &Effort<'_>) -> Result<Self, Ended> {
        let mut globs = Vec::new();
        for (place, number) in users.iter().enumerate() {
            let selection = rules[*number].selection.as_ref();
            let names = selection.and_then(|selection| selection.names);
            for glob in names.unwrap_or_default() {
                effort.spend(glob.as_str().len())?;
                globs.push((glob.clone(), place));
            }
        }
        let selections = || users.iter().map(|number| rules[*number].selection.as_ref());
        Ok(Self {
            rules,
            users,
            globs: GlobIndex::new(globs.into_iter()),
            unbound: selections().position(|known| known.is_none()),
            bound: selections().position(|known| known.is_some()),
            of_any_name: selections()
                .position(|known| known.is_some_and(|own| own.names.is_none())),
            everywhere: selections().position(|known| known.is_some_and(Selection::is_everything)),
        })
    }

    fn selection(&self, place: usize) -> Option<&'g Selection<'d>> {
        self.rules[self.users[place]].selection.as_ref()
    }

    /// Returns whether a place comes before another place, and belongs to another rule.
    fn is_earlier(&self, earlier: usize, place: usize) -> bool {
        earlier < place && self.users[earlier] != self.users[place]
    }

    /// Returns the first earlier rule for all namespaces, if no rule without `namespaces` has the pattern already.
    fn hiding_earlier(&self, place: usize) -> Option<usize> {
        let is_earlier = |earlier: &usize| self.is_earlier(*earlier, place);
        let is_taken = self.unbound.as_ref().is_some_and(is_earlier);
        let earlier = self
            .everywhere
            .filter(|earlier| !is_taken && is_earlier(earlier));
        earlier.map(|earlier| self.users[earlier])
    }

    /// Returns the first later rule for all namespaces, for each place: it wins over an earlier rule without
    /// `namespaces`.
    fn hiding_later(&self) -> Vec<Option<usize>> {
        let mut next = None;
        let mut hiding = vec![None; self.users.len()];
        for place in (0..self.users.len()).rev() {
            hiding[place] = next;
            if self.selection(place).is_some_and(Selection::is_everything) {
                next = Some(self.users[place]);
            }
        }
        hiding
    }

    /// Returns the first earlier rule that may exist in a namespace of this one.
    fn clash(
        &self,
        place: usize,
        own: &Selection<'_>,
        effort: &Effort<'_>,
    ) -> Result<Option<Clash>, Ended> {
        let any = if own.names.is_none() {
            self.bound
        } else {
            self.of_any_name
        };
        let mut first = any.filter(|earlier| self.is_earlier(*earlier, place));
        for glob in own.names.unwrap_or_default() {
            for (other, earlier) in self.globs.neighbours(glob) {
                effort.spend(glob.as_str().len() + other.as_str().len())?;
                let is_first =
                    self.is_earlier(*earlier, place) && first.is_none_or(|known| *earlier < known);
                if is_first && other.overlaps(glob) {
                    first = Some(*earlier);
                }
            }
        }
        let Some((winner, first)) = first.and_then(|first| Some((self.selection(first)?, first)))
        else {
            return Ok(None);
        };
        let clash = if winner.covers(own, effort)? {
            Clash::NeverReached
        } else {
            Clash::Overlap
        };
        Ok(Some(clash(self.users[first])))
    }
}

impl Clash {
    fn diagnose(
        self,
        at: &At<ImagePattern>,
        rule: &RegistryEntry,
        rules: &[Rule<'_>],
    ) -> Diagnostic {
        let name = |number: usize| &rules[number].entry.name.value;
        let (message, help) = match self {
            Self::NeverReached(winner) => (
                format!(
                    "this can never apply: rule `{}` has the same pattern and wins everywhere",
                    name(winner)
                ),
                "remove the pattern here, or narrow the other rule",
            ),
            Self::Overlap(first) => (
                format!(
                    "rules `{}` and `{}` have this pattern and namespaces that can overlap",
                    name(first),
                    rule.name.value
                ),
                "where both match, the one that comes first in the document wins",
            ),
        };
        at.diagnose(Severity::Warning, message, Some(help.to_owned()))
    }
}
