//! Tests of the paths that pages, comments and scripts name.

use super::{files, pages, read, root};
use std::collections::BTreeSet;

/// The top-level folders: a word that begins with one of them is a path.
const FOLDERS: [&str; 9] = [
    "benches/",
    "certs/",
    "charts/",
    "docs/",
    "examples/",
    "fuzz/",
    "src/",
    "tests/",
    ".github/",
];

/// Paths of other repositories, and of folders that a command of CONTRIBUTING.md makes.
const FOREIGN: [&str; 5] = [
    // A workflow in the repository of a user.
    ".github/workflows/pullgate.yaml",
    // Azure/acr
    "docs/AAD-OAuth.md",
    // goharbor/harbor
    "src/common/security",
    "fuzz/corpus/",
    // An example in `tests/it/tidy`.
    "src/other/deep.rs",
];

/// The words of a text that are paths of the repository.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || "._/*{},-".contains(c));
    let words = text
        .split(is_end)
        .map(|word| word.trim_end_matches(['.', ',', '-']));
    words.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
}

/// `a/{b,c}/*` as the paths that it stands for, up to the first `*`.
fn expanded(path: &str) -> Vec<String> {
    let Some((head, rest)) = path.split_once('{') else {
        return vec![path.split('*').next().unwrap_or_default().to_owned()];
    };
    let Some((choices, tail)) = rest.split_once('}') else {
        return vec![head.to_owned()];
    };
    let choices = choices
        .split(',')
        .map(|choice| format!("{head}{choice}{tail}"));
    choices.flat_map(|path| expanded(&path)).collect()
}

/// Whether a path exists. A path with a `*` begins like one that exists; the last part may be a word in capitals.
fn exists(path: &str) -> bool {
    let is_placeholder = |part: &str| {
        let stem = part.split('.').next().unwrap_or_default();
        stem.len() > 2 && stem.chars().all(|c| c.is_ascii_uppercase())
    };
    let parts: Vec<_> = path
        .split('/')
        .take_while(|part| !is_placeholder(part))
        .collect();
    let found = root().join(parts.join("/"));
    if found.exists() || found.with_extension("rs").exists() {
        return true;
    }
    let name = found
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let siblings = found
        .parent()
        .and_then(|folder| std::fs::read_dir(folder).ok());
    let begins = |sibling: &str| sibling.len() > name.len() && sibling.starts_with(name);
    let mut siblings = siblings.into_iter().flatten().flatten();
    path.ends_with('-') && siblings.any(|entry| begins(&entry.file_name().to_string_lossy()))
}

fn missing(text: &str) -> BTreeSet<String> {
    let all = paths(text).filter(|path| !FOREIGN.iter().any(|known| path.starts_with(known)));
    let all = all.flat_map(expanded);
    all.filter(|path| !exists(path)).collect()
}

#[test]
fn every_path_of_a_page_exists() {
    let mut count = 0;
    for page in pages() {
        count += paths(&page.text).count();
        assert_eq!(missing(&page.text), BTreeSet::new(), "{}", page.path);
    }
    assert!(count >= 150, "only {count} paths");
}

/// Code in backticks that begins with a folder of `src` is a path too, with or without `.rs`: `runtime/live`.
#[test]
fn every_path_within_src_exists() {
    let mut count = 0;
    for page in pages() {
        for span in page.spans() {
            let path = span.split(':').next().unwrap_or_default();
            let (first, rest) = path.split_once('/').unwrap_or_default();
            let is_path = path
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_/.".contains(c));
            if is_path
                && !first.is_empty()
                && !rest.is_empty()
                && root().join("src").join(first).is_dir()
            {
                count += 1;
                assert!(exists(&format!("src/{path}")), "{span} in {}", page.path);
            }
        }
    }
    assert!(count >= 15, "only {count} paths");
}

#[test]
fn every_path_of_a_comment_or_a_script_exists() {
    let mut count = 0;
    for path in files(&["rs"]) {
        let text = read(&path);
        let comments = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("//"));
        let comments: Vec<_> = comments.collect();
        let comments = comments.join("\n");
        count += paths(&comments).count();
        assert_eq!(missing(&comments), BTreeSet::new(), "{path}");
    }
    for path in files(&["", "yaml", "tpl", "toml"]) {
        assert_eq!(missing(&read(&path)), BTreeSet::new(), "{path}");
    }
    assert!(count >= 30, "only {count} paths");
}

#[test]
fn a_path_that_does_not_exist_is_found() {
    let text = "See docs/check.md, `tests/it/{docs,nothing}.rs` and tests/cluster/modules/kubernetes-*/go.mod.";
    let expected = ["docs/check.md", "tests/it/nothing.rs"].map(str::to_owned);
    assert_eq!(missing(text), expected.into());
}
