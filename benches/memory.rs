//! Measures the memory of a server before and after a million reviews. `cargo bench --bench memory [-- NUMBER]`
//!
//! The server runs in its own process. The reviews were recorded from a real API server (`tests/reviews`), and are sent
//! over 16 connections that stay open.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints results and panics on errors"
)]

#[path = "common/client.rs"]
#[allow(dead_code, reason = "each benchmark uses only some items")]
mod client;
#[path = "common/process.rs"]
#[allow(dead_code, reason = "each benchmark uses only some items")]
mod process;
#[path = "common/recorded.rs"]
mod recorded;

use client::Target;
use process::Server;
use pullgate::tls::self_signed::SelfSigned;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 16;

fn main() {
    let number = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let number: usize = number.unwrap_or(1_000_000);
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let dir = tempfile::tempdir().expect("a folder");
    let pair = SelfSigned::new(&["localhost"]).expect("a certificate");
    let server = start(dir.path(), &pair);
    let target = Target::new(&server.address, "localhost", &pair.certificate);
    let request = |(endpoint, body): (&str, Vec<u8>)| client::request(endpoint, &body);
    let requests: Vec<_> = recorded::reviews().into_iter().map(request).collect();
    let requests = Arc::new(requests);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // The other resident pages belong to the program file.
    let memory = || {
        let [resident, own] = ["VmRSS", "RssAnon"].map(|what| server.memory(what));
        format!("{resident:>9} KiB {own:>9} KiB")
    };
    println!(
        "{:>10} {:>13} {:>13} {:>10}",
        "reviews", "resident", "own", "reviews/s"
    );
    println!("{:>10} {}", 0, memory());
    let mut done = 0;
    for part in [number / 100, number / 10, number / 2, number] {
        let began = Instant::now();
        let count = part - done;
        runtime.block_on(load(&target, &requests, count));
        done = part;
        #[expect(
            clippy::cast_precision_loss,
            reason = "the rounded number is only printed"
        )]
        let rate = count as f64 / began.elapsed().as_secs_f64();
        println!("{done:>10} {} {rate:>10.0}", memory());
    }
    std::thread::sleep(Duration::from_secs(5));
    println!("{:>10} {} after 5 s with nothing to do", "", memory());
}

fn start(dir: &Path, pair: &SelfSigned) -> Server {
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let policy = include_str!("../src/commands/example-policy.yaml");
    let args = process::serve(
        &file("policy.yaml", policy),
        &file("tls.crt", &pair.certificate),
        &file("tls.key", &pair.key),
    );
    Server::start(Command::new(env!("CARGO_BIN_EXE_pullgate")).args(args))
}

async fn load(target: &Target, requests: &Arc<Vec<Vec<u8>>>, count: usize) {
    let mut clients = JoinSet::new();
    for client in 0..CONNECTIONS {
        let (target, requests) = (target.clone(), requests.clone());
        clients.spawn(async move {
            let mut connection = target.connect().await;
            for i in (client..count).step_by(CONNECTIONS) {
                connection.ask(&requests[i % requests.len()]).await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("no panic");
    }
}
