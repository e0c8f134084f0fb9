//! Compares the causes that `pullgate why` names with causes that are known by construction.

use crate::Test;
use crate::ground::{APP, Ground};
use crate::process::wait_for;
use crate::registry::{NAME, PASSWORD, USER};
use pullgate::objects::subject::INJECT;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

pub(super) const TESTS: &[Test] = &[(
    "why_names_the_cause_of_each_pod_that_waits",
    why_names_the_cause_of_each_pod_that_waits,
)];

const NAMESPACE: &str = "why";

/// A pod by its cause: its name, the cause, its pull secrets, and its image (of this registry if it begins with `/`).
const PODS: &[(&str, &str, &[&str], &str)] = &[
    ("right-secret", "none", &["good"], "/right-secret:1"),
    ("no-secret", "no-secret", &[], "/no-secret:1"),
    ("missing", "secret-missing", &["gone"], "/missing:1"),
    (
        "missing-and-right",
        "harmless",
        &["gone", "good"],
        "/missing-and-right:1",
    ),
    ("opaque", "secret-wrong-type", &["opaque"], "/opaque:1"),
    (
        "other-host",
        "no-key-for-registry",
        &["other-host"],
        "/other-host:1",
    ),
    (
        "other-path",
        "no-key-for-registry",
        &["other-path"],
        "/other-path:1",
    ),
    (
        "wrong-password",
        "credential-refused",
        &["wrong"],
        "/wrong-password:1",
    ),
    (
        "two-wrong",
        "credential-refused",
        &["wrong", "wrong-too"],
        "/two-wrong:1",
    ),
    (
        "wrong-and-right",
        "none",
        &["wrong", "good"],
        "/wrong-and-right:1",
    ),
    ("broken", "secret-unreadable", &["broken"], "/broken:1"),
    (
        "broken-and-right",
        "secret-unreadable",
        &["good", "broken"],
        "/broken-and-right:1",
    ),
    ("no-tag", "not-found", &["good"], "/no-tag:2"),
    ("no-repository", "not-found", &["good"], "/not/there:1"),
    ("never", "never-pull-absent", &["good"], "/never:1"),
    ("invalid", "invalid-name", &["good"], "/Invalid:1"),
    ("refused", "network", &["good"], "127.0.0.1:9/app:1"),
    ("no-host", "network", &["good"], "nowhere.invalid/app:1"),
    ("init", "not-found", &["good"], "/init:1"),
    ("volume", "no-secret", &[], "/volume:1"),
    ("unscheduled", "unscheduled", &["good"], "/unscheduled:1"),
];

fn why_names_the_cause_of_each_pod_that_waits(ground: &Ground) {
    prepare(ground);
    let pods: Vec<Value> = PODS
        .iter()
        .map(|(name, _, secrets, image)| pod(name, secrets, image))
        .collect();
    ground.apply(&json!({"apiVersion": "v1", "kind": "List", "items": pods}).to_string());
    let expected: BTreeMap<_, _> = PODS
        .iter()
        .map(|(name, cause, ..)| ((*name).to_owned(), (*cause).to_owned()))
        .collect();
    let mut seen = BTreeMap::new();
    let mut answers = String::new();
    wait_for("why names the cause of each pod", || {
        answers.clear();
        seen = PODS
            .iter()
            .map(|(name, ..)| {
                let (cause, answer) = why(ground, name);
                answers += &answer;
                ((*name).to_owned(), cause)
            })
            .collect();
        let differ = seen
            .iter()
            .filter(|(name, cause)| expected[*name] != **cause);
        // The timeout of this wait says nothing about the pods, so the difference is printed each time.
        let differ: Vec<_> = differ.collect();
        if !differ.is_empty() {
            eprintln!("not yet: {differ:?}");
        }
        differ.is_empty()
    });
    for secret in [PASSWORD, "not-the-password"] {
        assert!(!answers.contains(secret), "{answers}");
    }
    // The text for a person: the cause is in the line after the image.
    let (_, text) = run(ground, &["opaque"]);
    assert!(
        text.contains("  cause: Secret opaque is of type Opaque, so the kubelet ignores it"),
        "{text}"
    );
    ground.run(&["delete", "namespace", NAMESPACE, "--wait=false"]);
}

