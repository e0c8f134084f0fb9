//! The command as its user sees it.

use crate::support::{Run, run_in};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

#[test]
fn explain_prints_json_for_each_line() {
    let run = pullgate(
        &["explain", "-o", "json", "-"],
        "nginx\n# no comment\nreg.io/a/b:1\n\n",
    );
    let answers: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(run.code, 1, "two of them are no images");
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 4);
    assert_eq!(
        answers[0],
        json!({"image": "nginx", "registry": "docker.io", "repository": "library/nginx", "tag": null, "digest": null,
               "rule": null, "via": null, "secrets": [], "error": null})
    );
    assert_eq!(answers[1]["error"], "invalid reference format");
    assert_eq!(
        (&answers[1]["registry"], &answers[1]["image"]),
        (&Value::Null, &json!("# no comment"))
    );
    assert_eq!(
        (&answers[2]["repository"], &answers[2]["tag"]),
        (&json!("a/b"), &json!("1"))
    );
}

/// Two Secrets as people write them, of which one has another's credential under a longer key.
const SECRETS: &str = r#"
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: regcred, namespace: payments}
  type: kubernetes.io/dockerconfigjson
  stringData:
    .dockerconfigjson: '{"auths": {"https://reg.io/v1/": {"username": "old", "password": "hunter2"}}}'
- apiVersion: v1
  kind: Secret
  metadata: {name: team-pull, namespace: payments}
  type: kubernetes.io/dockercfg
  data:
    # {"reg.io/team": {"auth": "bmV3OmNvcnJlY3QtaG9yc2U="}}
    .dockercfg: eyJyZWcuaW8vdGVhbSI6IHsiYXV0aCI6ICJibVYzT21OdmNuSmxZM1F0YUc5eWMyVT0ifX0=
"#;

#[test]
fn explain_tells_what_the_kubelet_would_try() {
    let dir = tempfile::tempdir().expect("a folder");
    let secrets = policy_file(&dir, SECRETS);
    let images = ["reg.io/team/app:1", "reg.io/x", "nginx", "No!"];
    let args = ["explain", "--secrets", &secrets, "-o", "json"];
    let run = pullgate(&[&args[..], &images].concat(), "");
    let answers: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let old = json!({"secret": "regcred", "key": "reg.io", "username": "old"});
    let new = json!({"secret": "team-pull", "key": "reg.io/team", "username": "new"});
    assert_eq!(answers[0]["keyring"], json!([new, old]));
    assert_eq!(answers[1]["keyring"], json!([old]));
    assert_eq!(answers[2]["keyring"], json!([]));
    assert_eq!(answers[3]["keyring"], Value::Null);
    assert_eq!(answers[0]["keyringError"], Value::Null);
    let text = pullgate(
        &[&["explain", "--secrets", &secrets], &images[..3]].concat(),
        "",
    );
    for expected in [
        "tried first: team-pull (key reg.io/team, user \"new\")",
        "then: regcred (key reg.io, user \"old\")",
        "anonymous: no secret has a credential for it",
    ] {
        assert!(text.stdout.contains(expected), "{}", text.stdout);
    }
    for password in ["hunter2", "correct-horse"] {
        assert!(!run.stdout.contains(password) && !text.stdout.contains(password));
    }
}

