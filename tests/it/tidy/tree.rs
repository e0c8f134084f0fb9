//! The modules of a set of Rust files: which file holds which module, and which definition a path leads to.

use std::collections::{BTreeMap, BTreeSet};
use syn::visit::Visit;
use syn::{Item, UseTree};

/// A Rust file: its path in the repository, and its content.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) ast: syn::File,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let ast = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            ast,
        }
    }
}

/// An absolute path of modules and a name: `["crate", "text", "glob", "Glob"]`. The first segment is the root of a
/// module tree (`crate`, or `pullgate` for the library as other crates call it) or the name of an external crate.
pub(super) type Path = Vec<String>;

/// A module: the names that its file defines and brings into scope.
#[derive(Default)]
pub(super) struct Module {
    /// The index of its file.
    pub(super) file: usize,
    /// Whether it is declared under `#[cfg(test)]`.
    pub(super) is_test: bool,
    pub(super) defined: BTreeSet<String>,
    /// Names that `use` brings into scope, with their paths as written, made absolute.
    pub(super) bound: BTreeMap<String, Path>,
    /// The targets of `use path::*`.
    pub(super) globs: Vec<Path>,
    pub(super) children: BTreeSet<String>,
}

/// The module tree of one crate.
pub(super) struct Tree {
    pub(super) modules: BTreeMap<Path, Module>,
}

impl Tree {
    /// Follows the `mod` declarations from the root file of a crate. `root` is the first segment of all its paths.
    pub(super) fn grow(sources: &[Source], root: &str, root_file: &str) -> Self {
        let mut tree = Self {
            modules: BTreeMap::new(),
        };
        let file = position(sources, root_file).unwrap_or_else(|| panic!("no file {root_file}"));
        let folder = folder_of(root_file);
        let path = vec![root.to_owned()];
        tree.add(sources, file, &sources[file].ast.items, path, folder, false);
        tree
    }

    fn add(
        &mut self,
        sources: &[Source],
        file: usize,
        items: &[Item],
        path: Path,
        folder: String,
        is_test: bool,
    ) {
        let mut module = Module {
            file,
            is_test,
            ..Module::default()
        };
        for item in items {
            match item {
                Item::Use(item) => bindings(&item.tree, &mut vec![], &path, &mut module),
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let mut child_path = path.clone();
                    child_path.push(name.clone());
                    let is_test = is_test || has_cfg_test(&child.attrs);
                    if let Some((_, items)) = &child.content {
                        let folder = format!("{folder}/{name}");
                        self.add(sources, file, items, child_path, folder, is_test);
                    } else if let Some((file, folder)) = find(sources, file, &folder, child) {
                        let items = &sources[file].ast.items;
                        self.add(sources, file, items, child_path, folder, is_test);
                    }
                    module.children.insert(name);
                }
                item => module.defined.extend(name_of(item)),
            }
            // A `use` inside a function counts for the whole module.
            let mut inner = InnerUses {
                module: &mut module,
                path: &path,
            };
            if !matches!(item, Item::Use(_) | Item::Mod(_)) {
                inner.visit_item(item);
            }
        }
        self.modules.insert(path, module);
    }

    /// The modules that a file is the whole of, without tests: more than one where `#[path]` names it twice.
    pub(super) fn mounts(&self, file: usize) -> impl Iterator<Item = &Path> {
        let is_file = move |path: &Path| self.modules.get(path).is_some_and(|m| m.file == file);
        let is_whole = move |path: &Path| !is_file(&path[..path.len() - 1].to_vec());
        let modules = self.modules.iter().filter(|(_, module)| !module.is_test);
        modules
            .map(|(path, _)| path)
            .filter(move |path| is_file(path) && is_whole(path))
    }
}

struct InnerUses<'m> {
    module: &'m mut Module,
    path: &'m Path,
}

impl<'ast> Visit<'ast> for InnerUses<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        bindings(&item.tree, &mut vec![], self.path, self.module);
    }
}

/// All trees of the repository that can see each other: the one under judgement, and the library.
pub(super) struct Forest<'t> {
    pub(super) own: &'t Tree,
    /// The library, for crates that call it by its name.
    pub(super) library: Option<(&'t str, &'t Tree)>,
}

/// The target of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A definition in this file.
    Definition(usize),
    /// A module, in this file.
    Module(usize),
    /// Another crate, by its path.
    Outside(Path),
}

