//! Tests the memory of the image's program while clients fill all of its buffers at once.

use crate::Test;
use crate::ground::{Ground, binary};
use crate::server::{Server, serve};
use crate::tls::Client;
use futures::future::join_all;
use pullgate::tls::self_signed::SelfSigned;
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(super) const TESTS: &[Test] = &[(
    "promise_6_all_buffers_together_stay_below_the_memory_limit",
    promise_6_all_buffers_together_stay_below_the_memory_limit,
)];

/// The default of `--max-connections`.
const CONNECTIONS: usize = 1024;
/// The number of connections with a large body without its last byte: as many as the memory for large bodies allows.
const LARGE: usize = 13;
/// The connections up to this number have a body that just counts as small: as many as the remaining memory for bodies
/// allows.
const SMALL: usize = 127;
/// The memory limit of the chart minus the most that cluster facts take (`docs/performance.md`), in KiB.
const LIMIT: u64 = (384 - 48) * 1024;

fn promise_6_all_buffers_together_stay_below_the_memory_limit(_: &Ground) {
    let limit = rlimit::increase_nofile_limit(8192).expect("a limit");
    assert!(limit >= 8192, "too few file descriptors: ulimit -n 8192");
    let dir = tempfile::tempdir().expect("a folder");
    let pair = SelfSigned::new(&["localhost"]).expect("a certificate");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let policy = "apiVersion: pullgate.dev/v1\nkind: PullPolicy\n";
    let policy = file("policy.yaml", policy);
    let certificate = file("tls.crt", &pair.certificate);
    let key = file("tls.key", &pair.key);
    let mut command = Command::new(binary());
    let server = Server::start(command.args(serve(&policy, &certificate, &key)));
    let client = |number: usize| Client {
        address: server.address.parse().expect("an address"),
        root: pair.certificate.clone(),
        source: [127, 9, u8::try_from(number % 32).expect("small"), 1].into(),
        alpn: &[],
        identity: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let all = (0..CONNECTIONS).map(|number| hold(client(number), number));
        join_all(all).await;
    });
    let most = server.memory("VmHWM");
    println!("peak memory with all buffers full: {most} KiB");
    assert!(most > 128 * 1024, "{most} KiB: the buffers were not filled");
    assert!(most < LIMIT, "{most} KiB of {LIMIT}");
}

/// Sends a request without its end, and waits until the server closes the connection.
async fn hold(client: Client, number: usize) -> Option<()> {
    let mut stream = client.connect().await.ok()?;
    let head = |length: usize| {
        format!("POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
    };
    let body = match number {
        ..LARGE => 7 << 20,
        LARGE..SMALL => 255 << 10,
        _ => 0,
    };
    if body > 0 {
        stream.write_all(head(body).as_bytes()).await.ok()?;
        stream.write_all(&vec![b' '; body - 1]).await.ok()?;
    } else {
        let head = head(1).trim_end().to_owned() + "\r\nX: " + &"x".repeat(30 << 10);
        stream.write_all(head.as_bytes()).await.ok()?;
    }
    let closed = stream.read_u8();
    drop(tokio::time::timeout(Duration::from_secs(6), closed).await);
    Some(())
}
