//! Tests of `explain`.

use super::{example, policy_file, pullgate};
use serde_json::{Value, json};

#[test]
fn explain_prints_json_for_each_line() {
    let run = pullgate(
        &["explain", "-o", "json", "-"],
        "nginx\r\n\r\n# no comment\n \nreg.io/a/b:1\n\n",
    );
    let answers: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(
        run.code, 1,
        "one of them is not an image, and blank lines are skipped"
    );
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 3);
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
        "the kubelet fails every pull of a pod that lists \"regcred\": `auth` of an entry is not base64"
    );
    assert!(!run.stdout.contains("hunter2"));
    for (text, message) in [
        ("kind: ConfigMap\napiVersion: v1\n", "holds no Secret"),
        ("a: [", "not YAML: "),
        (
            &SECRETS.replace("eyJy", "e!"),
            "is not base64: the API server would refuse it",
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
