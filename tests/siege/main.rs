//! Many hostile sources at once, beside honest ones. An honest client must have each answer within a second, so these
//! tests run in a process of their own, one at a time.

#![expect(clippy::expect_used, reason = "a test may end with a panic")]

#[path = "../../benches/common/scene.rs"]
#[allow(dead_code, reason = "only benchmarks use the other items")]
mod scene;
#[path = "../it/tls.rs"]
#[allow(dead_code, reason = "only the integration tests use the other items")]
mod tls;

use pullgate::runtime::lifecycle::Readiness;
use pullgate::runtime::live::{Live, Watches};
use pullgate::runtime::metrics::Metrics;
use pullgate::server::admission::{Admission, PolicyEdits};
use pullgate::verdict::world::Controllers;
use scene::Size;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tls::{Client, Running, split, status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

/// One siege at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// The longest wait of the good client for an answer, handshake included. The API server waits for 3 s.
const PATIENCE: Duration = Duration::from_secs(1);
/// The number of connections that the server takes: fewer than the hostile and the honest ones together.
const PLACES: usize = 512;
/// The number of connections that hostile clients hold.
const HOSTILE: usize = 500;
/// The number of connections of the honest client, as an API server has them.
const BUSY: usize = 50;
/// The time for which the honest clients ask.
const TIME: Duration = Duration::from_secs(5);
/// The least number of answers that the good client must get.
const ENOUGH: u64 = 5;

/// The answers that the honest clients got.
#[derive(Debug, Default)]
struct Got {
    good: AtomicU64,
    busy: AtomicU64,
}

/// Sends requests so that the connection is never idle: the last byte of each request comes late, and the next request
/// follows at once. Connects again after a pause when the server closes the connection.
async fn hold_a_place(client: Client, pause: Duration) -> ! {
    let request = request();
    let (all_but_the_last, last) = request.split_at(request.len() - 1);
    loop {
        if let Ok(stream) = client.connect().await {
            let (mut reads, mut writes) = tokio::io::split(stream);
            let send = async {
                while writes.write_all(all_but_the_last).await.is_ok() {
                    sleep(Duration::from_millis(1_400)).await;
                    if writes.write_all(last).await.is_err() {
                        break;
                    }
                }
            };
            let drain = async {
                let mut buffer = [0; 4096];
                while reads.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
            };
            tokio::select! {
                () = send => {}
                () = drain => {}
            }
        }
        sleep(pause).await;
    }
}

/// Connects until a request is answered. From then on, every request on that connection must be answered.
async fn work(client: Client, got: &Got) -> ! {
    let first = async || {
        let mut stream = client.connect().await.ok()?;
        ask(&mut stream).await.ok()?;
        Some(stream)
    };
    let mut stream = loop {
        if let Some(stream) = first().await {
            break stream;
        }
    };
    loop {
        assert_eq!(ask(&mut stream).await.expect("an answer"), 200);
        got.busy.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(50)).await;
    }
}

/// Sends a review on a connection that stays open.
async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<u16> {
    stream.write_all(&request()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"}}") {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..length]);
    }
    Ok(status(&split(&answer).0))
}

/// Sends a review on a new connection, and waits for the answer for no longer than [`PATIENCE`].
async fn ask_anew(client: &Client) {
    let review = scene::review(Size::Minimal, &[]);
    let answer = timeout(PATIENCE, client.post("/mutate", &review)).await;
    assert_eq!(answer.expect("an answer in time").0, 200);
}

