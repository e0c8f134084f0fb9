//! Tests of malformed and harmful requests.

use super::{post, rest, review, while_answered};
use crate::tls::{split, status};
use crate::webhook::start;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn garbage_is_refused() {
    let running = start().await;
    let client = running.client();
    let garbage = async {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            &[0; 4096],
            &[0xff; 4096],
            b"\x16\x03\x01",
        ] {
            let mut stream = client.tcp().await.expect("a connection");
            stream.write_all(bytes).await.expect("written");
            stream.shutdown().await.expect("half closed");
            rest(&mut stream).await;
        }
        for bytes in [
            &b"NO HTTP AT ALL\r\n\r\n"[..],
            &[0; 4096],
            b"POST /validate HTTP/9.9\r\n\r\n",
        ] {
            let mut stream = client.connect().await.expect("a handshake");
            stream.write_all(bytes).await.expect("written");
            assert_eq!(status(&split(&rest(&mut stream).await).0), 400);
        }
    };
    while_answered(&client.from(2), garbage).await;
    running.end().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = start().await;
    let client = running.client();
    let pipelined = async {
        let stream = client.connect().await.expect("a handshake");
        let mut requests = Vec::new();
        for i in 0..200 {
            let review = review().replace("uid-1", &format!("uid-{i}"));
            requests.extend(post(&review));
        }
        requests.extend(
            b"POST /validate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        );
        let (mut reads, mut writes) = tokio::io::split(stream);
        let (written, answers) = tokio::join!(writes.write_all(&requests), rest(&mut reads));
        written.expect("written");
        let text = String::from_utf8_lossy(&answers).into_owned();
        let uids: Vec<&str> = text
            .split("\"uid\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let expected: Vec<_> = (0..200).map(|i| format!("uid-{i}")).collect();
        assert_eq!(uids, expected);
    };
    while_answered(&client.from(2), pipelined).await;
    running.end().await;
}

/// Nesting and lengths that could exhaust the stack or take very long, in each part of a body that is read.
#[tokio::test(flavor = "multi_thread")]
async fn deep_and_long_json_is_one_line_of_400_or_an_answer() {
    let running = start().await;
    let client = running.client();
    let deep = "[".repeat(500_000) + &"]".repeat(500_000);
    let object = |kind: &str, object: &str| {
        format!(
            r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {{"uid": "1", "operation": "CREATE",
            "kind": {{"group": "", "kind": "{kind}"}}, "namespace": "x", "object": {object}}}}}"#
        )
    };
    let bodies = [
        deep.clone(),
        object("Pod", &deep),
        object("Pod", &format!(r#"{{"spec": {deep}}}"#)),
        object("Pod", &format!(r#"{{"spec": {{"containers": {deep}}}}}"#)),
        object(
            "Pod",
            &format!(r#"{{"metadata": {{"annotations": {deep}}}, "spec": {{}}}}"#),
        ),
        object(
            "ConfigMap",
            &format!(
                r#"{{"metadata": {{"name": "pullgate-policy"}}, "data": {{"policy.yaml": "{deep}"}}}}"#
            ),
        ),
        object(
            "Pod",
            &format!(
                r#"{{"spec": {{"imagePullSecrets": [{}]}}}}"#,
                vec![r#"{"name": "regcred-shared"}"#; 100_000].join(",")
            ),
        ),
    ];
    let asked = async {
        for body in &bodies {
            let (status, answer) = client.post("/validate", body.as_bytes()).await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let is_line = status == 400 && answer.lines().count() == 1;
            assert!(is_line || status == 200, "{status} {answer}");
        }
    };
    while_answered(&client.from(2), asked).await;
    running.end().await;
}
