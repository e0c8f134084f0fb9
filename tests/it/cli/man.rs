//! Tests of `completions` and `man`.

use super::pullgate;
use clap::CommandFactory;
use pullgate::commands::cli::Cli;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn completions_are_shell_and_the_pages_of_the_manual_name_every_flag() {
    let script = pullgate(&["completions", "bash"], "");
    assert_eq!(script.code, 0);
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .expect("bash");
    let mut stdin = bash.stdin.take().expect("piped");
    stdin.write_all(script.stdout.as_bytes()).expect("it reads");
    drop(stdin);
    assert!(bash.wait().expect("bash").success());
    let cli = Cli::command();
    let commands: Vec<_> = cli.get_subcommands().map(clap::Command::get_name).collect();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in commands {
        assert!(
            script
                .stdout
                .contains(&format!("pullgate__subcmd__{command}")),
            "{command}"
        );
        let help = pullgate(&[command, "--help"], "").stdout;
        let page = pullgate(&["man", command], "").stdout.replace("\\-", "-");
        let flags = help
            .split_whitespace()
            .filter(|word| word.starts_with("--") && word.len() > 2)
            .map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()));
        for flag in flags {
            assert!(page.contains(flag), "{flag} in the page of {command}");
        }
    }
    let page = pullgate(&["man"], "").stdout.replace("\\-", "-");
    assert!(page.contains("pullgate-check(1)"), "{page}");
    let run = pullgate(&["man", "nothing"], "");
    assert!(
        run.code == 2 && run.stderr.contains("\"nothing\" is not a command"),
        "{}",
        run.stderr
    );
}

/// kubectl runs a file of this name as `kubectl pullgate`.
#[test]
fn help_names_the_plugin_of_kubectl() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = folder.path().join("kubectl-pullgate");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pullgate"), &plugin).expect("a link");
    let output = Command::new(plugin).args(["why", "--help"]).output();
    let help = String::from_utf8(output.expect("pullgate").stdout).expect("UTF-8");
    assert!(
        help.contains("Usage: kubectl pullgate why [OPTIONS] [POD]"),
        "{help}"
    );
}
