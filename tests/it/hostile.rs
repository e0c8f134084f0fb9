//! Clients that mean no good, and beside each a good one whose answers keep coming.

use crate::support::create_pod;
use crate::tls::{Client, Running, split, start, start_with, status};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

/// Longer than any deadline of the server but the idle one, on a machine that is slow.
const LONG: Duration = Duration::from_mins(1);

fn review() -> String {
    create_pod(json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]})).to_string()
}

/// One review after the other, on one connection that stays and on new ones, while something else goes on.
async fn while_answered<T>(client: &Client, hostile: impl Future<Output = T>) -> T {
    let mut kept = client.connect().await.expect("a handshake");
    let good = async {
        loop {
            let answered = async {
                assert_eq!(ask(&mut kept).await, 200);
                assert_eq!(client.post("/mutate", review().as_bytes()).await.0, 200);
            };
            timeout(LONG, answered).await.expect("an answer");
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = timeout(LONG, hostile) => done.expect("an end"),
        () = good => unreachable!("it goes on"),
    }
}

/// A review on a connection that stays open: the status of the answer.
async fn ask(stream: &mut TlsStream<TcpStream>) -> u16 {
    stream.write_all(&post(&review())).await.expect("written");
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).ends_with("}}") {
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

/// Everything that the server says until it closes.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    rest
}

fn counted(running: &Running, line: &str) -> bool {
    running.metrics.text(true).contains(line)
}

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
            "it is closed without an answer"
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
            "the body did not come within 10 s\n"
        );
    };
    let half_handshake = async {
        let mut stream = client.tcp().await.expect("a connection");
        // The beginning of a ClientHello of 512 bytes.
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
    let silent_http2 = async {
        let mut stream = client.with_alpn("h2").connect().await.expect("a handshake");
        rest(&mut stream).await;
    };
    let all = async { tokio::join!(slow_head, slow_body, half_handshake, silent, silent_http2) };
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

#[tokio::test]
async fn garbage_is_no_request() {
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
        let mut stream = client.with_alpn("h2").connect().await.expect("a handshake");
        stream.write_all(&[0xff; 4096]).await.expect("written");
        rest(&mut stream).await;
    };
    while_answered(&client.from(2), garbage).await;
    running.end().await;
}

/// Too much is refused as soon as it is promised, and when nothing was promised as soon as it is there.
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
            "before a byte of it"
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

/// Bodies that are there and never end take memory: so much of it, and the next one is told to come back.
#[tokio::test(flavor = "multi_thread")]
async fn overload_is_503_and_the_share_of_others_is_theirs() {
    let running = start().await;
    let client = running.client();
    // Six times 3.5 MiB of a body that does not end, where a source may have 16 MiB.
    let hold = async || {
        let mut stream = client.connect().await.expect("a handshake");
        let head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 7340032\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("written");
        // Who is refused need not be listened to.
        let _ = stream.write_all(&vec![b' '; 7 << 19]).await;
        split(&rest_of_answer(&mut stream).await).0.to_lowercase()
    };
    let overload = async {
        let answers = futures::future::join_all((0..6).map(|_| hold())).await;
        let refused: Vec<_> = answers
            .iter()
            .filter(|answer| status(answer) == 503)
            .collect();
        assert!(!refused.is_empty(), "{answers:?}");
        for answer in refused {
            assert!(answer.contains("retry-after: 1"), "{answer}");
        }
    };
    while_answered(&client.from(2), Box::pin(overload)).await;
    running.end().await;
}

async fn rest_of_answer(stream: &mut TlsStream<TcpStream>) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains("\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
        }
    }
    answer
}

#[tokio::test]
async fn trap_21_idle_connections_give_way_and_no_source_holds_more_than_its_share() {
    let limit = rlimit::increase_nofile_limit(8192).expect("a limit");
    assert!(
        limit >= 8192,
        "too few file descriptors for this test: ulimit -n 8192"
    );
    let running = start_with(512, None).await;
    let client = running.client();
    let crowd = async {
        let mut held = Vec::new();
        // One source: it only takes places from itself.
        for _ in 0..500 {
            held.push(client.from(2).tcp().await.expect("a connection"));
        }
        // As many sources as it takes to fill all.
        for i in 0..3_000 {
            let source = u8::try_from(10 + i % 20).expect("small");
            held.push(client.from(source).tcp().await.expect("a connection"));
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
    // Those that gave way are counted until they have ended.
    while number("pullgate_connections ") > 512 {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(
        number("pullgate_connections_closed_total{reason=\"share\"}") >= 436,
        "its share is 64"
    );
    assert!(
        number("pullgate_connections_closed_total{reason=\"total\"}") > 0,
        "all are 512"
    );
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

/// Requests that are taken back as soon as they are made (CVE-2023-44487): the connection is closed.
#[tokio::test]
async fn http2_resets_end_the_connection() {
    let running = start().await;
    let client = running.client();
    let resets = async {
        let mut stream = client.with_alpn("h2").connect().await.expect("a handshake");
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .expect("written");
        // HPACK (RFC 7541): POST, https, a literal path, a literal authority.
        let headers = b"\x83\x87\x04\x09/validate\x41\x01x";
        for number in (1_u32..).step_by(2) {
            let id = number.to_be_bytes();
            let length = u8::try_from(headers.len()).expect("short");
            let request = [&[0, 0, length, 1, 4][..], &id, headers].concat();
            let reset = [&[0, 0, 4, 3, 0][..], &id, &[0, 0, 0, 8]].concat();
            if stream.write_all(&[request, reset].concat()).await.is_err() {
                break;
            }
            assert!(number < 1_000_000, "nobody minds");
        }
    };
    while_answered(&client.from(2), resets).await;
    running.end().await;
}

/// Nesting and length that would exhaust the stack or the patience, in each place where a body is looked into.
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
