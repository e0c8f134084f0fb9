//! Rounds of the load test and their results.

use crate::client::{request, runtime};
use crate::contestants::Contestant;
use crate::patterns;
use crate::scene::{self, Size};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The length of a contestant's turn in a round, and of the unmeasured time before it.
const TURN: Duration = Duration::from_millis(1500);
const WARM_UP: Duration = Duration::from_millis(200);
/// At a steady pace, the same number of requests takes longer.
const STEADY_TURN: Duration = Duration::from_secs(4);
const STEADY: u32 = 500;

/// The contestants and the number of rounds.
pub(crate) struct Contest<'f> {
    contestants: Vec<Contestant>,
    rounds: usize,
    filter: &'f str,
    runtime: Runtime,
}

/// The results of one turn. Smaller is better, except for the rate.
#[derive(Clone, Copy)]
struct Turn {
    rate: f64,
    /// In milliseconds, as are `p99` and `p999`.
    p50: f64,
    p99: f64,
    p999: f64,
    /// The processor time of the server, in microseconds per request.
    cpu: f64,
}

impl<'f> Contest<'f> {
    /// Returns a contest between these contestants. It runs only the parts that have the filter in their name.
    pub(crate) fn new(contestants: Vec<Contestant>, rounds: usize, filter: &'f str) -> Self {
        let runtime = runtime();
        Self {
            contestants,
            rounds,
            filter,
            runtime,
        }
    }

    /// Measures throughput: each connection sends one request after the other.
    pub(crate) fn throughput(&self, size: Size, connections: usize) {
        let request = body(size);
        let what = format!("{size}, {connections} connections");
        self.play(&what, |contestant| {
            self.runtime.block_on(async {
                let open = patterns::connect(&contestant.target, connections).await;
                patterns::closed_loop(open, &request, WARM_UP).await;
                let open = patterns::connect(&contestant.target, connections).await;
                let watch = Watch::start(contestant);
                let took = patterns::closed_loop(open, &request, TURN).await;
                watch.stop(&took)
            })
        });
    }

    /// Measures latency at 500 requests a second.
    pub(crate) fn steady(&self, size: Size) {
        let request = body(size);
        let what = format!("{size}, {STEADY} requests/s");
        self.play(&what, |contestant| {
            self.runtime.block_on(async {
                patterns::steady(&contestant.target, &request, STEADY, WARM_UP).await;
                let watch = Watch::start(contestant);
                let took =
                    patterns::steady(&contestant.target, &request, STEADY, STEADY_TURN).await;
                watch.stop(&took)
            })
        });
    }

    /// Measures requests that each use a new connection.
    pub(crate) fn churn(&self, size: Size) {
        let request = body(size);
        let what = format!("{size}, new connections");
        self.play(&what, |contestant| {
            self.runtime.block_on(async {
                let watch = Watch::start(contestant);
                let took = patterns::churn(&contestant.target, &request, TURN).await;
                watch.stop(&took)
            })
        });
    }

    /// Shows the memory of each server before the first request.
    pub(crate) fn idle(&self) {
        self.resident("memory, idle");
    }

    /// Shows the memory of each server after all requests.
    pub(crate) fn memory(&self) {
        self.resident("memory, after all of it");
    }

    fn resident(&self, what: &str) {
        if !what.contains(self.filter) {
            return;
        }
        println!(
            "\n{what:<30} {:>12} {:>12} {:>12}",
            "resident", "own", "at most"
        );
        for Contestant { name, server, .. } in &self.contestants {
            // Resident memory that is not the server's own consists of pages of the program file.
            let [now, own, most] = ["VmRSS", "RssAnon", "VmHWM"].map(|what| server.memory(what));
            println!("  {name:<28} {now:>8} KiB {own:>8} KiB {most:>8} KiB");
        }
    }

    /// Lets all contestants take turns, round by round.
    fn play(&self, what: &str, turn: impl Fn(&Contestant) -> Turn) {
        if !what.contains(self.filter) {
            return;
        }
        let mut turns: Vec<Vec<Turn>> = vec![Vec::new(); self.contestants.len()];
        for _ in 0..self.rounds {
            for (contestant, turns) in self.contestants.iter().zip(&mut turns) {
                turns.push(turn(contestant));
            }
        }
        println!(
            "\n{what:<30} {:>10} {:>9} {:>9} {:>9} {:>9}",
            "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU us"
        );
        for (contestant, turns) in self.contestants.iter().zip(&turns) {
            let [rate, p50, p99, p999, cpu] = medians(turns.iter().map(Turn::figures));
            println!(
                "  {:<28} {rate:>10.0} {p50:>9.3} {p99:>9.3} {p999:>9.3} {cpu:>9.1}",
                contestant.name
            );
        }
        for (contestant, own) in self.contestants.iter().zip(&turns).skip(1) {
            let pairs = own.iter().zip(&turns[0]);
            let [rate, p50, p99, p999, cpu] = medians(pairs.map(|(own, first)| own.over(first)));
            println!(
                "  {:<28} {rate:>10.3} {p50:>9.2} {p99:>9.2} {p999:>9.2} {cpu:>9.2}",
                format!("{} / constant", contestant.name)
            );
        }
    }
}

fn body(size: Size) -> Arc<Vec<u8>> {
    Arc::new(request("/mutate", &scene::review(size, &[])))
}

/// The measurement of a contestant during its turn.
struct Watch<'c> {
    contestant: &'c Contestant,
    began: Instant,
    cpu: f64,
}

impl<'c> Watch<'c> {
    fn start(contestant: &'c Contestant) -> Self {
        Self {
            contestant,
            cpu: contestant.server.cpu(),
            began: Instant::now(),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "these are numbers of requests"
    )]
    fn stop(self, took: &[Duration]) -> Turn {
        let (elapsed, number) = (self.began.elapsed(), took.len() as f64);
        let at = |part: f64| took[((number - 1.0) * part) as usize].as_secs_f64() * 1e3;
        Turn {
            rate: number / elapsed.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            cpu: (self.contestant.server.cpu() - self.cpu) / number * 1e6,
        }
    }
}

impl Turn {
    fn figures(&self) -> [f64; 5] {
        [self.rate, self.p50, self.p99, self.p999, self.cpu]
    }

    fn over(&self, other: &Self) -> [f64; 5] {
        let other = other.figures();
        std::array::from_fn(|i| self.figures()[i] / other[i])
    }
}

/// Returns the median of each figure.
fn medians(turns: impl Iterator<Item = [f64; 5]>) -> [f64; 5] {
    let turns: Vec<_> = turns.collect();
    std::array::from_fn(|i| {
        let mut values: Vec<f64> = turns.iter().map(|turn| turn[i]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    })
}
