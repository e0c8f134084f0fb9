//! Measures the time that a webhook adds to the creation of a pod, through a real API server: without a webhook, with
//! Pullgate, and with a webhook that only returns constant answers. `cargo bench --bench admission [-- PODS]`
//!
//! Pods are created by dry run, so that each creation costs its admission and little else. The sites take turns within
//! one run.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints results and panics on errors"
)]

#[path = "../common/client.rs"]
#[allow(dead_code, reason = "each benchmark uses only some items")]
mod client;
#[path = "../../tests/cluster/control_plane.rs"]
#[allow(dead_code, reason = "the tests use the other items")]
mod control_plane;
#[path = "../../tests/cluster/process.rs"]
mod process;
#[path = "../common/scene.rs"]
#[allow(dead_code, reason = "each benchmark uses only some items")]
mod scene;
#[path = "../common/process.rs"]
#[allow(dead_code, reason = "each benchmark uses only some items")]
mod server;
mod sites;
#[path = "../common/stand_in.rs"]
mod stand_in;
#[path = "../../tests/cluster/webhook.rs"]
#[allow(dead_code, reason = "the tests use the other items")]
mod webhook;

use client::Target;
use control_plane::{ControlPlane, Reach};
use sites::{Creator, Site};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// The number of pods that each creator creates at each site.
const PODS: usize = 1_000;
const WARM_UP: usize = 50;

fn main() -> ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, dir] = &args[..]
        && serve == "--serve"
    {
        sites::serve_constant(dir.as_ref());
        return ExitCode::SUCCESS;
    }
    let pods = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(PODS);
    let plane = ControlPlane::start(Reach::Loopback);
    let sites = sites::all(&plane);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let target = sites::api_server(&plane);
    for creator in [Creator::Controller, Creator::Person] {
        for clients in [1, 16] {
            let took = contest(&runtime, &target, &sites, creator, (clients, pods));
            show(&sites, creator, clients, &took);
        }
    }
    ExitCode::SUCCESS
}

/// The measurements of one site.
struct Took {
    /// The duration of each creation, in ascending order.
    latencies: Vec<Duration>,
    /// The processor time of the webhook per pod, in seconds.
    cpu: f64,
}

/// Runs clients in parallel; each creates one pod after the other, at each site in turn.
fn contest(
    runtime: &Runtime,
    target: &Target,
    sites: &[Site],
    creator: Creator,
    (clients, pods): (usize, usize),
) -> Vec<Took> {
    let requests: Vec<_> = sites.iter().map(|site| site.request(creator)).collect();
    let run = |each: usize| {
        runtime.block_on(async {
            let mut running = JoinSet::new();
            for _ in 0..clients {
                let (target, requests) = (target.clone(), requests.clone());
                running.spawn(create(target, requests, each));
            }
            running.join_all().await
        })
    };
    run(WARM_UP.div_ceil(clients));
    let before: Vec<_> = sites.iter().map(Site::cpu).collect();
    let rounds = run(pods.div_ceil(clients));
    let of = |(number, site): (usize, &Site)| {
        let mut latencies: Vec<_> = rounds
            .iter()
            .flat_map(|client| client[number].clone())
            .collect();
        latencies.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "these are numbers of pods")]
        let cpu = (site.cpu() - before[number]) / latencies.len() as f64;
        Took { latencies, cpu }
    };
    sites.iter().enumerate().map(of).collect()
}

/// Creates pods at the sites in turn, and returns the latencies by site.
async fn create(target: Target, requests: Vec<Vec<u8>>, each: usize) -> Vec<Vec<Duration>> {
    let mut connection = target.connect().await;
    let mut took = vec![Vec::new(); requests.len()];
    for _ in 0..each {
        for (request, took) in requests.iter().zip(&mut took) {
            let began = Instant::now();
            connection.ask(request).await;
            took.push(began.elapsed());
        }
    }
    took
}

fn show(sites: &[Site], creator: Creator, clients: usize, took: &[Took]) {
    println!(
        "\n{:<34} {:>8} {:>8} {:>10} {:>10} {:>6} {:>12}",
        format!("{creator}, {clients} clients"),
        "p50 ms",
        "p99 ms",
        "added p50",
        "added p99",
        "x",
        "CPU us a pod"
    );
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "these are numbers of pods"
    )]
    let at = |took: &Took, part: f64| {
        let place = (took.latencies.len() - 1) as f64 * part;
        took.latencies[place as usize].as_secs_f64() * 1e3
    };
    let none = &took[0];
    let constant = at(&took[1], 0.5) - at(none, 0.5);
    for (site, took) in sites.iter().zip(took) {
        let added = [0.5, 0.99].map(|part| at(took, part) - at(none, part));
        println!(
            "  {:<32} {:>8.2} {:>8.2} {:>10.2} {:>10.2} {:>6.2} {:>12.0}",
            site.name,
            at(took, 0.5),
            at(took, 0.99),
            added[0],
            added[1],
            added[0] / constant,
            took.cpu * 1e6
        );
    }
}
