//! Tests of the report that `check` prints, and of its exit code.

use super::{DEPLOYMENT, Folder};
use crate::policy::EXAMPLE;
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn findings_look_as_those_of_rustc() {
    let folder = Folder::new(&[("api.yaml", DEPLOYMENT)]);
    let run = folder.check(&["-f", "api.yaml"], "");
    let expected = "\
error: Deployment payments/api: spec.template.spec.imagePullSecrets[0] names \"regcred-shared\", banned by \"legacy-shared\" (One expiry stopped 48 namespaces.)
  --> api.yaml:10:17
   |
10 |         - name: regcred-shared
   |                 ^^^^^^^^^^^^^^
   |
   = help: Remove it: \"contoso-pull\" is added to the pods automatically for contoso.azurecr.io. Ask #platform-registry. See https://wiki.example.com/pull-secrets

would be injected into the pods of:
  Deployment payments/api: contoso-pull (contoso)
";
    assert_eq!(run.stdout, expected);
    assert_eq!(
        run.stderr,
        "pullgate: checked 1 object in 1 file: 1 error, 0 warnings\n"
    );
    assert_eq!(run.code, 1);
}

/// A digest that is none is no password.
#[test]
fn a_bad_digest_is_told_as_what_it_is() {
    let folder = Folder::new(&[]);
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: 'reg.io:5000/x@sha256:abc'}]}}";
    let run = folder.check(&["-f", "-"], pod);
    assert!(
        run.stdout
            .contains("\"reg.io:5000/x@sha256:abc\" is not a valid image reference: its digest has 3 hex digits, and one of sha256 has 64"),
        "{}",
        run.stdout
    );
    let run = folder.check(
        &["-f", "-"],
        &pod.replace("reg.io:5000/x@sha256:abc", "bob:pw@reg.io:5000/x"),
    );
    assert!(
        run.stdout.contains(
            "has a user and a password before \"reg.io:5000/x\": not a valid image reference"
        ),
        "{}",
        run.stdout
    );
}

/// Green because of nothing is not green: `helm template` may have failed before the pipe.
#[test]
fn nothing_to_check_is_no_success() {
    let folder = Folder::new(&[("empty/notes.txt", ""), ("values.yaml", "a: 1\n")]);
    for args in [&["-f", "-"], &["-f", "empty"]] {
        let run = folder.check(args, "");
        assert_eq!((run.code, &*run.stdout), (2, ""));
        assert!(
            run.stderr.contains("the files of -f hold nothing to check"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(folder.check(&["-f", "values.yaml"], "").code, 0);
    // A finding about the policy does not count as an object.
    folder.write("policy.yaml", &EXAMPLE.replace("2099-01-31", "2020-01-31"));
    assert_eq!(folder.check(&["-f", "-"], "").code, 2);
}

/// Long lines and many findings: time in proportion, here 24 000 findings in one line.
#[test]
fn many_findings_in_one_line_take_no_more_than_their_share() {
    let folder = Folder::new(&[]);
    let secrets = vec![r#"{"name":"legacy-1"}"#; 24_000].join(",");
    let text = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p"}},"spec":{{"imagePullSecrets":[{secrets}]}}}}"#
    );
    let run = folder.check(&["-f", "-"], &text);
    assert_eq!(run.stdout.matches("error: ").count(), 24_000);
    let doubles = format!(
        "a: &a {{x: 1, x: 2}}\nb: [{}]\n",
        vec!["*a"; 1000].join(", ")
    );
    assert_eq!(
        folder.findings(&["-f", "-"], &doubles),
        ["<stdin>:1:14 warning double-key"]
    );
    let bomb = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, i| {
        text + &format!(
            "a{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 9].join(", ")
        )
    });
    assert_eq!(folder.findings(&["-f", "-"], &bomb).len(), 1);
}

#[test]
fn exceptions_in_use_are_told_with_the_days_they_have_left() {
    let folder = Folder::new(&[]);
    let today = pullgate::runtime::clock::today();
    let policy = |expires: jiff::civil::Date| {
        format!(
            "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans: [{{name: b, secrets: [old]}}]\nexceptions:\n\
             - {{bans: [b], namespaces: {{names: [default]}}, owner: o@x, reason: PAY-1, expires: {expires}}}\n"
        )
    };
    let pod =
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: old}]}}";
    let later = today
        .checked_add(jiff::Span::new().days(70))
        .expect("a date");
    for (expires, words) in [(today, "ends today"), (later, "70 days left")] {
        folder.write("policy.yaml", &policy(expires));
        let run = folder.check(&["-f", "-"], pod);
        let expected = format!(
            "exceptions in use:\n  b is lifted until {expires}, {words} (o@x: PAY-1): Pod default/p\n"
        );
        assert_eq!((run.code, run.stdout), (0, expected));
    }
    let many = vec![pod; 100].join("\n---\n");
    let run = folder.check(&["-f", "-"], &many);
    assert_eq!(run.stdout.matches("Pod default/p").count(), 20);
    assert!(run.stdout.ends_with(", and 80 more\n"), "{}", run.stdout);
    let report = folder.check(&["-f", "-", "-o", "json"], pod).stdout;
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let used = &report["exceptions"][0];
    assert_eq!(
        (&used["ban"], &used["daysLeft"], &used["line"]),
        (&json!("b"), &json!(70), &json!(1))
    );
    let yesterday = today.yesterday().expect("a date");
    folder.write("policy.yaml", &policy(yesterday));
    assert_eq!(folder.check(&["-f", "-"], pod).code, 1);
}

/// Which findings make a pipeline fail.
#[test]
fn the_exit_code_says_whether_there_are_findings() {
    let folder = Folder::new(&[]);
    let pod =
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: old}]}}";
    for (mode, lenient, strict) in [("enforce", 1, 1), ("warn", 0, 1), ("audit", 0, 0)] {
        folder.write(
            "policy.yaml",
            &format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans: [{{name: b, secrets: [old], mode: {mode}}}]\n"),
        );
        assert_eq!(folder.check(&["-f", "-"], pod).code, strict, "{mode}");
        assert_eq!(
            folder.check(&["-f", "-", "--fail-on", "error"], pod).code,
            lenient,
            "{mode}"
        );
    }
    let without = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(["check", "-f", "x"])
        .output()
        .expect("pullgate");
    assert_eq!(without.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&without.stderr)
            .contains("name the policy: --policy FILE or --policy-configmap NAMESPACE/NAME")
    );
}
