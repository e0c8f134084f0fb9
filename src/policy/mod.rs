//! The valid policy, and its queries.

mod checks;
pub mod document;
mod effort;
mod index;
mod loading;
pub mod pattern;
mod rules;
pub mod selector;
pub mod source;

use crate::kubelet::image::Image;
use crate::objects::names;
use crate::policy::document::{Document, ExceptionEntry};
use crate::policy::pattern::{Host, ImagePattern};
use crate::policy::selector::{Match, Namespace};
use crate::secrets::account::Product;
use crate::text::diagnostic::{Diagnostic, Severity};
use crate::text::glob_index::GlobIndex;
use crate::text::yaml::Node;
use foldhash::HashMap;
use index::Index;
use jiff::civil::Date;
use std::cell::RefCell;
use std::cmp::Reverse;

pub use crate::policy::document::{
    CredentialClause, Mode, NamespaceSelector, Provision, Running, Unmatched,
};
pub use loading::{Loading, Purpose};
pub use rules::{Access, Ban, BanTarget, Exception, Lifted, RegistryRule};
use rules::{exceptions_of, first_exception};

/// A valid policy. The default stands for an absent one: it injects nothing and denies nothing.
#[derive(Debug, Default)]
pub struct Policy {
    registries: Vec<RegistryRule>,
    index: Index,
    /// The numbers of the rules that inject each secret.
    injecting: HashMap<Box<str>, Vec<usize>>,
    unmatched: Unmatched,
    bans: Vec<Ban>,
    /// The globs of banned secret names, with the number of the ban.
    banned_names: GlobIndex<usize>,
    products_by_host: HashMap<Box<str>, Product>,
    products_by_glob: Vec<(Host, Product)>,
    exceptions: Vec<Exception>,
    /// For each ban, the numbers of the exceptions that lift it, ascending.
    exceptions_of: Vec<Vec<usize>>,
    exempt: Option<NamespaceSelector>,
}

/// A policy document, loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The policy, if there are no faults.
    pub policy: Option<Policy>,
    /// All faults and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// A ban on the content of Secrets.
#[derive(Debug, Clone, Copy)]
pub struct CredentialBan<'p> {
    /// The position of the ban in the policy.
    pub number: usize,
    /// The ban.
    pub ban: &'p Ban,
    /// The content that it bans.
    pub clause: &'p CredentialClause,
}

/// The rules of one namespace, for many images. Answers about lists of rules are cached across images.
#[derive(Debug)]
pub struct RulesIn<'p> {
    policy: &'p Policy,
    namespace: Namespace<'p>,
    /// For each list of rules (by its address in memory), the first rule that applies in the namespace.
    first: RefCell<HashMap<*const usize, Option<usize>>>,
}

/// A rule that covers an image, with its pattern that does.
#[derive(Debug)]
pub struct Candidate<'p> {
    /// The rule.
    pub rule: &'p RegistryRule,
    /// Its most specific pattern that covers the image.
    pub pattern: &'p ImagePattern,
    /// Whether the rule exists in the namespace.
    pub applies: Match,
}

impl Policy {
    /// Loads a policy document as an edit on this day (UTC).
    #[must_use]
    pub fn load(text: &str, today: Date) -> Loaded {
        Self::load_as(text, &Loading::edit(today))
    }

    /// Loads a policy document.
    #[must_use]
    pub fn load_as(text: &str, loading: &Loading<'_>) -> Loaded {
        Self::check(document::read(text), loading)
    }

    /// Loads a policy document that is parsed already.
    #[must_use]
    pub fn load_node(node: &Node, loading: &Loading<'_>) -> Loaded {
        Self::check(document::read_node(node), loading)
    }

    fn check(
        (document, mut diagnostics): (Document, Vec<Diagnostic>),
        loading: &Loading<'_>,
    ) -> Loaded {
        diagnostics.extend(checks::run(&document, loading));
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        let is_valid = diagnostics
            .iter()
            .all(|diagnostic| diagnostic.severity != Severity::Fault);
        Loaded {
            policy: is_valid.then(|| Self::from(document)),
            diagnostics,
        }
    }

