//! Tests of the examples that run `check` in CI.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The hook and the workflows that the documentation offers name flags that exist.
#[test]
fn the_examples_for_ci_use_flags_that_exist() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let help = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(["check", "--help"])
        .output()
        .expect("pullgate");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let files = [
        ".pre-commit-hooks.yaml",
        "docs/ci/github.yaml",
        "docs/ci/gitlab.yaml",
    ];
    for file in files.map(|file| root.join(file)) {
        let text = read(&file);
        let _: Value = serde_saphyr::from_str(&text).expect("YAML");
        let uses = text.lines().filter(|line| line.contains("pullgate check"));
        let flags = uses
            .filter_map(|line| line.split("pullgate check").nth(1))
            .flat_map(str::split_whitespace);
        let mut count = 0;
        for flag in flags.filter(|word| word.starts_with('-') && word.len() > 1) {
            count += 1;
            assert!(
                help.contains(&format!("{flag} ")) || help.contains(&format!("{flag},")),
                "{flag} in {}",
                file.display()
            );
        }
        assert!(count > 0, "{}", file.display());
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
