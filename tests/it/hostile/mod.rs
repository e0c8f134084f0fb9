//! Tests of hostile clients. Beside each, an honest client must keep getting answers.

mod limits;
mod requests;

use crate::support::create_pod;
use crate::tls::{Client, Running, split, status};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

/// The time limit for an answer to an honest client.
const PATIENCE: Duration = Duration::from_secs(1);
/// A limit that exceeds every deadline of the server except the idle timeout, on a slow machine.
const LONG: Duration = Duration::from_mins(1);

fn review() -> String {
    create_pod(json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]})).to_string()
}

/// Sends one review after the other, in turn on a connection that stays open and on new ones, while the hostile action
/// runs, and once more after it. Each must be answered within a second.
async fn while_answered<T>(client: &Client, hostile: impl Future<Output = T>) -> T {
    let mut kept = client.connect().await.expect("a handshake");
    let good = async {
        loop {
            let answer = timeout(PATIENCE, ask(&mut kept)).await;
            assert_eq!(answer.expect("an answer in time"), 200);
            ask_anew(client).await;
            sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::select! {
        done = timeout(LONG, hostile) => done.expect("an end"),
        () = good => unreachable!("the honest client does not end"),
    };
    ask_anew(client).await;
    done
}

/// Sends a review on a new connection. The answer is due within a second, including the handshake.
async fn ask_anew(client: &Client) {
    let answer = timeout(PATIENCE, client.post("/mutate", review().as_bytes())).await;
    assert_eq!(answer.expect("an answer in time").0, 200);
}

/// Sends a review on a connection that stays open, and returns the status of the answer.
async fn ask(stream: &mut TlsStream<TcpStream>) -> u16 {
    stream.write_all(&post(&review())).await.expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"}}") {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.expect("an answer");
        assert_ne!(length, 0, "closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..length]);
    }
    status(&split(&answer).0)
}

fn post(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST /mutate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Reads until the server closes the connection.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    rest
}

fn counted(running: &Running, line: &str) -> bool {
    running.metrics.text(true).contains(line)
}
