//! Tests of the links within the repository: the file exists, and so does the heading.

use super::{Page, pages, read, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || ['-', '_', ' '].contains(c);
    let text = heading.trim().to_lowercase();
    text.chars()
        .filter(kept)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let lines = page.lines();
    let headings = lines
        .iter()
        .filter(|line| !line.is_code && line.text.starts_with('#'));
    let anchors = headings.map(|line| {
        let anchor = anchor(line.text.trim_start_matches('#'));
        let before = times.entry(anchor.clone()).or_default();
        *before += 1;
        if *before == 1 {
            anchor
        } else {
            format!("{anchor}-{}", *before - 1)
        }
    });
    anchors.collect()
}

/// The targets of the links of a page, but those to other sites.
fn targets(page: &Page) -> Vec<String> {
    let lines = page.lines();
    let prose = lines.iter().filter(|line| !line.is_code);
    let prose: Vec<_> = prose.map(|line| line.text.trim()).collect();
    let prose = prose.join(" ");
    let targets = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets
        .filter(|link| !link.starts_with("http"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_link_within_the_repository_leads_to_a_file_and_a_heading() {
    let mut count = 0;
    for page in pages() {
        let folder = Path::new(&page.path).parent().expect("a folder");
        for target in targets(&page) {
            count += 1;
            let (file, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let path = root().join(folder).join(file);
            assert!(
                file.is_empty() || path.exists(),
                "{target} in {}",
                page.path
            );
            if fragment.is_empty() {
                continue;
            }
            let headings = if file.is_empty() {
                anchors(&page)
            } else {
                let path = path.to_str().expect("UTF-8").to_owned();
                let text = read(&path);
                anchors(&Page { path, text })
            };
            assert!(
                headings.contains(fragment),
                "{target} in {}: {headings:?}",
                page.path
            );
        }
    }
    assert!(count >= 50, "only {count} links");
}

/// Messages of the program, the notes and the values of the chart name headings of the operations guide in quotes.
#[test]
fn every_heading_in_quotes_is_one_of_the_operations_guide() {
    let text = read("docs/operations.md");
    let name = "docs/operations.md, \"";
    let mut count = 0;
    for path in super::files(&["rs", "txt", "yaml", "tpl"]) {
        // A text of Rust may go on in the next line.
        let named = read(&path).replace("\\\"", "\"");
        let named: Vec<_> = named.split_whitespace().collect();
        let named = named.join(" ").replace(", \\ \"", ", \"");
        for heading in named
            .split(name)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            count += 1;
            let is_heading = text
                .lines()
                .any(|line| line.trim_start_matches('#').trim() == heading);
            assert!(
                is_heading || path.ends_with("links.rs"),
                "{heading:?} in {path}"
            );
        }
    }
    assert!(count >= 3, "only {count}");
}

#[test]
fn anchors_are_those_of_github() {
    let text = "# A b: `c-d`, e!\n## Same\n## Same\n```sh\n# no heading\n```\n".to_owned();
    let page = Page {
        path: String::new(),
        text,
    };
    let expected = ["a-b-c-d-e", "same", "same-1"].map(str::to_owned);
    assert_eq!(anchors(&page), expected.into());
}
