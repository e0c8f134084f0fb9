//! Finding the rule for an image in time that does not grow with the number of rules.
//!
//! Hosts without a `*` are hashed. Hosts with one are in a trie of their labels from the right, in which labels without
//! a `*` are hashed again, so that only labels with a `*` at the same place are tried one by one. Behind a host, paths
//! are hashed and asked for from the longest; behind a path, rules for namespaces that are named in full are hashed.

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
}

/// A node of the trie of labels.
#[derive(Debug, Default)]
struct HostNode {
    exact: HashMap<Box<str>, HostNode>,
    globs: Vec<(Glob, HostNode)>,
    /// The hosts that end here.
    hosts: Vec<EndingHost>,
}

/// A host with `*` that ends at a node.
#[derive(Debug)]
struct EndingHost {
    port: Option<Box<str>>,
    /// The characters of the host that are not `*`.
    literals: usize,
    paths: Paths,
}

/// The paths of all patterns of one host.
#[derive(Debug, Default)]
struct Paths(HashMap<Box<str>, Rules>);

/// The rules of one pattern, by their number in the document.
#[derive(Debug, Default)]
struct Rules {
    named: HashMap<Box<str>, usize>,
    selected: Vec<usize>,
    anywhere: Option<usize>,
}

/// A rule that was found and how specific it is; the greatest wins. The fields count in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    pattern: Specificity,
    is_namespaced: bool,
    rule: Reverse<usize>,
}

/// The rule of the longest path that covers a repository.
struct PathMatch {
    length: usize,
    is_namespaced: bool,
    rule: usize,
}

impl Index {
    pub(super) fn new(rules: &[RegistryRule]) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            for pattern in &rule.images {
                index
                    .paths(pattern.host())
                    .0
                    .entry(pattern.path().into())
                    .or_default()
                    .add(number, rule);
            }
        }
        index
    }

    fn paths(&mut self, host: &Host) -> &mut Paths {
        match host {
            Host::Exact(host) => self.exact.entry(host.clone()).or_default(),
            Host::Glob { labels, port } => {
                let node = labels.iter().rev().fold(&mut self.globs, HostNode::child);
                let known = node
                    .hosts
                    .iter()
                    .position(|known| known.port == *port)
                    .unwrap_or_else(|| {
                        node.hosts.push(EndingHost {
                            port: port.clone(),
                            literals: host.literals(),
                            paths: Paths::default(),
                        });
                        node.hosts.len() - 1
                    });
                &mut node.hosts[known].paths
            }
        }
    }

    /// The most specific rule for an image among those that apply in the namespace.
    pub(super) fn find(
        &self,
        image: &Image<'_>,
        namespace: &str,
        applies: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let registry = lowercase(image.registry());
        let mut best: Option<Found> = None;
        let mut look = |paths: &Paths, is_exact, literals| {
            let found = paths.find(image.repository(), namespace, &applies);
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
            let hosts = node.hosts.iter();
            for host in hosts.filter(|host| host.port.as_deref() == port) {
                look(&host.paths, false, host.literals);
            }
        });
        best.map(|best| best.rule.0)
    }
}

/// Hosts are compared without regard to case; nearly all are written in lower case.
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
        let known = self
            .globs
            .iter()
            .position(|(known, _)| known == label)
            .unwrap_or_else(|| {
                self.globs.push((label.clone(), Self::default()));
                self.globs.len() - 1
            });
        &mut self.globs[known].1
    }

    /// Every node at which these labels end. Goes no deeper than the longest pattern.
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
        namespace: &str,
        applies: impl Fn(usize) -> bool,
    ) -> Option<PathMatch> {
        let shorter = |path: &&str| match path.bytes().rposition(|byte| byte == b'/') {
            Some(slash) => Some(&repository[..slash]),
            None => (!path.is_empty()).then_some(""),
        };
        std::iter::successors(Some(repository), shorter).find_map(|path| {
            let (is_namespaced, rule) = self.0.get(path)?.find(namespace, &applies)?;
            Some(PathMatch {
                length: path.len(),
                is_namespaced,
                rule,
            })
        })
    }
}

impl Rules {
    fn add(&mut self, number: usize, rule: &RegistryRule) {
        let Some(selector) = &rule.namespaces else {
            self.anywhere.get_or_insert(number);
            return;
        };
        let literals: Option<Vec<_>> = selector
            .names
            .iter()
            .flatten()
            .map(|glob| glob.literal())
            .collect::<Option<Vec<_>>>();
        match literals {
            Some(names) if selector.labels.is_none() => {
                for name in names {
                    self.named.entry(name.into()).or_insert(number);
                }
            }
            _ => self.selected.push(number),
        }
    }

    fn find(&self, namespace: &str, applies: impl Fn(usize) -> bool) -> Option<(bool, usize)> {
        let named = self.named.get(namespace).copied();
        let selected = self.selected.iter().copied().find(|rule| applies(*rule));
        let namespaced = named
            .into_iter()
            .chain(selected)
            .min()
            .map(|rule| (true, rule));
        namespaced.or(self.anywhere.map(|rule| (false, rule)))
    }
}
