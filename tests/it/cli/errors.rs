//! Tests of how errors are shown: their text, their exit code and their colours.

use super::{example, policy_file, pullgate};
use std::process::{Command, Stdio};

#[test]
fn check_shows_faults_as_rustc_does() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = policy_file(
        &dir,
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nregistries:\n- name: a\n  images: [https://reg.io]\n  secret: [x]\n",
    );
    let run = pullgate(&["check", "--policy", &file], "");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let expected = format!(
        "error: \"https://reg.io\" has a scheme; a pattern begins with the registry host
 --> {file}:5:12
  |
5 |   images: [https://reg.io]
  |            ^^^^^^^^^^^^^^ registries[0].images[0]
  |
  = help: did you mean `reg.io`?
"
    );
    assert!(run.stdout.contains(&expected), "{}", run.stdout);
    let run = pullgate(&["check", "--policy", &example()], "");
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
}

#[test]
fn what_cannot_be_done_is_2_and_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let bad = policy_file(&dir, "kind: PullPolicy\n");
    for (args, says) in [
        (
            vec!["check", "--policy", "/nowhere.yaml"],
            "cannot read /nowhere.yaml",
        ),
        (
            vec!["explain", "--policy", &bad, "nginx"],
            "cannot be used: correct the faults shown above",
        ),
        (
            vec!["serve", "--policy-file", &bad],
            "the key `apiVersion` is missing",
        ),
        (vec!["serve"], "--policy-file <FILE>"),
        (vec!["explain"], "<IMAGE>"),
        (vec!["nonsense"], "unrecognized subcommand"),
    ] {
        let run = pullgate(&args, "");
        assert_eq!(run.code, 2, "{args:?}");
        assert!(run.stderr.contains(says), "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{args:?}");
    }
}

/// Colours are for people: on a terminal, and there for those who want them.
#[test]
fn colours_are_for_terminals_and_not_with_no_color() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = policy_file(&dir, "kind: PullPolicy\n");
    let command = format!("{} check --policy {file}", env!("CARGO_BIN_EXE_pullgate"));
    let on_terminal = |no_color: Option<&str>| {
        let mut script = Command::new("script");
        script
            .args(["-qec", &command, "/dev/null"])
            .stdin(Stdio::null())
            .env_remove("NO_COLOR");
        if let Some(value) = no_color {
            script.env("NO_COLOR", value);
        }
        let output = script.output().expect("script, of bsdutils");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let is_coloured = |text: &str| {
        assert!(text.contains("apiVersion"), "{text}");
        text.contains('\u{1b}')
    };
    assert!(is_coloured(&on_terminal(None)) && is_coloured(&on_terminal(Some(""))));
    assert!(!is_coloured(&on_terminal(Some("1"))));
    assert!(!is_coloured(
        &pullgate(&["check", "--policy", &file], "").stdout
    ));
}
