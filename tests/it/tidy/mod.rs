//! The repository keeps its own rules: the order of the wings, pure and impure code, the size of files.

mod chart;
mod dates;
mod documents;
mod paths;
mod project;
mod rules;
mod synthetic;
mod tree;

use rules::{Edge, Names, Pure, Wings};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tree::Source;

pub(crate) use chart::configurations;

/// The wings of `src`, in their order: each may import those above it. A pure wing takes values and returns values; an
/// edge touches a socket, a file, a clock or the API server.
const WINGS: Wings<'_> = &[
    ("text", Pure),
    ("kubelet", Pure),
    ("secrets", Pure),
    ("facts", Pure),
    ("objects", Pure),
    ("policy", Pure),
    ("verdict", Pure),
    ("admission", Pure),
    // To come: which copies of Secrets should be where.
    ("provision", Pure),
    ("reports", Pure),
    ("tls", Edge),
    ("runtime", Edge),
    ("registry", Edge),
    ("server", Edge),
    ("cluster", Edge),
    ("commands", Edge),
    ("lib", Edge),
    ("main", Edge),
];

/// Wings that never import each other: they meet in `commands`.
const APART: &[(&str, &str)] = &[("server", "cluster")];

/// `pub` items that no other file names, with the reason.
const UNUSED: &[(&str, &str)] = &[
    (
        "src/policy/document/leaf.rs: DateText",
        "named in an attribute",
    ),
    (
        "src/policy/document/leaf.rs: OnlyTrue",
        "named in an attribute",
    ),
    (
        "src/kubelet/golang/glob.rs: BadPattern",
        "the error of `matches`",
    ),
    (
        "src/runtime/policy.rs: PolicyRefused",
        "the error of `PolicyInForce::take`",
    ),
    (
        "src/policy/mod.rs: RulesIn",
        "returned by `Policy::rules_in`",
    ),
    (
        "src/cluster/pods.rs: WorkloadKind",
        "a field of `Asked::Workload`",
    ),
    (
        "src/reports/why/mod.rs: NodeTexts",
        "a field of `ExplainedImage`",
    ),
    (
        "src/verdict/coverage.rs: Covering",
        "returned by `Coverage::images`",
    ),
    (
        "src/reports/explanation/mod.rs: Explanation",
        "returned by `Question::explain`",
    ),
    (
        "src/admission/request.rs: RequestContent",
        "the type of a field that siblings read",
    ),
    (
        "src/server/body.rs: BodyBytes",
        "the type of a field that the handlers read",
    ),
    (
        "src/server/memory.rs: OutOfMemory",
        "the error of `MemoryLease`",
    ),
    (
        "src/verdict/patch.rs: InjectionPatch",
        "returned by `put_first`",
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files at or below these paths, by their paths in the repository.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        let path = root().join(folder);
        if path.is_dir() {
            files(&path, &mut paths);
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a file");
        let path = path.strip_prefix(root()).expect("a path below the root");
        Source::new(path.to_str().expect("UTF-8"), &text)
    };
    paths.iter().map(read).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn library() -> (Vec<Source>, Names) {
    let sources = sources(&["src"]);
    let names = rules::names(&sources, "src/lib.rs", None);
    (sources, names)
}

/// Fails with all violations.
fn hold(violations: &[String]) {
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn every_file_is_in_a_wing_and_says_what_it_is() {
    let sources = sources(&["src"]);
    hold(&rules::strangers(&sources, WINGS));
    for source in sources {
        assert!(
            source.text.starts_with("//! "),
            "{} does not say what it is",
            source.path
        );
    }
}

#[test]
fn no_wing_imports_one_that_stands_below_it() {
    let (sources, names) = library();
    hold(&rules::arrows_back(&names, WINGS, APART));
    let names = rules::names(&sources, "src/main.rs", Some("src/lib.rs"));
    hold(&rules::arrows_back(&names, WINGS, APART));
}

#[test]
fn no_files_import_each_other() {
    let (_, names) = library();
    hold(&rules::circles(&names));
    // Benchmarks start the control plane of the tests.
    let sources = sources(&["src", "benches", "tests/cluster"]);
    let is_root = |path: &str| {
        let inner = path.strip_prefix("benches/");
        inner.is_some_and(|inner| !inner.contains('/') || inner.ends_with("/main.rs"))
    };
    let roots = sources.iter().map(|source| source.path.as_str());
    let roots: Vec<_> = roots.filter(|path| is_root(path)).collect();
    assert!(roots.len() >= 7, "{roots:?}");
    for root in roots {
        let names = rules::names(&sources, root, Some("src/lib.rs"));
        hold(&rules::circles(&names));
    }
}

#[test]
fn pure_wings_name_nothing_impure() {
    let (_, names) = library();
    hold(&rules::impurities(&names, WINGS));
}

#[test]
fn no_file_is_too_long() {
    hold(&rules::long_files(&sources(&[
        "src",
        "tests",
        "benches",
        "fuzz/fuzz_targets",
        "fuzz/src",
    ])));
}

#[test]
fn every_public_item_is_used_by_another_file() {
    let sources = sources(&["src", "tests", "benches", "fuzz/fuzz_targets", "fuzz/src"]);
    let unused = rules::unused(&sources);
    let excused = |item: &String| UNUSED.iter().any(|(known, _)| known == item);
    let stale = UNUSED
        .iter()
        .map(|(known, _)| *known)
        .filter(|known| !unused.iter().any(|item| item == known));
    assert_eq!(
        stale.collect::<Vec<_>>(),
        [""; 0],
        "UNUSED names an item that is used or gone"
    );
    let new: Vec<_> = unused.into_iter().filter(|item| !excused(item)).collect();
    hold(&new);
}

/// The picture for newcomers has to name every wing.
#[test]
fn architecture_names_every_wing() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let names: BTreeSet<&str> = WINGS.iter().map(|(name, _)| *name).collect();
    for name in names
        .into_iter()
        .filter(|name| !["lib", "main"].contains(name))
    {
        assert!(
            text.contains(&format!("`{name}`")),
            "ARCHITECTURE.md does not name `{name}`"
        );
    }
}
