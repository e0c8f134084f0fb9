//! Compares the kubelet's use of pull secrets with the prediction of `pullgate explain --secrets`.

mod table;

use crate::Test;
use crate::ground::{APP, Ground};
use crate::process::wait_for;
use crate::registry::{USER, USER_WITH_COLON};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use table::Pod;

pub(super) const TESTS: &[Test] = &[(
    "the_kubelet_does_what_the_keyring_says_with_chosen_secrets",
    the_kubelet_does_what_the_keyring_says_with_chosen_secrets,
)];

const NAMESPACE: &str = "keyring";

/// The course of a pod's pull: predicted by `explain`, or observed at the kubelet and the registry.
#[derive(Debug, PartialEq, Eq)]
struct Pull {
    end: End,
    /// The users that asked the registry, up to the first that may pull. An anonymous request is an empty text.
    tries: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The container runs.
    Runs,
    /// The registry refused anonymous requests, wrong passwords, or both.
    Refused { nobody: bool, password: bool },
    /// The kubelet cannot read a secret, and sends no request.
    Unreadable,
    /// Any other reason.
    Other(String),
}

/// Tests all pods at once. Each has its own image, so that no pod finds an image that another has pulled.
fn the_kubelet_does_what_the_keyring_says_with_chosen_secrets(ground: &Ground) {
    let pods = table::pods();
    make_namespace(ground);
    the_api_server_refuses_invalid_secrets(ground);
    for pod in &pods {
        let image = format!("{}:1", pod.repository());
        ground.registry.copy(APP, &image);
    }
    let secrets = pods.iter().flat_map(|pod| pod.secrets(NAMESPACE));
    ground.apply(&list(secrets).to_string());
    let stored = stored_secrets(ground);
    let dir = ground.plane.dir();
    let predicted: Vec<Pull> = pods.iter().map(|pod| predict(pod, &stored, dir)).collect();
    assert_every_end_is_predicted(&predicted);
    let manifests = pods.iter().map(|pod| pod.manifest(NAMESPACE));
    ground.apply(&list(manifests).to_string());
    let mut ends = BTreeMap::new();
    wait_for("the pull of every pod has come to an end", || {
        ends = seen(ground);
        ends.len() == pods.len()
    });
    let asked = ground.registry.asked();
    let rows = pods.iter().zip(&predicted);
    let differ = rows.filter_map(|(pod, predicted)| {
        let tries = asked.get(&pod.repository()).map_or(&[][..], Vec::as_slice);
        let (end, message) = &ends[pod.name];
        let did = Pull {
            end: end.clone(),
            tries: one_round(tries, predicted.tries.len()).to_vec(),
        };
        let told = || {
            let name = pod.name;
            format!("{name}: predicted {predicted:?}\n  did {did:?} of {tries:?}: {message}\n")
        };
        (did != *predicted).then(told)
    });
    let differ: String = differ.collect();
    assert!(differ.is_empty(), "\n{differ}");
    ground.run(&["delete", "namespace", NAMESPACE, "--wait=false"]);
}

fn make_namespace(ground: &Ground) {
    ground.run(&["create", "namespace", NAMESPACE]);
    wait_for("pods can be made", || {
        let get = ["-n", NAMESPACE, "get", "serviceaccount", "default"];
        ground.plane.kubectl(&get, "").ok
    });
}

