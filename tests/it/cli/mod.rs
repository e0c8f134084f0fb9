//! The command as its user sees it.

mod demo;
mod errors;
mod explain;
mod explain_secrets;
mod man;
mod schema;

use crate::support::{Run, run_in};
use std::path::{Path, PathBuf};

fn pullgate(args: &[&str], stdin: &str) -> Run {
    run_in(Path::new("."), args, stdin)
}

fn example() -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/commands/example-policy.yaml")
        .display()
        .to_string()
}

fn policy_file(dir: &tempfile::TempDir, text: &str) -> String {
    let path = dir.path().join("policy.yaml");
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}
