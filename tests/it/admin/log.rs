//! Tests of the log.

use super::{Process, block_on, identity};
use crate::support::create_pod;
use pullgate::tls::self_signed::SelfSigned;
use serde_json::json;

/// Each decision is one line with the verdict, the object and the reason, and without the content of a Secret.
#[test]
fn every_decision_is_a_line_of_the_log() {
    let dir = tempfile::tempdir().expect("a folder");
    let pair = SelfSigned::new(&["localhost"]).expect("a certificate");
    let args = identity(dir.path(), &pair);
    let args: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .chain(["--log-filter", "pullgate=debug"])
        .collect();
    let mut process = Process::start(dir.path(), &args);
    let pod = |image: &str| {
        create_pod(json!({"containers": [{"name": "c", "image": image}]})).to_string()
    };
    let banned =
        create_pod(json!({"imagePullSecrets": [{"name": "regcred-shared"}], "containers": []}))
            .to_string();
    let secret = crate::support::create(
        "",
        "Secret",
        json!({"metadata": {"name": "legacy-1"}, "type": "kubernetes.io/dockercfg", "data": {".dockercfg": "hidden-value"}}),
    )
    .to_string();
    let client = process.client(&pair);
    block_on(async {
        for (path, body) in [
            ("/mutate", &pod("contoso.azurecr.io/a")),
            ("/mutate", &pod("nginx")),
            ("/validate", &banned),
            ("/validate", &secret),
            ("/validate", &"no review".to_owned()),
        ] {
            client.post(path, body.as_bytes()).await;
        }
    });
    process.terminate();
    let (_, log) = process.ended();
    assert!(!log.contains("hidden"), "{log}");
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let decisions: Vec<_> = lines
        .filter(|line| {
            let target = line["target"].as_str().unwrap_or_default();
            target.starts_with("pullgate::server::")
        })
        .map(|line| {
            let field = |name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
            [
                line["level"].as_str().unwrap_or_default().to_owned(),
                field("message"),
                field("subject"),
                field("rules") + &field("findings"),
            ]
            .join(" ")
        })
        .collect();
    assert_eq!(
        decisions,
        [
            "DEBUG injected Pod ns/web [\"contoso\"][]",
            "DEBUG admitted Pod ns/web []",
            "INFO denied Pod ns/web [(\"banned-secret\", Some(\"legacy-shared\"))]",
            "DEBUG admitted Secret ns/legacy-1 [(\"banned-name\", Some(\"legacy-shared\"))]",
            "DEBUG a request got no review as its answer  ",
        ]
    );
}