/// Asserts that the API server refuses these Secrets, so that the kubelet never sees them.
fn the_api_server_refuses_invalid_secrets(ground: &Ground) {
    for secret in table::refused() {
        let refused = ground.try_apply(&secret.manifest("refused", NAMESPACE).to_string());
        assert!(
            !refused.ok && refused.stderr.contains("is invalid: data[.docker"),
            "{refused:?}"
        );
    }
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    let items: Vec<Value> = items.collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// Returns the Secrets as `kubectl get` shows them, by name.
fn stored_secrets(ground: &Ground) -> BTreeMap<String, Value> {
    let got = ground.run(&["-n", NAMESPACE, "get", "secrets", "-o", "json"]);
    let got: Value = serde_json::from_str(&got).expect("JSON");
    let items = got["items"].as_array().cloned().unwrap_or_default();
    let named = |secret: Value| (text(&secret["metadata"]["name"]), secret);
    items.into_iter().map(named).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Predicts the pull from the answer of `explain` for the pod's image and its existing secrets, and from the users that
/// may pull at this registry.
fn predict(pod: &Pod, stored: &BTreeMap<String, Value>, dir: &Path) -> Pull {
    let listed = pod.listed();
    let there: Vec<_> = listed.iter().filter_map(|name| stored.get(name)).collect();
    let explained = if there.is_empty() {
        // `explain` accepts no file without a Secret.
        Some(Vec::new())
    } else {
        explain(&pod.image(), &list(there.into_iter().cloned()), dir)
    };
    let Some(mut tries) = explained else {
        return Pull {
            end: End::Unreadable,
            tries: Vec::new(),
        };
    };
    if tries.is_empty() {
        tries.push(String::new());
    }
    let may_pull = |user: &String| [USER, USER_WITH_COLON.0].contains(&user.as_str());
    let is_nobody = |user: &String| user.is_empty();
    let end = if let Some(first) = tries.iter().position(may_pull) {
        tries.truncate(first + 1);
        End::Runs
    } else {
        End::Refused {
            nobody: tries.iter().any(is_nobody),
            password: !tries.iter().all(is_nobody),
        }
    };
    Pull { end, tries }
}

/// Returns the users that `pullgate explain` says are tried, in order, or `None` where the kubelet fails every pull.
fn explain(image: &str, secrets: &Value, dir: &Path) -> Option<Vec<String>> {
    let file = dir.join("secrets.json");
    std::fs::write(&file, secrets.to_string()).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(["explain", "-o", "json", image, "--secrets"])
        .arg(&file)
        .output()
        .expect("pullgate");
    assert!(output.status.success(), "{image}: {output:?}");
    let explained: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let keyring = &explained[0]["keyring"];
    assert_ne!(
        keyring.is_null(),
        explained[0]["keyringError"].is_null(),
        "{explained}"
    );
    let users = keyring.as_array()?.iter();
    Some(users.map(|tried| text(&tried["username"])).collect())
}

/// Asserts that the table covers every end. Without this, a table that lost rows would still pass.
fn assert_every_end_is_predicted(predicted: &[Pull]) {
    for (nobody, password) in [(true, false), (false, true), (true, true)] {
        let end = End::Refused { nobody, password };
        assert!(predicted.iter().any(|pull| pull.end == end), "{end:?}");
    }
    for end in [End::Runs, End::Unreadable] {
        let several = predicted.iter().filter(|pull| pull.end == end).count();
        assert!(several > 4, "{end:?} {several} times");
    }
    assert!(predicted.iter().any(|pull| pull.tries.len() > 2));
}

/// Returns the ends of the pulls that are finished, each with the kubelet's message.
fn seen(ground: &Ground) -> BTreeMap<String, (End, String)> {
    let got = ground.run(&["-n", NAMESPACE, "get", "pods", "-o", "json"]);
    let got: Value = serde_json::from_str(&got).expect("JSON");
    let pods = got["items"].as_array().cloned().unwrap_or_default();
    let ended = pods.iter().filter_map(|pod| {
        let status = &pod["status"]["containerStatuses"][0];
        let message = text(&status["state"]["waiting"]["message"]);
        Some((text(&pod["metadata"]["name"]), (end(status)?, message)))
    });
    ended.collect()
}

/// Returns the end of a container's pull, or `None` while it goes on.
fn end(status: &Value) -> Option<End> {
    if status["ready"] == true {
        return Some(End::Runs);
    }
    let waiting = status["state"].get("waiting")?;
    let (reason, message) = (text(&waiting["reason"]), text(&waiting["message"]));
    let says = |words: &str| message.contains(words);
    // Error texts of Go's decoders and of the kubelet.
    let of_decoders = [
        "illegal base64 data",
        "json: cannot unmarshal",
        "unable to parse auth field",
    ];
    Some(match &*reason {
        "ContainerCreating" | "PodInitializing" => return None,
        _ if says("failed to pull and unpack image") => End::Refused {
            nobody: says("no basic auth credentials"),
            password: says("401 Unauthorized"),
        },
        _ if of_decoders.into_iter().any(says) => End::Unreadable,
        _ => End::Other(reason),
    })
}

/// Returns the tries of one pull: after a failure the kubelet repeats the same tries.
fn one_round(asked: &[String], length: usize) -> &[String] {
    let is_round = |(number, user)| asked.get(number % length) == Some(user);
    if length > 0 && asked.iter().enumerate().all(is_round) {
        &asked[..length.min(asked.len())]
    } else {
        asked
    }
}