fn prepare(ground: &Ground) {
    ground.run(&["create", "namespace", NAMESPACE]);
    wait_for("pods can be made", || {
        let get = ["-n", NAMESPACE, "get", "serviceaccount", "default"];
        ground.plane.kubectl(&get, "").ok
    });
    for (_, _, _, image) in PODS {
        let Some(repository) = image.strip_prefix('/') else {
            continue;
        };
        if repository.ends_with(":1")
            && !["not/there:1", "Invalid:1", "init:1"].contains(&repository)
        {
            ground.registry.copy(APP, &format!("why/{repository}"));
        }
    }
    ground.registry.copy(APP, "why/plain:1");
    let docker = |name: &str, server: &str, password: &str| {
        let auths = json!({"auths": {server: {"username": USER, "password": password}}});
        secret(
            name,
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson",
            &auths.to_string(),
        )
    };
    let secrets = [
        docker("good", NAME, PASSWORD),
        docker("wrong", NAME, "not-the-password"),
        docker("wrong-too", NAME, "not-the-password-either"),
        docker("other-host", "ghcr.io", PASSWORD),
        docker("other-path", &format!("{NAME}/elsewhere"), PASSWORD),
        secret("opaque", "Opaque", "a", "b"),
        secret(
            "broken",
            "kubernetes.io/dockercfg",
            ".dockercfg",
            &json!({NAME: {"auth": "!!!"}}).to_string(),
        ),
    ];
    ground.apply(&json!({"apiVersion": "v1", "kind": "List", "items": secrets}).to_string());
}

fn secret(name: &str, of_type: &str, key: &str, content: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": of_type, "stringData": {key: content},
        "metadata": {"name": name, "namespace": NAMESPACE},
    })
}

/// Returns a pod with the annotation that switches injection off, in case Pullgate is installed.
fn pod(name: &str, secrets: &[&str], image: &str) -> Value {
    let listed: Vec<_> = secrets.iter().map(|name| json!({"name": name})).collect();
    let own = |image: &str| match image.strip_prefix('/') {
        Some(repository) => format!("{NAME}/why/{repository}"),
        None => image.to_owned(),
    };
    let policy = if name == "never" { "Never" } else { "Always" };
    let container = |name: &str, image: &str| json!({"name": name, "image": own(image), "imagePullPolicy": policy});
    let mut spec = json!({
        "containers": [container("a", image)], "imagePullSecrets": listed, "hostNetwork": true,
        "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
    });
    match name {
        "init" => {
            spec["initContainers"] = json!([container("first", image)]);
            spec["containers"] = json!([container("a", "/plain:1")]);
        }
        "volume" => {
            spec["volumes"] =
                json!([{"name": "v", "image": {"reference": own(image), "pullPolicy": "Always"}}]);
            spec["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
        }
        "unscheduled" => spec["nodeSelector"] = json!({"no-such-label": "x"}),
        _ => {}
    }
    json!({
        "apiVersion": "v1", "kind": "Pod", "spec": spec,
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {INJECT: "disabled"}},
    })
}

/// Returns the cause that `pullgate why` names for a pod, and the whole answer.
fn why(ground: &Ground, pod: &str) -> (String, String) {
    let (code, answer) = run(ground, &["-o", "json", pod]);
    let read: Value = serde_json::from_str(&answer).expect("JSON");
    let cause = read["pods"][0]["images"][0]["cause"]
        .as_str()
        .unwrap_or_default();
    let is_clean = ["none", "harmless"].contains(&cause);
    assert_eq!(code, Some(i32::from(!is_clean)), "{answer}");
    (cause.to_owned(), answer)
}

fn run(ground: &Ground, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(["why", "-n", NAMESPACE, "--kubeconfig"])
        .arg(ground.plane.kubeconfig())
        .args(args)
        .output()
        .expect("pullgate");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() != Some(2), "{args:?}: {stderr}");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}
