//! `pullgate serve`: builds the parts, connects them, runs them.

mod args;
mod assembly;
mod preview;
mod watches;

use super::{CommandOutcome, demo};
use crate::runtime::lifecycle::{Part, Readiness, Signals, Tasks};
use crate::runtime::metrics::Metrics;
use crate::runtime::telemetry;
use crate::server::admin;
use crate::tls::certificate::Certificate;
use anyhow::{Context, Result, bail};
use assembly::Assembly;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::{info, warn};

pub use args::ServeArgs;

/// The file descriptors that are needed beside those of connections: for the admin port, for connections that were just
/// closed, and for files.
const MORE_FILES: usize = admin::MAX_CONNECTIONS + 256;

/// Serves until the process is asked to stop.
///
/// # Errors
/// Fails if a resource is not available, or if an essential part ends.
pub fn run(args: &ServeArgs, out: &mut impl Write) -> Result<CommandOutcome> {
    telemetry::start(&args.log)?;
    let connections = allow_files(args.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(args, connections, out));
    // Reading a file on a disk that is gone may never return.
    runtime.shutdown_background();
    result.map(|()| CommandOutcome::Clean)
}

async fn serve(args: &ServeArgs, connections: usize, out: &mut impl Write) -> Result<()> {
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let mut parts = vec![Part::Certificate, Part::Policy];
    parts.extend(args.wants_cluster().then_some(Part::Facts));
    let mut server = Assembly {
        args,
        tasks: Tasks::default(),
        readiness: Arc::new(Readiness::waiting_for(&parts)),
        metrics: Arc::new(Metrics::default()),
        certificate: Arc::new(Certificate::default()),
        live: Arc::new(args.live()),
    };
    // The admin port comes first: it tells what is still missing.
    server.admin().await?;
    let clients = server.clients()?;
    let client = server.cluster().await?;
    server.policy(client.as_ref())?;
    server.certificate(client.as_ref())?;
    let webhook = server.webhook(client, clients, connections).await?;
    tokio::select! {
        () = assembly::complete(&server.readiness) => {}
        what = server.tasks.ended() => bail!("{what} ended"),
        () = signals.next() => {
            info!("stopped before serving");
            return Ok(());
        }
    }
    let address = webhook.local_addr()?;
    info!(%address, "serving");
    if args.demo {
        demo::show(&server.live, address, out)?;
    }
    let (drain, drained) = oneshot::channel::<()>();
    // Serve in a task of its own: loading a large policy must not delay connections.
    let mut serving = JoinSet::new();
    serving.spawn(webhook.run(async { drop(drained.await) }));
    // The first of these that ends also ends the process. None may end silently.
    tokio::select! {
        Some(ended) = serving.join_next() => {
            ended.context("the server failed").map(|()| info!("stopped"))
        }
        () = end(&mut signals, &server.readiness, args.delay(), drain) => {
            bail!("asked twice to stop: requests under way are not answered")
        }
        what = server.tasks.ended() => bail!("{what} ended"),
    }
}

/// Handles the signals. After the first one: not ready at once, serving on for the delay, then draining. Returns after
/// the second one.
async fn end(
    signals: &mut Signals,
    readiness: &Readiness,
    delay: Duration,
    drain: oneshot::Sender<()>,
) {
    signals.next().await;
    readiness.stop();
    info!(
        "asked to stop: not ready, serving on for {} s, then draining",
        delay.as_secs()
    );
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = signals.next() => return,
    }
    drop(drain);
    signals.next().await;
}

/// Raises the limit of file descriptors. Every connection takes one, and shells allow 1024 by default. Returns the
/// number of connections that are possible.
fn allow_files(connections: usize) -> usize {
    let wanted = connections.saturating_add(MORE_FILES);
    let limit = rlimit::increase_nofile_limit(u64::try_from(wanted).unwrap_or(u64::MAX));
    let limit = match limit {
        Ok(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        Err(error) => {
            warn!(%error, "cannot raise the limit of file descriptors");
            return connections;
        }
    };
    let possible = limit
        .saturating_sub(MORE_FILES)
        .clamp(1, connections.max(1));
    if possible < connections {
        warn!(
            limit,
            possible, "too few file descriptors for --max-connections: raise the limit (ulimit -n)"
        );
    }
    possible
}
