//! The load patterns: the next request at once after an answer, at a steady pace, or each on a new connection.

use crate::client::{Connection, Target};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

/// The number of connections at a steady pace.
const CONNECTIONS: u32 = 16;
/// The number of clients that work in parallel where each request has its own connection.
const NEW_CONNECTIONS: usize = 4;

/// Opens connections.
pub(crate) async fn connect(target: &Target, number: usize) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..number {
        connections.push(target.connect().await);
    }
    connections
}

/// Sends one request after the other on each connection, and returns the duration of each.
pub(crate) async fn closed_loop(
    connections: Vec<Connection>,
    request: &Arc<Vec<u8>>,
    time: Duration,
) -> Vec<Duration> {
    let end = Instant::now() + time;
    let mut clients = JoinSet::new();
    for mut connection in connections {
        let request = request.clone();
        clients.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                took.push(ask(&mut connection, &request).await);
            }
            took
        });
    }
    // This task keeps the clients' processor awake. Otherwise a server that is slower than its client would also be
    // charged for waking the client.
    clients.spawn(async move {
        while Instant::now() < end {
            tokio::task::yield_now().await;
        }
        Vec::new()
    });
    gather(clients).await
}

/// Sends the given number of requests a second, in turn on 16 connections, however long each takes.
pub(crate) async fn steady(
    target: &Target,
    request: &Arc<Vec<u8>>,
    rate: u32,
    time: Duration,
) -> Vec<Duration> {
    let connections = connect(target, CONNECTIONS as usize).await;
    let (start, pace) = (tokio::time::Instant::now(), Duration::from_secs(1) / rate);
    let mut clients = JoinSet::new();
    for (number, mut connection) in (1..).zip(connections) {
        let request = request.clone();
        let mut ticks = interval_at(start + pace * number, pace * CONNECTIONS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        clients.spawn(async move {
            let mut took = Vec::new();
            while start.elapsed() < time {
                ticks.tick().await;
                took.push(ask(&mut connection, &request).await);
            }
            took
        });
    }
    gather(clients).await
}

/// Sends each request on a new connection, four at a time, and returns the duration of each, including the handshake.
pub(crate) async fn churn(
    target: &Target,
    request: &Arc<Vec<u8>>,
    time: Duration,
) -> Vec<Duration> {
    let end = Instant::now() + time;
    let mut clients = JoinSet::new();
    for _ in 0..NEW_CONNECTIONS {
        let (target, request) = (target.clone(), request.clone());
        clients.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let began = Instant::now();
                target.connect().await.ask(&request).await;
                took.push(began.elapsed());
            }
            took
        });
    }
    gather(clients).await
}

async fn ask(connection: &mut Connection, request: &[u8]) -> Duration {
    let began = Instant::now();
    connection.ask(request).await;
    began.elapsed()
}

async fn gather(mut clients: JoinSet<Vec<Duration>>) -> Vec<Duration> {
    let mut all = Vec::new();
    while let Some(took) = clients.join_next().await {
        all.extend(took.expect("no panic"));
    }
    all.sort_unstable();
    all
}
