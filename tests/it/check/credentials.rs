//! Tests that `check` shows no credential.

use super::Folder;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;
use std::process::Command;

/// Promise 5. The report shows the keys that lead to a place, and the place. The rest of the line may be a secret.
#[test]
fn promise_5_no_credential_of_a_manifest_is_shown() {
    let secret = "apiVersion: v1\nkind: Secret\n";
    let docker = "type: kubernetes.io/dockerconfigjson";
    let pod = "apiVersion: v1, kind: Pod, metadata: {name: p}";
    let pull = "imagePullSecrets: [{name: legacy-1}]";
    let long = "x".repeat(200);
    let auths = r#"{"auths":{"reg.io":{"username":"bob","password":"hidden"}}}"#;
    let files = [
        format!("{secret}metadata:\n  name: legacy-hub\n  annotations: {{last-applied: 'hidden'}}\n{docker}\ndata: {{a: hidden}}\nstringData:\n  .dockerconfigjson: |\n    hidden\n"),
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"type":"kubernetes.io/dockercfg","data":{".dockercfg":"hidden"}}"#.to_owned(),
        format!("{{{pod}, spec: {{containers: [{{name: c, env: [{{name: P, value: hidden}}], image: 'A B'}}]}}}}"),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'A B', env: [{{name: P, value: hidden}}]}}]}}}}"),
        format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p","annotations":{{"a":"hidden {long}"}}}},"spec":{{"imagePullSecrets":[{{"name":"legacy-1"}}]}}}}"#),
        format!("{{apiVersion: v1, kind: Pod, metadata: {{name: p, annotations: {{a: hidden}}}}, spec: {{{pull}}}}}"),
        format!("{secret}{docker}\ndata:\n  .dockerconfigjson: [hidden\n"),
        format!("{secret}type: [hidden]\n"),
        format!("{secret}{docker} # hidden\ndata: {{.dockerconfigjson: hidden}}\n"),
        format!("{secret}{docker}\ndata: {{a: hidden, a: x}}\n"),
        format!("{secret}{docker}\ndata: {{<<: {{.dockerconfigjson: hidden}}, x: y}}\n"),
        "password: hidden\npassword: hidden\n".to_owned(),
        "apiVersion: x.y/v1\nkind: Secret\nspec: {password: hidden, password: hidden}\n".to_owned(),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'https://bob:hidden@reg.io/x'}}, {{name: d, image: 'bob:hidden@reg.io/x'}}]}}}}"),
        format!("{{{pod}, spec: {{imagePullSecrets: [{{name: 5, hidden: hidden}}]}}}}"),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'bob:hidden@reg.io/x@sha256:{}'}}, {{name: d, image: hidden@reg.io/x}}]}}}}", "0".repeat(64)),
        format!("{pod}\nspec:\n  containers:\n  - image: bob:hidden@reg.io/x\n").replace(", ", "\n"),
        // Of other types, without a name, and with fields in the place of a text.
        format!("{secret}metadata: {{generateName: a, annotations: {{a: hidden}}}}\nstringData: {{a: '{auths}'}}\n"),
        format!(r#"{{"stringData":{{"a":{auths:?}}},"apiVersion":"v1","type":["hidden"],"kind":"Secret"}}"#),
    ];
    let names: Vec<_> = (0..files.len()).map(|i| format!("f{i:02}.yaml")).collect();
    let pairs: Vec<_> = names
        .iter()
        .map(String::as_str)
        .zip(files.iter().map(String::as_str))
        .collect();
    let folder = Folder::new(&pairs);
    for format in ["text", "json", "sarif"] {
        let run = folder.check(&["-f", ".", "-o", format], "");
        assert_eq!(run.code, 1);
        let all = run.stdout + &run.stderr;
        assert!(!all.contains("hidden"), "{all}");
        for name in &names {
            assert!(all.contains(name), "{name} in {all}");
        }
    }
    let run = folder.check(&["-f", "f00.yaml", "f03.yaml", "f08.yaml"], "");
    assert!(
        run.stdout
            .contains("6 | type: kubernetes.io/dockerconfigjson\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("3 | type: kubernetes.io/dockerconfigjson\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("the name is banned by \"legacy-shared\""),
        "{}",
        run.stdout
    );
    // The same for a file that is given as the policy and is not one.
    folder.write(
        "secret.json",
        r#"{"kind": "Secret", "stringData": {"password": "hidden"}}"#,
    );
    for command in [&["check"][..], &["explain", "nginx"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_pullgate"))
            .args(command)
            .args(["--policy", "secret.json"])
            .current_dir(folder.0.path())
            .output()
            .expect("pullgate");
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8_lossy(&all).into_owned();
        assert!(
            all.contains("secret.json:1:") && !all.contains("hidden"),
            "{all}"
        );
    }
}

/// A Secret of a file: its type, the map and the key, and the value.
fn secret(of_type: &str, map: &str, key: &str, value: &str) -> String {
    let value = value.replace('\'', "''");
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ntype: {of_type}\n{map}: {{'{key}': '{value}'}}\n"
    )
}

