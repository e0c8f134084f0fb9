//! Tests of the commands, flags, values and alerts that pages name.

use super::{Page, files, pages, read};
use clap::CommandFactory;
use pullgate::commands::cli::Cli;
use serde_json::Value;
use std::collections::BTreeSet;

/// Flags of other programs that a page names alone.
const FOREIGN_FLAGS: [&str; 4] = [
    "--admission-control-config-file",
    "--dry-run",
    "--set",
    "--set-string",
];

/// The long flags of a command.
fn flags(command: &clap::Command) -> BTreeSet<String> {
    let long = command.get_arguments().filter_map(clap::Arg::get_long);
    let long = long.map(|long| format!("--{long}"));
    long.chain(["--help", "--version"].map(str::to_owned))
        .collect()
}

/// The words of each call of `pullgate` in a line of code, without its name.
fn calls(line: &str) -> Vec<Vec<&str>> {
    let line = line
        .trim_start()
        .trim_start_matches("$ ")
        .split(" #")
        .next();
    let parts = line.unwrap_or_default().split(['|', '&', ';', '(']);
    let words = parts.map(|part| {
        let part = part.split(['>', ')']).next().unwrap_or_default();
        part.split_whitespace()
            .skip_while(|word| *word == "run:" || *word == "-")
    });
    let calls = words.filter_map(|mut words| {
        let is_call = words.next() == Some("pullgate");
        is_call.then(|| words.collect::<Vec<_>>())
    });
    calls.filter(|words| !words.is_empty()).collect()
}

#[test]
fn every_command_and_flag_of_a_page_exists() {
    let cli = Cli::command();
    let all: BTreeSet<_> = cli.get_subcommands().flat_map(flags).collect();
    let mut count = 0;
    for page in pages() {
        for line in page.code() {
            for words in calls(&line) {
                count += 1;
                let known = match cli.find_subcommand(words[0]) {
                    Some(command) => flags(command),
                    None if words[0].starts_with('-') => flags(&cli),
                    None => panic!("pullgate {} in {}", words[0], page.path),
                };
                for flag in words
                    .iter()
                    .filter(|word| word.starts_with("--") && word.len() > 2)
                {
                    let flag = flag.split('=').next().unwrap_or_default();
                    assert!(known.contains(flag), "{flag} of {words:?} in {}", page.path);
                }
            }
        }
        for span in page.spans().iter().filter(|span| span.starts_with("--")) {
            count += 1;
            let flag = span.split([' ', '=']).next().unwrap_or_default();
            let is_known = all.contains(flag) || FOREIGN_FLAGS.contains(&flag);
            assert!(is_known, "{span} in {}", page.path);
        }
    }
    assert!(count >= 40, "only {count} calls and flags");
}

#[test]
fn calls_are_told_from_names() {
    let line = "$ helm template . | pullgate check -f - > report # pullgate nothing";
    assert_eq!(calls(line), [["check", "-f", "-"]]);
    assert_eq!(
        calls("source <(pullgate completions bash)"),
        [["completions", "bash"]]
    );
    assert!(calls("helm install pullgate charts/pullgate").is_empty());
}

#[test]
fn every_command_has_its_section() {
    let text = read("docs/commands.md");
    let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
    let documented: BTreeSet<_> = headings.flat_map(|heading| heading.split(", ")).collect();
    let cli = Cli::command();
    let commands = cli.get_subcommands().map(clap::Command::get_name);
    assert_eq!(documented, commands.collect());
}

