//! Tests of the limits on time, memory and connections of a client.

use super::{counted, post, rest, review, while_answered};
use crate::tls::{Client, split, status};
use crate::webhook::{start, start_with};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

#[tokio::test]
async fn promise_6_slow_clients_are_let_go() {
    let running = start().await;
    let client = running.client();
    let slow_head = async {
        let mut stream = client.connect().await.expect("a handshake");
        let dribble = async {
            for byte in post(&review()) {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                let _ = timeout(Duration::from_millis(300), stream.read_u8()).await;
            }
        };
        dribble.await;
        assert_eq!(
            rest(&mut stream).await,
            b"",
            "the connection is closed without an answer"
        );
    };
    let slow_body = async {
        let mut stream = client.connect().await.expect("a handshake");
        stream
            .write_all(&post(&review())[..100])
            .await
            .expect("written");
        let (head, body) = split(&rest(&mut stream).await);
        assert_eq!(status(&head), 408);
        assert_eq!(
            String::from_utf8_lossy(&body),
            "the body arrived too slowly: in more than 2 s, and at less than 1 MiB/s\n"
        );
    };
    let half_handshake = async {
        let mut stream = client.tcp().await.expect("a connection");
        // The bytes begin a ClientHello of 512 bytes.
        stream
            .write_all(&[22, 3, 1, 2, 0, 1, 0])
            .await
            .expect("written");
        rest(&mut stream).await;
    };
    let silent = async {
        let mut stream = client.tcp().await.expect("a connection");
        rest(&mut stream).await;
    };
    let all = async { tokio::join!(slow_head, slow_body, half_handshake, silent) };
    while_answered(&client.from(2), Box::pin(all)).await;
    assert!(counted(
        &running,
        "pullgate_unanswered_requests_total{reason=\"timeout\"} 1\n"
    ));
    assert!(counted(
        &running,
        "pullgate_connections_refused_total{reason=\"handshake\"} 2\n"
    ));
    running.end().await;
}

/// A body above the limit is refused as soon as its length is announced, or, without an announced length, as soon as
/// the limit is reached.
#[tokio::test]
async fn promise_6_every_buffer_has_a_limit() {
    let running = start().await;
    let client = running.client();
    let too_much = async {
        let mut stream = client.connect().await.expect("a handshake");
        let head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("written");
        assert_eq!(
            status(&split(&rest(&mut stream).await).0),
            413,
            "refused before the first byte of the body"
        );

        let (mut reads, mut writes) =
            tokio::io::split(client.connect().await.expect("a handshake"));
        let send = async {
            let head = b"POST /validate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
            writes.write_all(head).await.expect("written");
            let chunk = [
                format!("{:x}\r\n", 1 << 20).into_bytes(),
                vec![b' '; 1 << 20],
                b"\r\n".to_vec(),
            ]
            .concat();
            for _ in 0..9 {
                writes.write_all(&chunk).await.expect("written");
            }
            std::future::pending::<()>().await;
        };
        let mut answer = [0; 12];
        tokio::select! {
            () = send => unreachable!("it waits"),
            read = reads.read_exact(&mut answer) => drop(read.expect("an answer")),
        }
        assert_eq!(&answer, b"HTTP/1.1 413");

        let mut stream = client.connect().await.expect("a handshake");
        let head = format!(
            "POST /validate HTTP/1.1\r\nX: {}\r\n\r\n",
            "x".repeat(64 * 1024)
        );
        let _ = stream.write_all(head.as_bytes()).await;
        assert_eq!(status(&split(&rest(&mut stream).await).0), 431);
    };
    while_answered(&client.from(2), too_much).await;
    assert!(counted(
        &running,
        "pullgate_unanswered_requests_total{reason=\"too_large\"} 2\n"
    ));
    running.end().await;
}

#[tokio::test]
async fn trap_21_connections_that_never_asked_give_way_within_their_network_and_then_in_all() {
    let limit = rlimit::increase_nofile_limit(8192).expect("a limit");
    assert!(
        limit >= 8192,
        "too few file descriptors for this test: ulimit -n 8192"
    );
    let running = start_with(512, None).await;
    let client = running.client();
    let crowd = async {
        let mut held = Vec::new();
        // One source takes connections only from itself.
        for _ in 0..500 {
            held.push(client.from(2).tcp().await.expect("a connection"));
        }
        // Many networks together fill the server.
        for i in 0..3_000 {
            let network = u8::try_from(10 + i % 20).expect("small");
            let source = Client {
                source: [127, 4, network, 1].into(),
                ..client.clone()
            };
            held.push(source.tcp().await.expect("a connection"));
        }
        let mut held_tls = Vec::new();
        for i in 0..100 {
            let source = u8::try_from(40 + i % 20).expect("small");
            held_tls.push(client.from(source).connect().await.expect("a handshake"));
        }
    };
    while_answered(&client, crowd).await;
    let number = |name: &str| -> u64 {
        let text = running.metrics.text(true);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect(name);
        line.trim().parse().expect("a number")
    };
    // Connections that gave way count until they have ended.
    while number("pullgate_connections ") > 512 {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(
        number("pullgate_connections_closed_total{reason=\"network\"}") >= 372,
        "a network may hold 128 connections"
    );
    assert!(
        number("pullgate_connections_closed_total{reason=\"total\"}") > 0,
        "the server has 512 connections"
    );
    running.end().await;
}
