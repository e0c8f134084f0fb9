//! Tests of the end of the process.

use super::{Process, block_on, identity, until};
use crate::tls::{split, status};
use pullgate::tls::self_signed::SelfSigned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// After the first SIGTERM, readiness fails at once, but the server serves on for the delay and asks clients to
/// reconnect: so a rolling restart fails no call. A second SIGTERM ends the delay.
#[test]
fn the_first_sigterm_drains_and_the_second_aborts() {
    let dir = tempfile::tempdir().expect("a folder");
    let pair = SelfSigned::new(&["localhost"]).expect("a certificate");
    let args = identity(dir.path(), &pair);
    let args: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .chain(["--shutdown-delay", "600"])
        .collect();
    let mut process = Process::start(dir.path(), &args);
    let client = process.client(&pair);
    block_on(async {
        let mut kept = client.connect().await.expect("a handshake");
        let ask = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        kept.write_all(ask).await.expect("written");
        let mut answer = [0; 1024];
        let length = kept.read(&mut answer).await.expect("an answer");
        let head = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(!head.contains("connection: close"), "{head}");
        process.terminate();
        until("/readyz says that the process shuts down", || {
            process.get("/readyz") == (503, "not ready: shutting down\n".to_owned())
        });
        assert_eq!(process.get("/livez").0, 200);
        assert_eq!(
            client.post("/validate", b"").await.0,
            400,
            "new connections are still served"
        );
        kept.write_all(ask).await.expect("written");
        let mut rest = Vec::new();
        kept.read_to_end(&mut rest)
            .await
            .expect("closed after the answer");
        let head = split(&rest).0.to_lowercase();
        assert!(
            status(&head) == 400 && head.contains("connection: close"),
            "{head}"
        );
    });
    process.terminate();
    let (code, log) = process.ended();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("asked twice to stop"), "{log}");
}

#[test]
fn the_process_ends_after_the_delay() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut process = Process::start(dir.path(), &["--shutdown-delay", "1"]);
    process.terminate();
    let (code, log) = process.ended();
    assert_eq!(code, Some(0), "{log}");
}
