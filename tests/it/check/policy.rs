//! Tests of the policies that `check` finds among the files.

use super::{DEPLOYMENT, Folder, indented};
use crate::policy::EXAMPLE;
use serde_json::Value;

/// In a policy a key that is there twice is a fault, in a file as in a `ConfigMap`: half of it would be lost.
#[test]
fn a_policy_is_no_manifest() {
    let folder = Folder::new(&[]);
    let faults = |policy: &str| {
        folder.write("policy.yaml", policy);
        let output = folder.check(&["-o", "json"], "").stdout;
        let report: Value = serde_json::from_str(&output).expect("JSON");
        let findings = report["findings"].as_array().expect("a list").iter();
        findings
            .map(|finding| finding["message"].as_str().expect("a text").to_owned())
            .collect::<Vec<_>>()
    };
    for (more, message) in [
        (
            "bans: [{name: a, secrets: [old]}]\nbans: []\n",
            "the key `bans` is there twice",
        ),
        ("<<: {unmatched: warn}\n", "unknown key `<<`"),
    ] {
        let policy = format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{more}");
        let block = indented(&policy);
        let config_map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  policy.yaml: |\n{block}"
        );
        assert_eq!(faults(&policy), [message]);
        assert_eq!(faults(&config_map), [message]);
        assert_eq!(
            faults(&format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: n}}\n---\n{config_map}"
            )),
            [message]
        );
    }
}

/// The faults of a policy in a file are reported once, and the other objects of the file are judged.
#[test]
fn objects_beside_the_policy_are_judged() {
    let folder = Folder::new(&[]);
    let config_map = format!(
        "kind: ConfigMap\napiVersion: v1\nmetadata: {{name: p}}\ndata:\n  policy.yaml: |\n{}",
        indented(EXAMPLE)
    );
    folder.write("policy.yaml", &format!("{config_map}---\n{DEPLOYMENT}"));
    for name in ["policy.yaml", "./policy.yaml", "."] {
        let found = folder.findings(&["-f", name], "");
        assert_eq!(found.len(), 1, "{found:?}");
    }
    folder.write("policy.yaml", &EXAMPLE.replace("2099-01-31", "2020-01-31"));
    assert_eq!(
        folder.findings(&["-f", "."], "").len(),
        1,
        "the exception that is over"
    );
}

/// The places in the policy are those of the file that it is in.
#[test]
fn the_policy_is_checked_wherever_it_is() {
    let inner = "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nregistries:\n  - name: a\n    images: [https://reg.io]\n    public: true\n";
    let block = indented(inner);
    let literal = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pullgate-policy}}\ndata:\n  policy.yaml: |\n{block}"
    );
    let quoted = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: mine}}\ndata:\n  policy.yaml: {inner:?}\n"
    );
    let folder = Folder::new(&[
        ("plain.yaml", inner),
        ("literal.yaml", &literal),
        ("quoted.yaml", &quoted),
    ]);
    let after = format!("---\nkind: x\n---\n{inner}");
    assert_eq!(
        folder.findings(&["-f", "plain.yaml"], ""),
        ["plain.yaml:5:14 error policy"]
    );
    assert_eq!(
        folder.findings(&["-f", "literal.yaml"], ""),
        ["literal.yaml:10:18 error policy"]
    );
    assert_eq!(
        folder.findings(&["-f", "quoted.yaml"], ""),
        ["quoted.yaml:5:16 error policy"]
    );
    assert_eq!(
        folder.findings(&["-f", "-"], &after),
        ["<stdin>:8:14 error policy"]
    );
    let blank = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pullgate-policy}}\ndata:\n  policy.yaml: |\n\n\n{block}"
    );
    assert_eq!(
        folder.findings(&["-f", "-"], &blank),
        ["<stdin>:12:18 error policy"]
    );
    // The same as --policy: nothing else can be judged then, and that is said.
    folder.write("policy.yaml", &literal);
    let run = folder.check(&["-f", "plain.yaml"], "");
    assert_eq!(run.code, 1);
    assert!(
        run.stdout.contains("--> policy.yaml:10:18\n")
            && run.stdout.contains("10 |         images: [https://reg.io]"),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr
            .contains("the manifests were not judged, because the policy has faults"),
        "{}",
        run.stderr
    );
    // A good one in a ConfigMap judges.
    let good = indented(EXAMPLE);
    folder.write("policy.yaml", &format!("kind: ConfigMap\napiVersion: v1\nmetadata: {{name: p}}\ndata:\n  policy.yaml: |\n{good}"));
    assert_eq!(
        folder.findings(&["-f", "-"], DEPLOYMENT),
        ["<stdin>:10:17 error banned-secret"]
    );
}