/// The exit code of `check` for a file, and its findings: severity and message.
fn findings(file: &str) -> (i32, Vec<(String, String)>) {
    let folder = Folder::new(&[("s.yaml", file)]);
    let run = folder.check(&["-f", "s.yaml", "-o", "json"], "");
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().expect("findings").iter();
    let findings = findings.filter(|finding| finding["code"] == "credential");
    let told = findings.map(|finding| (text(&finding["severity"]), text(&finding["message"])));
    (run.code, told.collect())
}

#[test]
fn a_placeholder_is_not_a_credential() {
    let new = "kubernetes.io/dockerconfigjson";
    let (data, text, key) = ("data", "stringData", ".dockerconfigjson");
    let base64 = |text: &str| BASE64_STANDARD.encode(text);
    let empty = [
        "{}",
        r#"{"auths":{}}"#,
        r#"{"auths":{"reg.io":{"username":"u"}}}"#,
    ];
    for value in empty {
        for file in [
            secret(new, text, key, value),
            secret(new, data, key, &base64(value)),
        ] {
            assert_eq!(findings(&file), (0, vec![]), "{file}");
        }
    }
    for file in [
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ntype: {new}\n"),
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ntype: {new}\ndata: {{{key}: ''}}\n"
        ),
        secret("kubernetes.io/dockercfg", data, ".dockercfg", &base64("{}")),
        secret("Opaque", text, "config.json", r#"{"db":{"password":"x"}}"#),
        secret("Opaque", text, "config.json", "${CONFIG}"),
        secret(
            "Opaque",
            text,
            "config.json",
            r#"{"auths":{"reg.io":{"auth":"${AUTH}"}}}"#,
        ),
    ] {
        assert_eq!(findings(&file), (0, vec![]), "{file}");
    }
    let note = (
        "note".to_owned(),
        "Secret default/s: the registry credential is not filled in".to_owned(),
    );
    for value in [
        "${DOCKER_CONFIG}",
        "$(DOCKER_CONFIG)",
        "<base64 of config.json>",
        "{{ .Values.dockerconfig }}",
        "ENC[AES256_GCM,data:abc,type:str]",
        "not base64!",
        "REPLACE_ME",
    ] {
        for map in [text, data] {
            let file = secret(new, map, key, value);
            assert_eq!(findings(&file), (0, vec![note.clone()]), "{file}");
        }
    }
    let entry = r#"{"auths":{"reg.io":{"username":"${USER}","password":"<token>"}}}"#;
    let older = r#"{"reg.io":{"username":"u","password":"$(PW)"}}"#;
    for file in [
        secret(new, text, key, entry),
        secret(new, data, key, &base64(entry)),
        secret("kubernetes.io/dockercfg", text, ".dockercfg", older),
    ] {
        assert_eq!(findings(&file), (0, vec![note.clone()]), "{file}");
    }
}

#[test]
fn a_credential_is_found_wherever_it_stands() {
    let new = "kubernetes.io/dockerconfigjson";
    let key = ".dockerconfigjson";
    let mixed = r#"{"auths":{"a.io":{"auth":"${AUTH}"},"b.io":{"username":"u","password":"pw"}}}"#;
    let token = r#"{"auths":{"reg.io":{"auth":"","identitytoken":"abc"}}}"#;
    let bare = r#"{"reg.io":{"username":"u","password":"pw"}}"#;
    let folded = BASE64_STANDARD.encode(mixed);
    let folded = format!("{} {}", &folded[..20], &folded[20..]);
    let both = format!(
        "{}data: {{{key}: {}}}\n",
        secret(new, "stringData", key, "{}"),
        BASE64_STANDARD.encode(mixed)
    );
    for (file, place) in [
        (secret(new, "stringData", key, mixed), ""),
        (secret(new, "stringData", key, token), ""),
        (secret(new, "stringData", key, bare), ""),
        (secret(new, "data", key, &folded), ""),
        // Not encoded, and encoded twice: the API server refuses both, and the file shows them.
        (secret(new, "data", key, mixed), ""),
        (
            secret(
                new,
                "data",
                key,
                &BASE64_STANDARD.encode(BASE64_STANDARD.encode(mixed)),
            ),
            "",
        ),
        (both, ""),
        (
            secret(new, "stringData", "config.json", mixed),
            " (stringData[\"config.json\"])",
        ),
        (
            secret("Opaque", "stringData", "config.json", mixed),
            " (stringData[\"config.json\"])",
        ),
        (
            secret(
                "Opaque",
                "data",
                ".dockercfg",
                &BASE64_STANDARD.encode(bare),
            ),
            " (data[\".dockercfg\"])",
        ),
    ] {
        let message = format!("Secret default/s: a registry credential in a file{place}");
        assert_eq!(
            findings(&file),
            (1, vec![("error".to_owned(), message)]),
            "{file}"
        );
    }
    // Without a type a Secret is Opaque, and a value that SOPS has encrypted is not a credential to its readers.
    let kaniko = secret("Opaque", "stringData", "config.json", mixed).replace("type: Opaque\n", "");
    assert_eq!(findings(&kaniko).0, 1);
    assert_eq!(findings(&format!("{kaniko}sops: {{}}\n")), (0, vec![]));
}
