//! Tests of `explain --secrets`: why a Secret cannot serve, and hints.

use super::pullgate;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

const NEW: &str = "kubernetes.io/dockerconfigjson";
const OLD: &str = "kubernetes.io/dockercfg";

/// A Secret with one key and its content.
fn secret(name: &str, of_type: &str, key: &str, content: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": of_type,
        "data": {key: BASE64_STANDARD.encode(content)},
    })
}

/// The newer type with these entries in `auths`.
fn auths(name: &str, entries: &Value) -> Value {
    secret(
        name,
        NEW,
        ".dockerconfigjson",
        &json!({"auths": entries}).to_string(),
    )
}

fn login() -> Value {
    json!({"username": "joe", "password": "hunter2"})
}

/// Returns the text of `explain` for Secrets and images; asserts that it has no password.
fn explain(secrets: &[Value], args: &[&str]) -> String {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": secrets});
    let run = pullgate(
        &[&["explain", "--secrets", "-"], args].concat(),
        &list.to_string(),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
    run.stdout
}

#[test]
fn explain_tells_why_a_secret_cannot_serve() {
    let config = json!({"auths": {"reg.io": login()}}).to_string();
    let bare = json!({"reg.io": login()}).to_string();
    for (secret, reason) in [
        (
            secret("s", "Opaque", ".dockerconfigjson", &config),
            "its type is Opaque, which the kubelet ignores: delete and recreate it",
        ),
        (
            secret("s", "", ".dockerconfigjson", &config),
            "its type is Opaque, which the kubelet ignores",
        ),
        (
            secret("s", "example.com/x", "a", &config),
            "its type is example.com/x, which the kubelet ignores",
        ),
        (
            secret("s", NEW, "config.json", &config),
            "it has no key .dockerconfigjson (it has config.json): the API server refuses",
        ),
        (
            secret("s", NEW, ".dockercfg", &bare),
            "it has no key .dockerconfigjson (it has .dockercfg)",
        ),
        (
            secret("s", NEW, ".dockerconfigjson", ""),
            "its .dockerconfigjson is empty: the API server refuses it",
        ),
        (
            secret("s", NEW, ".dockerconfigjson", "{}"),
            "its content has no `auths`",
        ),
        (
            secret("s", NEW, ".dockerconfigjson", "{\"auths\":{}}"),
            "its content has no entry yet",
        ),
        (
            secret("s", NEW, ".dockerconfigjson", &bare),
            "its content has no `auths` around the entries, as the older type",
        ),
        (
            secret("s", OLD, ".dockercfg", &config),
            "its content has `auths`, which only the newer type knows",
        ),
        (
            secret(
                "s",
                NEW,
                ".dockerconfigjson",
                "{\"credHelpers\":{\"reg.io\":\"x\"},\"credsStore\":\"y\"}",
            ),
            "its content only names credential helpers (`credHelpers`, `credsStore`)",
        ),
        (
            auths("s", &json!({"other.io": login()})),
            "its key other.io does not match",
        ),
        (
            auths("s", &json!({"a.io": login(), "b.io": login()})),
            "none of its 2 keys matches: a.io, b.io",
        ),
        (
            auths("s", &json!({"oci://reg.io": login()})),
            "its key oci://reg.io matches no image",
        ),
        (
            auths("s", &json!({"reg.io/*": login(), "reg.io/Team": login()})),
            "its keys match no image: reg.io/*, reg.io/Team",
        ),
        (
            auths("s", &json!({" reg.io": login()})),
            "the kubelet ignores the key \" reg.io\": it has a space at one of its ends",
        ),
    ] {
        let text = explain(&[secret], &["reg.io/x"]);
        for expected in [
            "pull        anonymous: no secret has a credential for it",
            &format!("unused      s: {reason}"),
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}

#[test]
fn explain_does_not_use_secrets_of_another_namespace() {
    let mut of_shop = auths("regcred", &json!({"reg.io": login()}));
    of_shop["metadata"]["namespace"] = "shop".into();
    let without = auths("team", &json!({"reg.io": login()}));
    let all = [of_shop.clone(), without];
    let text = explain(&all, &["-n", "payments", "reg.io/x"]);
    assert!(text.contains("tried first: team"), "{text}");
    assert!(
        text.contains(
            "unused      regcred: it is in the namespace shop, and a pod in payments cannot use it"
        ),
        "{text}"
    );
    for args in [&["-n", "shop", "reg.io/x"][..], &["reg.io/x"]] {
        assert!(explain(&all, args).contains("tried first: regcred"));
    }
    let mut of_other = of_shop.clone();
    of_other["metadata"]["namespace"] = "other".into();
    let text = explain(&[of_shop, of_other], &["reg.io/x"]);
    assert!(
        text.contains(
            "the Secrets are of the namespaces other, shop, and a pod can use only those of its own"
        ),
        "{text}"
    );
}

#[test]
fn explain_tells_keys_that_serve_other_images_than_was_meant() {
    let hint = "registry-1.docker.io serves only images whose registry is written as registry-1.docker.io; for Docker Hub \
                (docker.io) the key is https://index.docker.io/v1/";
    let hub = [auths("hub", &json!({"registry-1.docker.io": login()}))];
    let text = explain(&hub, &["registry-1.docker.io/bitnami/redis:8", "joe/app"]);
    assert!(
        text.contains("tried first: hub (key registry-1.docker.io"),
        "{text}"
    );
    assert!(
        text.contains("unused      hub: its key registry-1.docker.io does not match"),
        "{text}"
    );
    assert!(
        text.contains(hint) && !text.contains("matches no image"),
        "{text}"
    );
    for (key, told) in [
        (
            "https://registry.hub.docker.com/v2/",
            "s: registry.hub.docker.com serves only images whose registry is written as",
        ),
        (
            "https://quay.io/v2",
            "s: quay.io/v2 serves only images whose path begins with v2; for all of quay.io write quay.io",
        ),
        (
            "https://index.docker.io/v1",
            "s: index.docker.io/v1 matches no image; Docker Hub is https://index.docker.io/v1/",
        ),
        (
            "oci://reg.io",
            "s: oci://reg.io matches no image; a key is HOST, HOST:PORT or HOST/PATH",
        ),
        ("reg.io/team/*", "s: reg.io/team/* matches no image"),
        ("[fd00::1]", "s: [fd00::1] matches no image"),
        (
            " reg.io",
            "s: the kubelet ignores the key \" reg.io\": it has a space at one of its ends",
        ),
        (
            "bob:hunter2@reg io",
            "s: the kubelet ignores the key \"reg io\": it is not a host",
        ),
    ] {
        let text = explain(&[auths("s", &json!({key: login()}))], &["nginx"]);
        assert!(text.contains(told), "{told}\n{text}");
        let hints = ["matches no image", "serves only"].map(|hint| text.contains(hint));
        assert!(hints != [true, true], "one contradicts the other: {text}");
    }
    for key in [
        "https://index.docker.io/v1/",
        "docker.io",
        "https://quay.io/v1/",
        "[fd00::1]:5000",
        "*.reg.io",
    ] {
        let text = explain(&[auths("s", &json!({key: login()}))], &["nginx"]);
        assert!(
            !text.contains("serves only") && !text.contains("matches no image"),
            "{text}"
        );
    }
}

#[test]
fn explain_tells_passwords_that_no_registry_takes() {
    let end = "the password for reg.io ends with a line end";
    let with = |entry: Value| explain(&[auths("s", &json!({"reg.io": entry}))], &["reg.io/x"]);
    let encoded = |pair: &str| json!({"auth": BASE64_STANDARD.encode(pair)});
    for entry in [
        encoded("joe:hunter2\n"),
        encoded("joe:hunter2\r\n"),
        json!({"username": "joe", "password": "hunter2\n"}),
    ] {
        assert!(with(entry).contains(end));
    }
    assert!(!with(login()).contains("line end"));
    assert!(
        with(encoded("joe\n:hunter2")).contains("the user name for reg.io ends with a line end")
    );
    let text = with(
        json!({"auth": BASE64_STANDARD.encode("00000000-0000-0000-0000-000000000000:"), "identitytoken": "hunter2"}),
    );
    assert!(
        text.contains("s: reg.io has a user name and no password: the kubelet does not read identity tokens, and logs in with an empty password"),
        "{text}"
    );
    assert!(!text.contains("refresh token"), "{text}");
    let text = with(json!({"identitytoken": "hunter2"}));
    assert!(
        text.contains("s: reg.io has no user name and no password"),
        "{text}"
    );
}

#[test]
fn explain_tells_a_content_that_was_encoded_twice() {
    let config = json!({"auths": {"reg.io": login()}}).to_string();
    let twice = secret(
        "twice",
        NEW,
        ".dockerconfigjson",
        &BASE64_STANDARD.encode(config),
    );
    let opaque = secret("other", "Opaque", "a", "b");
    let good = auths("good", &json!({"reg.io": login()}));
    let list =
        json!({"apiVersion": "v1", "kind": "List", "items": [twice, opaque, good]}).to_string();
    let run = pullgate(
        &["explain", "--secrets", "-", "-o", "json", "reg.io/x"],
        &list,
    );
    let answers: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let error = "the kubelet fails every pull of a pod that lists \"twice\": not JSON (it is base64 of a Docker configuration: \
                 the content was encoded twice, encode it once)";
    assert_eq!(answers[0]["keyringError"], error);
    assert_eq!(answers[0]["keyring"], Value::Null);
    let unused = &answers[0]["unused"];
    assert_eq!(
        (&unused[0]["secret"], &unused[0]["reason"]),
        (&json!("twice"), &json!(error))
    );
    assert_eq!(unused[1]["secret"], "other");
    // The keys of the third match: only the first one is in its way.
    assert_eq!(unused.as_array().map(Vec::len), Some(2), "{unused}");
    let broken = secret("s", NEW, ".dockerconfigjson", "no");
    assert!(explain(&[broken], &["x"]).contains("lists \"s\": not JSON\n"));
}

#[test]
fn explain_reads_images_or_secrets_from_stdin_and_not_both() {
    let run = pullgate(&["explain", "--secrets", "-", "-"], "");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("stdin cannot be both"),
        "{}",
        run.stderr
    );
    let run = pullgate(&["explain", "--secrets", "-", "nginx"], "a: [");
    assert!(run.stderr.contains("<stdin>:1:"), "{}", run.stderr);
}