fn request() -> Vec<u8> {
    let body = scene::review(Size::Minimal, &[]);
    let length = body.len();
    let head = format!("POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), &body].concat()
}

/// Serves reviews with a limit for connections.
async fn start() -> Running {
    let policy = scene::policy(10);
    let live = Live::new(policy, Controllers::new(Vec::new()), Watches::Nothing);
    let metrics = Arc::new(Metrics::default());
    let admission = Admission::new(Arc::new(live), metrics.clone(), PolicyEdits::default());
    let router = admission.router(Arc::new(Readiness::waiting_for(&[])));
    tls::bind(router, metrics, PLACES, None).await
}

/// Runs hostile clients from the first addresses of `source`, a busy honest client with kept connections from the next
/// address, and a good client that connects for each request from the last one.
async fn siege(source: impl Fn(usize) -> IpAddr) {
    let _turn = TURN.lock().await;
    let limit = rlimit::increase_nofile_limit(8192).expect("a limit");
    assert!(limit >= 8192, "too few file descriptors: ulimit -n 8192");
    let running = start().await;
    let from = |number: usize| Client {
        source: source(number),
        ..running.client()
    };
    let got = Got::default();
    let hostile = (0..HOSTILE).map(|i| {
        let pause = Duration::from_millis(500 + 2 * u64::try_from(i).expect("small"));
        hold_a_place(from(i), pause)
    });
    let hostile = futures::future::join_all(hostile);
    let busy = async {
        sleep(Duration::from_secs(2)).await;
        futures::future::join_all((0..BUSY).map(|_| work(from(HOSTILE), &got))).await;
    };
    let good = async {
        sleep(Duration::from_secs(2)).await;
        loop {
            ask_anew(&from(HOSTILE + 1)).await;
            got.good.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = hostile => unreachable!("they go on"),
        () = busy => unreachable!("they go on"),
        () = good => unreachable!("it goes on"),
        () = sleep(Duration::from_secs(2) + TIME) => {}
    }
    let (good, busy) = (got.good.into_inner(), got.busy.into_inner());
    assert!(
        good >= ENOUGH && busy >= ENOUGH,
        "{good} and {busy} answers"
    );
    running.end().await;
}

fn address(a: u8, b: u8, c: usize) -> IpAddr {
    IpAddr::from([127, a, b, u8::try_from(c).expect("an address")])
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sources_do_not_keep_an_honest_one_out() {
    siege(|i| address(1, u8::try_from(i / 2).expect("small"), 1 + i % 2)).await;
}

/// The good client comes from another network: it makes a new connection for each request, and in a crowded network each
/// new connection gives way to the next.
#[tokio::test(flavor = "multi_thread")]
async fn many_sources_of_its_network_do_not_keep_an_honest_one_out() {
    siege(|i| match i {
        ..HOSTILE => address(2, 0, 1 + i % 240),
        HOSTILE => address(2, 0, 250),
        _ => address(2, 1, 1),
    })
    .await;
}

/// Eight addresses, which once held all places between them.
#[tokio::test(flavor = "multi_thread")]
async fn eight_sources_do_not_keep_a_ninth_out() {
    siege(|i| match i {
        ..HOSTILE => address(3, u8::try_from(i % 8).expect("small"), 1),
        _ => address(3, 100, 1 + i - HOSTILE),
    })
    .await;
}

/// Bodies that stop after their first MiB take all the memory of large bodies. The slowest gives way to the next, and a
/// small one never waits for them. They come one after the other: a body is slow only after the second that a MiB may take.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_end_give_way() {
    let _turn = TURN.lock().await;
    let running = start().await;
    let hold = async |number: usize| {
        let client = Client {
            source: address(4, 0, 1 + number % 8),
            ..running.client()
        };
        sleep(Duration::from_millis(20) * u32::try_from(number).expect("small")).await;
        let mut stream = client.connect().await?;
        let head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 7340032\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&vec![b' '; 1 << 20]).await?;
        stream.read_u8().await
    };
    let all = futures::future::join_all((0..120).map(hold));
    let good = async {
        loop {
            ask_anew(&running.client()).await;
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = all => {}
        () = good => unreachable!("it goes on"),
    }
    let metrics = running.metrics.text(true);
    let gave_way = "pullgate_connections_closed_total{reason=\"memory\"}";
    assert!(metrics.contains(gave_way), "{metrics}");
    running.end().await;
}
