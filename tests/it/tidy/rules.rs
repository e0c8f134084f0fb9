//! The rules of the layout, each a function from files to violations.

use super::paths::{How, Paths};
use super::tree::{Forest, Path, Source, Target, Tree, settle};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::Visit;

/// The most lines of a Rust file.
pub(super) const MAX_LINES: usize = 400;

/// The kind of a wing: pure, or an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purity {
    /// It takes values and returns values.
    Pure,
    /// It may touch sockets, files, clocks and the API server.
    Edge,
}
pub(super) use Purity::{Edge, Pure};

/// The wings of a crate: each may import those above it.
pub(super) type Wings<'w> = &'w [(&'w str, Purity)];

/// The paths that a pure wing must not name. `core` and `alloc` count like `std`.
const IMPURE: [&str; 18] = [
    "tokio",
    "axum",
    "hyper",
    "rustls",
    "tracing",
    "kube",
    "rcgen",
    "arc_swap",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
];

/// Addresses are values: to read one touches no socket. A serializer writes into memory by `Write`, and returns
/// `Result`.
const VALUES: [&str; 5] = [
    "std::io::Write",
    "std::io::Result",
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
];

/// One arrow: a file names a definition of another file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) name: String,
}

/// Every path of one crate, resolved.
pub(super) struct Names {
    pub(super) arrows: BTreeSet<Arrow>,
    /// The files and the paths of other crates that they name.
    pub(super) outside: BTreeSet<(String, String)>,
    pub(super) asynchronous: BTreeSet<String>,
}

/// Resolves the paths of the crate with this root file. `library` is the root file of the crate that is called
/// `pullgate` there.
pub(super) fn names(sources: &[Source], root: &str, library: Option<&str>) -> Names {
    let own = grown(sources, "crate", root);
    let library = library.map(|root| grown(sources, "pullgate", root));
    let forest = Forest {
        own: &own,
        library: library.as_ref().map(|tree| ("pullgate", tree)),
    };
    let mut names = Names {
        arrows: BTreeSet::new(),
        outside: BTreeSet::new(),
        asynchronous: BTreeSet::new(),
    };
    let files: BTreeSet<usize> = own.modules.values().map(|module| module.file).collect();
    for file in files {
        let paths = Paths::of(&sources[file].ast);
        let from = &sources[file].path;
        if paths.is_async {
            names.asynchronous.insert(from.clone());
        }
        for module in own.mounts(file) {
            read_module(sources, &forest, (file, module), &paths, &mut names);
        }
    }
    names
}

fn grown(sources: &[Source], root: &str, file: &str) -> Tree {
    let mut tree = Tree::grow(sources, root, file);
    settle(&mut tree);
    tree
}

fn read_module(
    sources: &[Source],
    forest: &Forest<'_>,
    (file, module): (usize, &Path),
    paths: &Paths,
    names: &mut Names,
) {
    let from = &sources[file].path;
    let used: BTreeSet<&str> = paths
        .written
        .iter()
        .filter(|written| written.how == How::Code)
        .map(|written| written.segments[0].as_str())
        .collect();
    for written in &paths.written {
        // A name that is only passed on makes its users depend on its definition, not this file.
        let last = written.segments.last().expect("a name");
        if written.how == How::PassedOn && !used.contains(last.as_str()) {
            continue;
        }
        let module = [module.as_slice(), &written.inline].concat();
        match forest.resolve(&module, &written.segments) {
            Some(Target::Definition(to)) if to != file => {
                names.arrows.insert(Arrow {
                    from: from.clone(),
                    to: sources[to].path.clone(),
                    name: written.segments.join("::"),
                });
            }
            Some(Target::Outside(path)) => {
                names.outside.insert((from.clone(), path.join("::")));
            }
            _ => {}
        }
    }
}

/// `src/verdict/words/mod.rs` is in the wing `verdict`.
fn wing(path: &str) -> &str {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    let first = inner.split('/').next().unwrap_or(inner);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Every file of `src` is in a wing of the table.
pub(super) fn strangers(sources: &[Source], wings: Wings<'_>) -> Vec<String> {
    let is_known = |path: &str| wings.iter().any(|(name, _)| *name == wing(path));
    let paths = sources.iter().map(|source| &source.path);
    paths
        .filter(|path| path.starts_with("src/") && !is_known(path))
        .map(|path| format!("{path} is in no wing of the table"))
        .collect()
}

/// Arrows from a wing to one that stands below it in the table.
pub(super) fn arrows_back(names: &Names, wings: Wings<'_>, apart: &[(&str, &str)]) -> Vec<String> {
    let place = |path: &str| wings.iter().position(|(name, _)| *name == wing(path));
    let is_back = |arrow: &&Arrow| {
        let (from, to) = (wing(&arrow.from), wing(&arrow.to));
        let are_apart = apart
            .iter()
            .any(|pair| *pair == (from, to) || *pair == (to, from));
        place(&arrow.from) < place(&arrow.to) || are_apart
    };
    let mut back: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for arrow in names.arrows.iter().filter(is_back) {
        let names = back.entry((&arrow.from, &arrow.to)).or_default();
        names.push(&arrow.name);
    }
    back.into_iter()
        .map(|((from, to), names)| format!("{from} imports from {to}: {}", names.join(", ")))
        .collect()
}

/// Files that import each other, directly or through others: each circle once.
pub(super) fn circles(names: &Names) -> Vec<String> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in &names.arrows {
        next.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reached = |start: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut todo = vec![start];
        while let Some(at) = todo.pop() {
            let unseen = next
                .get(at)
                .into_iter()
                .flatten()
                .filter(|to| seen.insert(to));
            todo.extend(unseen.copied().collect::<Vec<_>>());
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        next.keys().map(|from| (*from, reached(from))).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in &reach {
        let is_mutual = |other: &&&str| reach.get(**other).is_some_and(|back| back.contains(from));
        let members: BTreeSet<&str> = to.iter().filter(is_mutual).copied().collect();
        if members.len() > 1 {
            circles.insert(members);
        }
    }
    let told = circles
        .into_iter()
        .map(|members| members.into_iter().collect::<Vec<_>>().join(" <-> "));
    told.collect()
}

/// Returns the paths of sockets, files, clocks and the API server that pure wings name.
pub(super) fn impurities(names: &Names, wings: Wings<'_>) -> Vec<String> {
    let is_pure = |path: &str| {
        let mut wings = wings.iter();
        wings.any(|known| *known == (wing(path), Pure))
    };
    let is_impure = |path: &str| {
        let rest = path.strip_prefix("core::").or(path.strip_prefix("alloc::"));
        let path = rest.map_or_else(|| path.to_owned(), |rest| format!("std::{rest}"));
        let is_below = |known: &&str| {
            let rest = path.strip_prefix(*known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        IMPURE.iter().any(is_below) && !VALUES.iter().any(is_below)
    };
    let outside = names.outside.iter();
    let impure = outside
        .filter(|(file, path)| is_pure(file) && is_impure(path))
        .map(|(file, path)| format!("{file} is pure and names {path}"));
    let files = names.asynchronous.iter().filter(|file| is_pure(file));
    impure
        .chain(files.map(|file| format!("{file} is pure and has async code")))
        .collect()
}

/// Rust files that are too long.
pub(super) fn long_files(sources: &[Source]) -> Vec<String> {
    let lines = |source: &Source| source.text.lines().count();
    let long = sources.iter().filter(|source| lines(source) > MAX_LINES);
    long.map(|source| format!("{} has {} lines", source.path, lines(source)))
        .collect()
}

/// Returns the `pub` items of `src` that no other file names.
pub(super) fn unused(sources: &[Source]) -> Vec<String> {
    let words: Vec<BTreeSet<String>> = sources
        .iter()
        .map(|source| {
            let mut words = BTreeSet::new();
            let tokens = source.text.parse().expect("Rust");
            collect(tokens, &mut words);
            words
        })
        .collect();
    let mut found = Vec::new();
    for (i, source) in sources
        .iter()
        .enumerate()
        .filter(|(_, source)| source.path.starts_with("src/"))
    {
        let mut items = PublicItems::default();
        items.visit_file(&source.ast);
        for name in items.0 {
            let mut others = words.iter().enumerate().filter(|(other, _)| *other != i);
            if !others.any(|(_, words)| words.contains(&name)) {
                found.push(format!("{}: {name}", source.path));
            }
        }
    }
    found
}

fn collect(tokens: TokenStream, words: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => drop(words.insert(ident.to_string())),
            TokenTree::Group(group) => collect(group.stream(), words),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// The names of `pub` items and of `pub` functions and constants of types.
#[derive(Default)]
struct PublicItems(BTreeSet<String>);

impl PublicItems {
    fn add(&mut self, visibility: &syn::Visibility, ident: &syn::Ident) {
        if !matches!(visibility, syn::Visibility::Inherited) {
            self.0.insert(ident.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for PublicItems {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.add(&item.vis, &item.ident);
    }
    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.add(&item.vis, &item.ident);
    }
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.vis, &item.ident);
    }
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.vis, &item.ident);
    }
    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.vis, &item.ident);
    }
    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.add(&item.vis, &item.ident);
    }
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.vis, &item.sig.ident);
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.vis, &item.sig.ident);
    }
    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.add(&item.vis, &item.ident);
    }
}
