//! Every path that a Rust file writes: in `use`, in code, in attributes and inside macros.

use super::tree::{Path, has_cfg_test};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{Item, UseTree};

/// A path as it is written in a module.
pub(super) struct Written {
    /// The names of the inline modules around it.
    pub(super) inline: Vec<String>,
    pub(super) segments: Path,
    pub(super) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// `use`, which brings a name into scope.
    Import,
    /// `pub use`, which passes a name on.
    PassedOn,
    /// Anywhere else.
    Code,
}

/// The paths of a file, without those under `#[cfg(test)]`, and whether it has `async` code.
#[derive(Default)]
pub(super) struct Paths {
    pub(super) written: Vec<Written>,
    pub(super) is_async: bool,
    inline: Vec<String>,
}

impl Paths {
    pub(super) fn of(file: &syn::File) -> Self {
        let mut paths = Self::default();
        paths.visit_file(file);
        paths
    }

    fn add(&mut self, segments: Path, how: How) {
        self.written.push(Written {
            inline: self.inline.clone(),
            segments,
            how,
        });
    }

    fn import(&mut self, tree: &UseTree, prefix: &mut Path, how: How) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.import(&path.tree, prefix, how);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, prefix, how);
                }
            }
            UseTree::Name(syn::UseName { ident })
            | UseTree::Rename(syn::UseRename { ident, .. }) => {
                let mut path = prefix.clone();
                if ident != "self" {
                    path.push(ident.to_string());
                }
                self.add(path, how);
            }
            // A glob leads to the module itself.
            UseTree::Glob(_) => self.add([prefix.as_slice(), &["*".to_owned()]].concat(), how),
        }
    }

    /// Sequences `a::b::c`, also those that begin with `$crate`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) if path.is_empty() || colons == 2 => {
                    path.push(ident.to_string());
                }
                TokenTree::Punct(punct)
                    if punct.as_char() == ':' && !path.is_empty() && colons < 2 =>
                {
                    colons += 1;
                    continue;
                }
                _ => {
                    self.end(&mut path);
                    if let TokenTree::Ident(ident) = &token {
                        path.push(ident.to_string());
                    }
                }
            }
            colons = 0;
            if let TokenTree::Ident(ident) = &token
                && (ident == "async" || ident == "await")
            {
                self.is_async = true;
            }
            if let TokenTree::Group(group) = token {
                self.tokens(group.stream());
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Path) {
        if !path.is_empty() {
            self.add(std::mem::take(path), How::Code);
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return syn::visit::visit_item(self, item),
        };
        if !has_cfg_test(attributes) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.inline.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.inline.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let how = match item.vis {
            syn::Visibility::Inherited => How::Import,
            _ => How::PassedOn,
        };
        self.import(&item.tree, &mut Vec::new(), how);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.add(segments.collect(), How::Code);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
            // `#[serde(with = "crate::module")]`
            for token in list.tokens.clone() {
                if let TokenTree::Literal(literal) = token
                    && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                    && let Ok(path) = text.parse::<syn::Path>()
                {
                    self.visit_path(&path);
                }
            }
        }
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.is_async |= signature.asyncness.is_some();
        syn::visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.is_async = true;
        syn::visit::visit_expr_async(self, block);
    }
}