impl Forest<'_> {
    /// Returns the target of a path that is written in a module.
    pub(super) fn resolve(&self, module: &Path, written: &[String]) -> Option<Target> {
        let path = absolute(module, written, self)?;
        let found = self.find(path.clone(), &mut BTreeSet::new());
        found.or_else(|| {
            // A name that a macro defines: the innermost module that is known.
            let tree = self.tree_of(&path)?;
            let module = (1..=path.len())
                .rev()
                .find_map(|end| tree.modules.get(&path[..end]));
            module.map(|module| Target::Definition(module.file))
        })
    }

    fn tree_of(&self, path: &Path) -> Option<&Tree> {
        let first = path.first()?;
        match self.library {
            Some((name, tree)) if name == first => Some(tree),
            _ if first == "crate" => Some(self.own),
            _ => None,
        }
    }

    fn find(&self, path: Path, seen: &mut BTreeSet<Path>) -> Option<Target> {
        let Some(tree) = self.tree_of(&path) else {
            return Some(Target::Outside(path));
        };
        if !seen.insert(path.clone()) {
            return None;
        }
        let mut at = 1;
        while at < path.len() && tree.modules.contains_key(&path[..=at]) {
            at += 1;
        }
        let module = &tree.modules[&path[..at]];
        let Some(name) = path.get(at) else {
            return Some(Target::Module(module.file));
        };
        if module.defined.contains(name) {
            return Some(Target::Definition(module.file));
        }
        let rest = &path[at + 1..];
        let follow = |target: &Path| -> Path { [target.as_slice(), rest].concat() };
        if let Some(target) = module.bound.get(name) {
            return self.find(follow(target), seen);
        }
        for glob in &module.globs {
            let target = follow(&[glob.as_slice(), std::slice::from_ref(name)].concat());
            if self.tree_of(&target).is_some()
                && let Some(found @ Target::Definition(_)) = self.find(target, seen)
            {
                return Some(found);
            }
        }
        None
    }
}

/// The absolute form of a path that is written in a module.
fn absolute(module: &Path, written: &[String], forest: &Forest<'_>) -> Option<Path> {
    let first = written[0].as_str();
    if matches!(first, "crate" | "self" | "super") {
        return Some(from_keywords(module, written));
    }
    let here = forest.own.modules.get(module)?;
    if here.children.contains(first) || here.defined.contains(first) {
        return Some([module.as_slice(), written].concat());
    }
    Some(match here.bound.get(first) {
        Some(target) => [target.as_slice(), &written[1..]].concat(),
        None => written.to_vec(),
    })
}

fn from_keywords(module: &Path, written: &[String]) -> Path {
    let mut base = module.clone();
    let mut rest = written.iter().peekable();
    while let Some(word) = rest.peek() {
        match word.as_str() {
            "crate" => base.truncate(1),
            "self" => {}
            "super" => drop(base.pop()),
            _ => break,
        }
        rest.next();
    }
    base.extend(rest.cloned());
    base
}

/// Notes which names a `use` brings into the scope of a module.
fn bindings(tree: &UseTree, prefix: &mut Path, module: &Path, into: &mut Module) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            bindings(&path.tree, prefix, module, into);
            prefix.pop();
        }
        UseTree::Name(name) => bind(&name.ident.to_string(), None, prefix, module, into),
        UseTree::Rename(name) => bind(
            &name.ident.to_string(),
            Some(name.rename.to_string()),
            prefix,
            module,
            into,
        ),
        UseTree::Glob(_) => into.globs.push(made_absolute(prefix, module)),
        UseTree::Group(group) => {
            for tree in &group.items {
                bindings(tree, prefix, module, into);
            }
        }
    }
}

fn bind(name: &str, alias: Option<String>, prefix: &Path, module: &Path, into: &mut Module) {
    let mut path = prefix.clone();
    if name != "self" {
        path.push(name.to_owned());
    }
    let alias = alias.or_else(|| path.last().cloned()).expect("a name");
    into.bound.insert(alias, made_absolute(&path, module));
}

/// `use` paths begin at a keyword, at a child module, or at another crate. Child modules that are declared further down
/// are told from crates by their name when the path is followed.
fn made_absolute(path: &Path, module: &Path) -> Path {
    match path[0].as_str() {
        "crate" | "self" | "super" => from_keywords(module, path),
        _ => path.clone(),
    }
}

/// Makes `use child::Name` absolute, once all children are known.
pub(super) fn settle(tree: &mut Tree) {
    let children: BTreeMap<Path, BTreeSet<String>> = tree
        .modules
        .iter()
        .map(|(path, module)| (path.clone(), module.children.clone()))
        .collect();
    for (path, module) in &mut tree.modules {
        let bound = module.bound.values_mut();
        for target in bound.chain(&mut module.globs) {
            if children[path].contains(&target[0]) {
                let mut absolute = path.clone();
                absolute.append(target);
                *target = absolute;
            }
        }
    }
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

pub(super) fn has_cfg_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// The file of `mod name;`, and the folder that its own children are in.
fn find(
    sources: &[Source],
    parent: usize,
    folder: &str,
    child: &syn::ItemMod,
) -> Option<(usize, String)> {
    let name = &child.ident;
    let named = child.attrs.iter().find_map(|attribute| {
        let value = attribute.meta.require_name_value().ok()?;
        let is_path = value.path.is_ident("path");
        match &value.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) if is_path => Some(text.value()),
            _ => None,
        }
    });
    if let Some(named) = named {
        let beside = sources[parent].path.rsplit_once('/').expect("a folder").0;
        let path = normal(&format!("{beside}/{named}"));
        return Some((position(sources, &path)?, folder_of(&path)));
    }
    let single = format!("{folder}/{name}.rs");
    let faced = format!("{folder}/{name}/mod.rs");
    let inner = format!("{folder}/{name}");
    Some((
        position(sources, &single).or_else(|| position(sources, &faced))?,
        inner,
    ))
}

/// The folder of a file's child modules, for a root or a `mod.rs` or a file named by `#[path]`.
fn folder_of(path: &str) -> String {
    path.rsplit_once('/').expect("a folder").0.to_owned()
}

fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn position(sources: &[Source], path: &str) -> Option<usize> {
    sources.iter().position(|source| source.path == path)
}
