//! Finds the rule for an image, in time that does not grow with the number of rules.
//!
//! Hosts without `*` are hashed. Hosts with `*` are in a trie of their labels, read from the right. Labels without `*`
//! are hashed again, so only labels with `*` at the same position are tried one by one. Below a host, paths are hashed,
//! and looked up from the longest to the shortest.
//!
//! Rules for namespaces with full names are hashed by namespace, apart from the paths. Storing them below each path
//! would take memory for the product of the paths and namespaces of a rule.

use super::RegistryRule;
use crate::kubelet::image::Image;
use crate::policy::pattern::{Host, Specificity, split_port};
use crate::text::glob::Glob;
use foldhash::HashMap;
use std::borrow::Cow;
use std::cmp::Reverse;

#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<Box<str>, Paths>,
    globs: HostNode,
    /// The rules with a selector that names namespaces in full and needs no labels, by namespace; ascending.
    named: HashMap<Box<str>, Vec<usize>>,
}

/// A node of the trie of labels.
#[derive(Debug, Default)]
struct HostNode {
    exact: HashMap<Box<str>, HostNode>,
    globs: HashMap<Glob, HostNode>,
    /// The hosts that end here, by port; the empty key stands for no port.
    hosts: HashMap<Box<str>, EndingHost>,
}

/// A host with `*`, at the node where its labels end.
#[derive(Debug)]
struct EndingHost {
    /// The number of characters of the host other than `*`.
    literals: usize,
    paths: Paths,
}

/// The paths of all patterns of one host.
#[derive(Debug, Default)]
struct Paths(HashMap<Box<str>, Rules>);

/// The rules of one pattern, by number in the document, ascending.
#[derive(Debug, Default)]
struct Rules {
    named: Vec<usize>,
    selected: Vec<usize>,
    anywhere: Option<usize>,
}

/// A rule that was found, with its specificity. The greatest one wins; the fields are compared in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    pattern: Specificity,
    is_namespaced: bool,
    rule: Reverse<usize>,
}

/// The rule at the longest path that covers a repository.
struct PathMatch {
    length: usize,
    is_namespaced: bool,
    rule: usize,
}

impl Index {
    pub(super) fn new(rules: &[RegistryRule]) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            let scope = Scope::of(rule);
            if let Scope::Named(names) = &scope {
                for name in names {
                    let rules = index.named.entry((*name).into()).or_default();
                    rules.push(number);
                }
            }
            for pattern in &rule.images {
                index
                    .paths(pattern.host())
                    .0
                    .entry(pattern.path().into())
                    .or_default()
                    .add(number, &scope);
            }
        }
        index
    }

    fn paths(&mut self, host: &Host) -> &mut Paths {
        match host {
            Host::Exact(host) => self.exact.entry(host.clone()).or_default(),
            Host::Glob { labels, port } => {
                let node = labels.iter().rev().fold(&mut self.globs, HostNode::child);
                let ending = node
                    .hosts
                    .entry(port.clone().unwrap_or_default())
                    .or_insert_with(|| EndingHost {
                        literals: host.literals(),
                        paths: Paths::default(),
                    });
                &mut ending.paths
            }
        }
    }

    /// Returns the most specific rule for an image among those that apply in the namespace. `first` returns the first
    /// rule that applies, of a list of rules with label or glob selectors.
    pub(super) fn find(
        &self,
        image: &Image<'_>,
        namespace: &str,
        first: impl Fn(&[usize]) -> Option<usize>,
    ) -> Option<usize> {
        let registry = lowercase(image.registry());
        let mut best: Option<Found> = None;
        let named = self.named.get(namespace).map_or(&[][..], Vec::as_slice);
        let mut look = |paths: &Paths, is_exact, literals| {
            let found = paths.find(image.repository(), named, &first);
            let found = found.map(|found| Found {
                pattern: Specificity {
                    path: found.length,
                    is_exact,
                    literals,
                },
                is_namespaced: found.is_namespaced,
                rule: Reverse(found.rule),
            });
            best = best.max(found);
        };
        if let Some(paths) = self.exact.get(&*registry) {
            look(paths, true, 0);
        }
        let (host, port) = split_port(&registry);
        self.globs.visit(host.rsplit('.'), &mut |node| {
            if let Some(host) = node.hosts.get(port.unwrap_or_default()) {
                look(&host.paths, false, host.literals);
            }
        });
        best.map(|best| best.rule.0)
    }
}