/// `cargo test --test NAME FILTER`, `cargo bench --bench NAME` and `tests/run PART`: the target is in Cargo.toml, the
/// filter finds something, and the part is in the usage.
#[test]
fn every_test_and_benchmark_of_a_page_exists() {
    let manifest = read("Cargo.toml");
    let usage = read("tests/run");
    let usage = usage
        .split("usage: tests/run [")
        .nth(1)
        .and_then(|rest| rest.split(']').next());
    let parts: BTreeSet<_> = usage.expect("the usage").split('|').collect();
    let mut lines: Vec<_> = pages().iter().flat_map(Page::code).collect();
    lines.extend(
        files(&["", "rs"])
            .iter()
            .flat_map(|path| comments(&read(path))),
    );
    let workflow: Vec<_> = read(".github/workflows/ci.yml")
        .lines()
        .map(str::to_owned)
        .collect();
    let mut count = 0;
    for line in lines.iter().chain(&workflow) {
        let line = line.split(" # ").next().unwrap_or_default();
        let words: Vec<_> = line
            .split(|c: char| c.is_whitespace() || c == '`')
            .collect();
        let tail = [""; 3];
        let words = [words.as_slice(), &tail].concat();
        for at in words.windows(4) {
            let is_name = |word: &str| {
                !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            };
            match at {
                ["cargo", "test" | "bench", ..] => count += 1,
                [kind @ ("--test" | "--bench"), name, filter, _] if is_name(name) => {
                    let entry = format!("[[{}]]\nname = \"{name}\"", kind.trim_start_matches('-'));
                    assert!(manifest.contains(&entry), "{line}");
                    if is_name(filter) && *kind == "--test" {
                        assert!(finds(name, filter), "no test for {filter}: {line}");
                    }
                }
                ["tests/run", part, ..] if is_name(part) => {
                    count += 1;
                    assert!(parts.contains(part), "{line}");
                }
                _ => {}
            }
        }
    }
    assert!(count >= 30, "only {count}");
    for part in parts {
        let step = format!("tests/run {part}");
        assert!(
            workflow.iter().any(|line| line.ends_with(&step)),
            "{part} is in no job"
        );
    }
}

fn comments(text: &str) -> Vec<String> {
    let comments = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("//").or_else(|| line.strip_prefix('#'))
    });
    comments.map(str::to_owned).collect()
}

/// Whether a name of a test, or of its module, has this text.
fn finds(target: &str, filter: &str) -> bool {
    let folder = if target == "nodes" {
        "tests/cluster/nodes"
    } else {
        &format!("tests/{target}")
    };
    let files = files(&["rs"])
        .into_iter()
        .filter(|path| path.starts_with(folder));
    let mut texts = files.map(|path| format!("{path}\n{}", read(&path)));
    texts.any(|text| text.contains(filter))
}

/// A text in backticks that begins like a value of the chart is a value of the chart.
#[test]
fn every_value_of_a_page_is_in_the_chart() {
    let values: Value = serde_saphyr::from_str(&read("charts/pullgate/values.yaml")).expect("YAML");
    let mut count = 0;
    for page in pages() {
        for span in page.spans() {
            let path = span.split([':', '=']).next().unwrap_or_default();
            let keys: Vec<_> = path.split('.').collect();
            let is_word =
                |key: &&str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric());
            // `policy.yaml` and `tls.crt` are keys of objects.
            if keys.len() < 2
                || !keys.iter().all(is_word)
                || ["yaml", "crt", "key"].contains(&keys[1])
                || values[keys[0]].is_null()
            {
                continue;
            }
            count += 1;
            let value = keys.iter().fold(&values, |value, key| &value[*key]);
            assert!(!value.is_null(), "{span} in {}", page.path);
        }
    }
    assert!(count >= 60, "only {count} values");
}

#[test]
fn every_alert_of_a_page_is_in_the_chart() {
    let alerts = read("charts/pullgate/templates/alerts.yaml");
    let mut count = 0;
    for page in pages() {
        let words = page.text.split(|c: char| !c.is_ascii_alphanumeric());
        let is_alert = |word: &&str| {
            let rest = word.strip_prefix("Pullgate");
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        };
        for alert in words.filter(is_alert) {
            count += 1;
            assert!(
                alerts.contains(&format!("alert: {alert}\n")),
                "{alert} in {}",
                page.path
            );
        }
    }
    assert!(count >= 17, "only {count} alerts");
}
