//! Tests of the documents as a whole: their links, the names in them, their versions, and the list of promises and traps.

mod invariants;
mod links;
mod names;
mod paths;
mod versions;

use std::path::{Path, PathBuf};

/// A document: its path in the repository, and its text.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A line of a page.
pub(crate) struct Line<'p> {
    pub(crate) number: usize,
    pub(crate) text: &'p str,
    /// Whether it is inside a block of code, or begins or ends one.
    pub(crate) is_code: bool,
}

impl Page {
    pub(crate) fn lines(&self) -> Vec<Line<'_>> {
        let mut is_block = false;
        let lines = self.text.lines().enumerate().map(|(index, text)| {
            let is_fence = text.trim_start().starts_with("```");
            is_block ^= is_fence;
            Line {
                number: index + 1,
                text,
                is_code: is_block || is_fence,
            }
        });
        lines.collect()
    }

    /// The texts in backticks outside of blocks of code. A text may go on in the next line.
    fn spans(&self) -> Vec<String> {
        let lines = self.lines();
        let prose = lines.iter().filter(|line| !line.is_code);
        let prose: Vec<_> = prose.map(|line| line.text.trim()).collect();
        let prose = prose.join(" ");
        prose
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    /// Everything that is code: the texts in backticks and the lines of blocks, with continued lines joined.
    fn code(&self) -> Vec<String> {
        let lines = self.lines();
        let blocks = lines.iter().filter(|line| line.is_code);
        let blocks: Vec<_> = blocks.map(|line| line.text).collect();
        let blocks = blocks.join("\n").replace("\\\n", " ");
        let blocks = blocks.lines().map(str::to_owned);
        self.spans().into_iter().chain(blocks).collect()
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Markdown file of the repository, and the notes of the chart.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = files(&["md"]);
    paths.push("charts/pullgate/templates/NOTES.txt".to_owned());
    assert!(paths.len() >= 13, "{paths:?}");
    let page = |path: String| Page {
        text: read(&path),
        path,
    };
    paths.into_iter().map(page).collect()
}

/// The files of the repository with one of these extensions; an empty one stands for scripts.
fn files(extensions: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), &mut |path| {
        let extension = path.extension().map_or("", |e| e.to_str().unwrap_or("?"));
        if extensions.contains(&extension) {
            let path = path.strip_prefix(root()).expect("a path below the root");
            found.push(path.to_str().expect("UTF-8").to_owned());
        }
    });
    found.sort();
    found
}

/// Calls a function with each file below a folder, without hidden folders, builds, and inputs that are kept.
fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        let is_left_out =
            name.starts_with('.') || ["target", "corpus", "seeds", "reviews"].contains(&name);
        if path.is_dir() && !is_left_out {
            walk(&path, visit);
        } else if path.is_file() {
            visit(&path);
        }
    }
}
