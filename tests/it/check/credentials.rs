//! Tests that `check` shows no credential.

use super::Folder;
use std::process::Command;

/// Promise 5. Of a line is shown what leads to the place, and the place: whatever else is there may be a secret.
#[test]
fn promise_5_no_credential_of_a_manifest_is_shown() {
    let secret = "apiVersion: v1\nkind: Secret\n";
    let docker = "type: kubernetes.io/dockerconfigjson";
    let pod = "apiVersion: v1, kind: Pod, metadata: {name: p}";
    let pull = "imagePullSecrets: [{name: legacy-1}]";
    let long = "x".repeat(200);
    let files = [
        format!("{secret}metadata:\n  name: legacy-hub\n  annotations: {{last-applied: 'hidden'}}\n{docker}\ndata: {{a: hidden}}\nstringData:\n  b: |\n    hidden\n"),
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"type":"kubernetes.io/dockercfg","data":{".dockercfg":"hidden"}}"#.to_owned(),
        format!("{{{pod}, spec: {{containers: [{{name: c, env: [{{name: P, value: hidden}}], image: 'A B'}}]}}}}"),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'A B', env: [{{name: P, value: hidden}}]}}]}}}}"),
        format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p","annotations":{{"a":"hidden {long}"}}}},"spec":{{"imagePullSecrets":[{{"name":"legacy-1"}}]}}}}"#),
        format!("{{apiVersion: v1, kind: Pod, metadata: {{name: p, annotations: {{a: hidden}}}}, spec: {{{pull}}}}}"),
        format!("{secret}{docker}\ndata:\n  .dockerconfigjson: [hidden\n"),
        format!("{secret}type: [hidden]\n"),
        format!("{secret}{docker} # hidden\n"),
        format!("{secret}{docker}\ndata: {{a: hidden, a: x}}\n"),
        format!("{secret}{docker}\ndata: {{<<: {{x: hidden}}, x: y}}\n"),
        "password: hidden\npassword: hidden\n".to_owned(),
        "apiVersion: x.y/v1\nkind: Secret\nspec: {password: hidden, password: hidden}\n".to_owned(),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'https://bob:hidden@reg.io/x'}}, {{name: d, image: 'bob:hidden@reg.io/x'}}]}}}}"),
        format!("{{{pod}, spec: {{imagePullSecrets: [{{name: 5, hidden: hidden}}]}}}}"),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'bob:hidden@reg.io/x@sha256:{}'}}, {{name: d, image: hidden@reg.io/x}}]}}}}", "0".repeat(64)),
        format!("{pod}\nspec:\n  containers:\n  - image: bob:hidden@reg.io/x\n").replace(", ", "\n"),
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
    // The same of what is no policy and was given for one.
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