#[test]
fn explain_tells_whose_credentials_are_and_what_shadows_the_rule() {
    let secret = |name: &str, entries: Value| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json!({"auths": entries}).to_string()},
        })
    };
    let credential = |user: &str| json!({"username": user, "password": "hunter2"});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        secret("contoso-pull", json!({"contoso.azurecr.io": credential("ci")})),
        secret("legacy", json!({"contoso.azurecr.io/shop": credential("contoso"), "https://index.docker.io/v1": credential("x")})),
    ]});
    let dir = tempfile::tempdir().expect("a folder");
    let file = policy_file(&dir, &list.to_string());
    let run = pullgate(
        &[
            "explain",
            "--policy",
            &example(),
            "--secrets",
            &file,
            "contoso.azurecr.io/shop/api:1",
        ],
        "",
    );
    for told in [
        "shadowed    contoso-pull of the rule is tried only after legacy, whose key contoso.azurecr.io/shop comes before contoso.azurecr.io",
        "contoso-pull: contoso.azurecr.io is of class token: a token of the registry",
        "legacy: contoso.azurecr.io/shop is of class admin: the user has the name of the registry: its admin account; does not expire",
        "legacy: index.docker.io/v1 matches no image; Docker Hub is https://index.docker.io/v1/",
    ] {
        assert!(run.stdout.contains(told), "{told}\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("hunter2"));
}

#[test]
fn explain_tells_what_makes_every_pull_fail() {
    let dir = tempfile::tempdir().expect("a folder");
    let broken = SECRETS.replace(
        "{\"username\": \"old\", \"password\": \"hunter2\"}",
        "{\"auth\": \"hunter2!\"}",
    );
    let secrets = policy_file(&dir, &broken);
    let run = pullgate(
        &["explain", "--secrets", &secrets, "-o", "json", "nginx"],
        "",
    );
    let answers: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(answers[0]["keyring"], Value::Null);
    assert_eq!(
        answers[0]["keyringError"],
        "the kubelet fails every pull of a pod that lists \"regcred\": `auth` of an entry is no base64"
    );
    assert!(!run.stdout.contains("hunter2"));
    for (text, message) in [
        ("kind: ConfigMap\napiVersion: v1\n", "holds no Secret"),
        ("a: [", "this is no YAML: "),
        (
            &SECRETS.replace("eyJy", "e!"),
            "is no base64: the API server would refuse it",
        ),
    ] {
        let run = pullgate(
            &["explain", "--secrets", &policy_file(&dir, text), "nginx"],
            "",
        );
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
    let run = pullgate(
        &["explain", "--secrets", &policy_file(&dir, "a: ["), "nginx"],
        "",
    );
    assert!(run.stderr.contains("policy.yaml:1:"), "{}", run.stderr);
}

#[test]
fn explain_tells_the_rule_and_why() {
    let args = ["explain", "--policy", &example(), "-n", "payments-eu"];
    let run = pullgate(
        &[
            &args[..],
            &[
                "-o",
                "json",
                "contoso.azurecr.io/payments/api:1",
                "registry.k8s.io/pause",
                "1.dkr.ecr.eu.amazonaws.com/x",
            ],
        ]
        .concat(),
        "",
    );
    let answers: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let told = |i: usize| {
        (
            answers[i]["rule"].as_str(),
            answers[i]["via"].as_str(),
            answers[i]["secrets"].clone(),
        )
    };
    assert_eq!(
        told(0),
        (
            Some("contoso-payments"),
            Some("secrets"),
            json!(["payments-pull"])
        )
    );
    assert_eq!(told(1), (Some("public"), Some("public"), json!([])));
    assert_eq!(told(2), (Some("ecr"), Some("node"), json!([])));
    let run = pullgate(
        &[&args[..], &["contoso.azurecr.io/payments/api:1"]].concat(),
        "",
    );
    assert!(
        run.stdout
            .contains("rule        contoso-payments (pattern contoso.azurecr.io/payments)"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("not         contoso (pattern contoso.azurecr.io): its path is shorter"),
        "{}",
        run.stdout
    );
    assert_eq!(run.code, 0);
    let run = pullgate(
        &[
            "explain",
            "--policy",
            &example(),
            "contoso.azurecr.io/payments/api:1",
        ],
        "",
    );
    assert!(run.stdout.contains("not         contoso-payments (pattern contoso.azurecr.io/payments): not in namespace default"), "{}", run.stdout);
}

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
            "cannot be used: correct what is shown above",
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

/// The schema is made from the types and the reader is written by hand: both have to know the same keys.
#[test]
fn the_schema_knows_the_keys_that_the_reader_knows() {
    let run = pullgate(&["schema"], "");
    let schema: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let keys_of = |schema: &Value| -> Vec<String> {
        let mut keys: Vec<String> = schema["properties"]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        keys.sort();
        keys
    };
    // Where an unknown key is written, the reader lists those that it knows.
    let rows = [
        ("", "UNKNOWN: 1"),
        ("RegistryEntry", "registries: [{UNKNOWN: 1}]"),
        ("Provision", "registries: [{provision: {UNKNOWN: 1}}]"),
        ("BanEntry", "bans: [{UNKNOWN: 1}]"),
        ("CredentialClause", "bans: [{credentials: {UNKNOWN: 1}}]"),
        ("ExceptionEntry", "exceptions: [{UNKNOWN: 1}]"),
        ("ExemptEntry", "exempt: {UNKNOWN: 1}"),
        ("NamespaceSelector", "exempt: {namespaces: {UNKNOWN: 1}}"),
        (
            "LabelSelector",
            "exempt: {namespaces: {labels: {UNKNOWN: 1}}}",
        ),
        (
            "Requirement",
            "exempt: {namespaces: {labels: {matchExpressions: [{UNKNOWN: 1}]}}}",
        ),
    ];
    for (definition, body) in rows {
        let part = if definition.is_empty() {
            &schema
        } else {
            &schema["definitions"][definition]
        };
        assert_eq!(part["additionalProperties"], false, "{definition}");
        let dir = tempfile::tempdir().expect("a folder");
        let file = policy_file(
            &dir,
            &format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{body}\n"),
        );
        let told = pullgate(&["check", "--policy", &file], "").stdout;
        let list = told
            .split("known here: ")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .expect(&told);
        let mut known: Vec<String> = list
            .split(", ")
            .map(|key| key.trim_matches('`').to_owned())
            .collect();
        known.sort();
        assert_eq!(known, keys_of(part), "{definition}");
    }
    let objects = schema["definitions"]
        .as_object()
        .expect("definitions")
        .values()
        .filter(|part| part["properties"].is_object());
    assert_eq!(
        objects.count(),
        rows.len() - 1,
        "a type is missing in this test"
    );
}

#[test]
fn explain_knows_exempt_namespaces_and_what_unmatched_does() {
    let explain = |namespace: &str, image: &str| {
        pullgate(
            &["explain", "--policy", &example(), "-n", namespace, image],
            "",
        )
        .stdout
    };
    let text = explain("kube-system", "contoso.azurecr.io/x");
    assert!(
        text.contains("none: namespace kube-system is exempt, and left alone")
            && !text.contains("contoso-pull"),
        "{text}"
    );
    let text = explain("shop", "quay.io/x");
    assert!(
        text.contains("none covers it in namespace shop: allowed by `unmatched`"),
        "{text}"
    );
}

/// Ended also when the test fails.
struct Ending(std::process::Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first command of the README.
#[test]
fn the_demo_shows_a_patch_and_a_refusal_and_serves_until_it_is_asked_to_stop() {
    use std::io::{BufRead, BufReader, Read};
    let child = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("pullgate");
    let Ending(child) = &mut Ending(child);
    let mut shown = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    while !shown.contains("curl -sk") {
        assert_ne!(lines.read_line(&mut shown).expect("text"), 0, "{shown}");
    }
    assert!(
        shown.contains("\"path\": \"/spec/imagePullSecrets\"")
            && shown.contains("\"name\": \"contoso-pull\""),
        "{shown}"
    );
    let refusal = "denied the request: Deployment payments/api: spec.template.spec.imagePullSecrets[0] names \"regcred-shared\", banned by \"legacy-shared\"";
    assert!(shown.contains(refusal), "{shown}");
    let address = shown
        .split("curl -sk https://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .expect("an address");
    std::net::TcpStream::connect(address).expect("it serves");
    assert!(child.try_wait().expect("a child").is_none(), "it stays up");
    let kill = format!("kill {}", child.id());
    // A shell has a `kill` of its own; a small machine may have no other.
    let stopped = Command::new("sh").args(["-c", &kill]).status().expect("sh");
    assert!(
        stopped.success() && child.wait().expect("a child").success(),
        "SIGTERM is a clean end"
    );
    lines.read_to_string(&mut shown).expect("text");
}

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
    for command in ["serve", "check", "explain", "schema", "completions", "man"] {
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
        run.code == 2 && run.stderr.contains("there is no command \"nothing\""),
        "{}",
        run.stderr
    );
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