    /// Returns the rules, in the order of the document.
    #[must_use]
    pub fn registries(&self) -> &[RegistryRule] {
        &self.registries
    }

    /// Returns the treatment of images that no rule covers.
    #[must_use]
    pub fn unmatched(&self) -> Unmatched {
        self.unmatched
    }

    /// Returns the bans, in the order of the document.
    #[must_use]
    pub fn bans(&self) -> &[Ban] {
        &self.bans
    }

    /// Returns the rule for an image in a namespace: the most specific one that covers it there. Costs a few hash
    /// look-ups, however many rules there are. A selector by unknown labels matches.
    #[must_use]
    pub fn rule_for(&self, image: &Image<'_>, namespace: Namespace<'_>) -> Option<&RegistryRule> {
        let first = |rules: &[usize]| self.first_that_applies(rules, namespace);
        let found = self.index.find(image, namespace.name, first);
        found.map(|rule| &self.registries[rule])
    }

    /// Returns the rules of one namespace, for many images.
    #[must_use]
    pub fn rules_in<'p>(&'p self, namespace: Namespace<'p>) -> RulesIn<'p> {
        RulesIn {
            policy: self,
            namespace,
            first: RefCell::default(),
        }
    }

    fn first_that_applies(&self, rules: &[usize], namespace: Namespace<'_>) -> Option<usize> {
        let mut rules = rules.iter().copied();
        rules.find(|rule| self.applies(*rule, namespace) != Match::No)
    }