/// Lowers the case: hosts are compared without regard to case, and nearly all are in lower case already.
fn lowercase(registry: &str) -> Cow<'_, str> {
    if registry.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(registry.to_ascii_lowercase())
    } else {
        Cow::Borrowed(registry)
    }
}

impl HostNode {
    fn child(&mut self, label: &Glob) -> &mut Self {
        if let Some(text) = label.literal() {
            return self.exact.entry(text.into()).or_default();
        }
        self.globs.entry(label.clone()).or_default()
    }

    /// Visits each node at which these labels end. Goes no deeper than the longest pattern.
    fn visit<'h>(
        &self,
        mut labels: impl Iterator<Item = &'h str> + Clone,
        at_end: &mut impl FnMut(&Self),
    ) {
        let Some(label) = labels.next() else {
            return at_end(self);
        };
        if let Some(child) = self.exact.get(label) {
            child.visit(labels.clone(), at_end);
        }
        for (_, child) in self.globs.iter().filter(|(glob, _)| glob.matches(label)) {
            child.visit(labels.clone(), at_end);
        }
    }
}

impl Paths {
    fn find(
        &self,
        repository: &str,
        named: &[usize],
        first: impl Fn(&[usize]) -> Option<usize>,
    ) -> Option<PathMatch> {
        let shorter = |path: &&str| match path.bytes().rposition(|byte| byte == b'/') {
            Some(slash) => Some(&repository[..slash]),
            None => (!path.is_empty()).then_some(""),
        };
        std::iter::successors(Some(repository), shorter).find_map(|path| {
            let (is_namespaced, rule) = self.0.get(path)?.find(named, &first)?;
            Some(PathMatch {
                length: path.len(),
                is_namespaced,
                rule,
            })
        })
    }
}

/// The namespaces in which a rule exists.
enum Scope<'r> {
    Anywhere,
    /// The named namespaces.
    Named(Vec<&'r str>),
    /// The namespaces that its selector matches.
    Selected,
}

impl<'r> Scope<'r> {
    fn of(rule: &'r RegistryRule) -> Self {
        let Some(selector) = &rule.namespaces else {
            return Self::Anywhere;
        };
        let names = selector.names.iter().flatten();
        let names: Option<Vec<_>> = names.map(Glob::literal).collect();
        match names {
            Some(names) if selector.labels.is_none() => Self::Named(names),
            _ => Self::Selected,
        }
    }
}

impl Rules {
    fn add(&mut self, number: usize, scope: &Scope<'_>) {
        match scope {
            Scope::Anywhere => drop(self.anywhere.get_or_insert(number)),
            Scope::Named(_) => self.named.push(number),
            Scope::Selected => self.selected.push(number),
        }
    }

    /// Returns the first rule for a namespace; `named` are the rules (ascending) that name it in full.
    fn find(
        &self,
        named: &[usize],
        first: impl Fn(&[usize]) -> Option<usize>,
    ) -> Option<(bool, usize)> {
        let (few, many) = if named.len() < self.named.len() {
            (named, &*self.named)
        } else {
            (&*self.named, named)
        };
        let mut few = few.iter().copied();
        let named = few.find(|rule| many.binary_search(rule).is_ok());
        let selected = first(&self.selected);
        let namespaced = named.into_iter().chain(selected).min();
        let namespaced = namespaced.map(|rule| (true, rule));
        namespaced.or(self.anywhere.map(|rule| (false, rule)))
    }
}