    /// Returns all rules that cover an image, the most specific first, including those that do not exist in the
    /// namespace.
    #[must_use]
    pub fn candidates(&self, image: &Image<'_>, namespace: Namespace<'_>) -> Vec<Candidate<'_>> {
        let mut found: Vec<_> = (0..self.registries.len())
            .filter_map(|number| {
                let rule = &self.registries[number];
                let covering = rule
                    .images
                    .iter()
                    .filter(|p| p.covers(image.registry(), image.repository()));
                let pattern = covering.max_by_key(|pattern| pattern.specificity())?;
                let key = (
                    pattern.specificity(),
                    rule.namespaces.is_some(),
                    Reverse(number),
                );
                Some((
                    key,
                    Candidate {
                        rule,
                        pattern,
                        applies: self.applies(number, namespace),
                    },
                ))
            })
            .collect();
        found.sort_by_key(|(key, _)| Reverse(*key));
        found.into_iter().map(|(_, candidate)| candidate).collect()
    }

    fn applies(&self, rule: usize, namespace: Namespace<'_>) -> Match {
        self.registries[rule].applies(namespace)
    }

    /// Returns the bans on a secret of this name, in the order of the document.
    pub fn bans_on(&self, secret: &str) -> impl Iterator<Item = (usize, &Ban)> {
        // A longer text is not the name of a Secret.
        let secret = if secret.len() > names::MAX_SUBDOMAIN {
            ""
        } else {
            secret
        };
        let mut numbers: Vec<usize> = self.banned_names.matching(secret).copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
            .into_iter()
            .map(|number| (number, &self.bans[number]))
    }

    /// Returns the bans on the content of Secrets, in the order of the document.
    pub fn credential_bans(&self) -> impl Iterator<Item = CredentialBan<'_>> {
        let all = self.bans.iter().enumerate();
        all.filter_map(|(number, ban)| match &ban.target {
            BanTarget::Credentials(clause) => Some(CredentialBan {
                number,
                ban,
                clause,
            }),
            BanTarget::Secrets(_) => None,
        })
    }

    /// Returns the product that runs at a registry (`host[:port]`), if a rule names it. The first such rule wins.
    #[must_use]
    pub fn product_of(&self, registry: &str) -> Option<Product> {
        let registry = registry.to_ascii_lowercase();
        let exact = self.products_by_host.get(registry.as_str()).copied();
        exact.or_else(|| {
            let mut globs = self.products_by_glob.iter();
            globs.find_map(|(host, product)| host.covers(&registry).then_some(*product))
        })
    }

    /// Returns whether an exception lifts a ban in a namespace on this day (UTC).
    #[must_use]
    pub fn lifted(&self, ban: usize, namespace: Namespace<'_>, today: Date) -> Lifted<'_> {
        let numbers = self.exceptions_of.get(ban).into_iter().flatten();
        let exceptions = numbers.map(|number| &self.exceptions[*number]);
        first_exception(exceptions, namespace, today)
    }

    /// Returns whether an exception lifts `unmatched` in a namespace on this day (UTC).
    #[must_use]
    pub fn unmatched_lifted(&self, namespace: Namespace<'_>, today: Date) -> Lifted<'_> {
        let exceptions = self.exceptions.iter();
        first_exception(
            exceptions.filter(|exception| exception.unmatched),
            namespace,
            today,
        )
    }

    /// Returns whether Pullgate leaves a namespace alone.
    #[must_use]
    pub fn exempt(&self, namespace: Namespace<'_>) -> Match {
        self.exempt
            .as_ref()
            .map_or(Match::No, |selector| selector.matches(namespace))
    }

    fn index_products(&mut self) {
        for rule in &self.registries {
            let Some(product) = rule.product else {
                continue;
            };
            for pattern in &rule.images {
                if let Host::Exact(host) = pattern.host() {
                    let place = self.products_by_host.entry(host.clone());
                    place.or_insert(product);
                } else {
                    let glob = (pattern.host().clone(), product);
                    self.products_by_glob.push(glob);
                }
            }
        }
    }

    fn index_bans(&mut self) {
        let bans = self.bans.iter().enumerate();
        let globs = bans.flat_map(|(number, ban)| {
            let globs = match &ban.target {
                BanTarget::Secrets(globs) => &globs[..],
                BanTarget::Credentials(_) => &[],
            };
            globs.iter().map(move |glob| (glob.clone(), number))
        });
        self.banned_names = GlobIndex::new(globs);
    }

    fn index_secrets(&mut self) {
        for (number, rule) in self.registries.iter().enumerate() {
            for secret in rule.secret_names() {
                let rules = self.injecting.entry(secret.into()).or_default();
                rules.push(number);
            }
        }
    }

    /// Returns the rules that inject a secret, in the order of the document.
    pub fn rules_injecting(&self, secret: &str) -> impl Iterator<Item = &RegistryRule> {
        let numbers = self.injecting.get(secret).into_iter().flatten();
        numbers.map(|number| &self.registries[*number])
    }
}

impl<'p> RulesIn<'p> {
    /// Returns the rule for an image, as [`Policy::rule_for`] does.
    #[must_use]
    pub fn rule_for(&self, image: &Image<'_>) -> Option<&'p RegistryRule> {
        /// Up to this number of rules, asking each one is faster than the cache.
        const FEW: usize = 8;
        let (policy, namespace) = (self.policy, self.namespace);
        let first = |rules: &[usize]| {
            let find = || policy.first_that_applies(rules, namespace);
            if rules.len() <= FEW {
                return find();
            }
            let mut known = self.first.borrow_mut();
            *known.entry(rules.as_ptr()).or_insert_with(find)
        };
        let found = policy.index.find(image, namespace.name, first);
        found.map(|rule| &policy.registries[rule])
    }
}

impl From<Document> for Policy {
    fn from(document: Document) -> Self {
        let registries: Vec<_> = document
            .registries
            .into_iter()
            .map(|entry| RegistryRule::from(entry.value))
            .collect();
        let bans: Vec<_> = document
            .bans
            .into_iter()
            .map(|entry| Ban::from(entry.value))
            .collect();
        let exceptions_of = exceptions_of(&bans, &document.exceptions);
        let exception = |entry: ExceptionEntry| Exception {
            unmatched: entry.unmatched.is_some(),
            namespaces: entry.namespaces,
            owner: entry.owner,
            reason: entry.reason,
            expires: entry.expires.value,
        };
        let exceptions = document
            .exceptions
            .into_iter()
            .map(|entry| exception(entry.value))
            .collect();
        let mut policy = Self {
            index: Index::new(&registries),
            registries,
            unmatched: document.unmatched,
            exceptions,
            exceptions_of,
            exempt: document.exempt.map(|exempt| exempt.value.namespaces),
            ..Self::default()
        };
        policy.bans = bans;
        policy.index_products();
        policy.index_bans();
        policy.index_secrets();
        policy
    }
}
