//! `pullgate serve`: builds the parts, wires them, runs them.

mod watches;

use super::{Outcome, demo};
use crate::cluster;
use crate::lifecycle::{Part, Readiness, Signals};
use crate::live::{Live, Watches, now, today};
use crate::manifest;
use crate::metrics::{ConnectionMetrics, Metrics};
use crate::policy::Policy;
use crate::server::admission::Admission;
use crate::server::certs::{Certificate, SelfSigned};
use crate::server::clients::Clients;
use crate::server::{Access, Server, admin};
use crate::telemetry::{self, LogArgs};
use crate::world::Controllers;
use anyhow::{Context, Result, bail};
use axum::Router;
use clap::Args;
use futures::future::OptionFuture;
use std::future::pending;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::{info, warn};

/// How long a webhook in a cluster serves on after it was asked to stop: until every API server and proxy knows.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(15);
/// File descriptors that are needed beside those of connections: the admin port, those that were just closed, and files.
const MORE_FILES: usize = admin::MAX_CONNECTIONS + 256;

/// How to serve.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # An example policy, a few reviews shown, and a server to send more to
  pullgate serve --demo

  # A policy of your own; the file is read again when it changes
  pullgate serve --policy-file policy.yaml

  # For a cluster, with the certificate that its webhook configurations trust
  pullgate serve --policy-file policy.yaml --listen 0.0.0.0:8443 --admin-listen 0.0.0.0:8080 \\
    --tls-cert tls.crt --tls-key tls.key --kubeconfig ~/.kube/config")]
pub struct ServeArgs {
    /// The policy; the file is read again when it changes, and a bad one never replaces a good one.
    #[arg(long, value_name = "FILE", required_unless_present = "demo")]
    policy_file: Option<PathBuf>,
    /// Serve an example policy, show a few reviews, and stay up.
    #[arg(long, conflicts_with = "policy_file")]
    demo: bool,
    /// Where to listen for reviews (HTTPS).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Where to serve /livez, /readyz and /metrics (plain HTTP) [default: 127.0.0.1:8080; with --demo nowhere].
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
    /// The certificate chain (PEM), the leaf first; self-signed for localhost when absent.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Certificates"
    )]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Certificates"
    )]
    tls_key: Option<PathBuf>,
    /// Let in only clients with a certificate of this CA (PEM).
    #[arg(long, value_name = "FILE", help_heading = "Certificates")]
    client_ca: Option<PathBuf>,
    /// Let in only clients with this name in their certificate (common name or DNS name); may be given more than once.
    #[arg(
        long = "client-name",
        value_name = "NAME",
        requires = "client_ca",
        help_heading = "Certificates"
    )]
    client_names: Vec<String>,
    /// How many connections there may be, an eighth of them from one address.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "4096",
        help_heading = "Limits"
    )]
    max_connections: usize,
    /// How long to serve on after SIGTERM, not ready, before draining [default: 15 with --kubeconfig, else 0].
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    shutdown_delay: Option<u64>,
    /// Watch namespaces and service accounts of the cluster that this kubeconfig names.
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,
    /// One more user whose objects are part of workloads that were judged before, like those of built-in controllers.
    #[arg(long = "controller", value_name = "USER", help_heading = "Cluster")]
    controllers: Vec<String>,
    #[command(flatten)]
    log: LogArgs,
}

/// Serves until the process is asked to end.
///
/// # Errors
/// Something that it needs cannot be had, or an essential part ended.
pub fn run(args: &ServeArgs, out: &mut impl Write) -> Result<Outcome> {
    telemetry::start(&args.log)?;
    let connections = allow_files(args.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(args, connections, out));
    // A file on a disk that is gone may be read for ever.
    runtime.shutdown_background();
    result.map(|()| Outcome::Clean)
}

async fn serve(args: &ServeArgs, connections: usize, out: &mut impl Write) -> Result<()> {
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let metrics = Arc::new(Metrics::default());
    let readiness = Arc::new(Readiness::waiting_for(&[Part::Certificate, Part::Policy]));
    // From the beginning: it says what is still missing.
    let admin: OptionFuture<_> = bind_admin(args, &readiness, &metrics)
        .await?
        .map(|server| server.run(pending()))
        .into();
    tokio::select! {
        Some(()) = admin => bail!("the admin server ended"),
        result = webhook(args, connections, &mut signals, &metrics, &readiness, out) => result,
    }
}

async fn webhook(
    args: &ServeArgs,
    max_connections: usize,
    signals: &mut Signals,
    metrics: &Arc<Metrics>,
    readiness: &Arc<Readiness>,
    out: &mut impl Write,
) -> Result<()> {
    let (policy, text) = policy(args)?;
    metrics.policy_loaded(now());
    readiness.has(Part::Policy);
    let (certificate, pem) = certificate(args)?;
    metrics.certificate_loaded(certificate.expires());
    readiness.has(Part::Certificate);
    let clients = clients(args)?;
    let (client, watches) = match &args.kubeconfig {
        Some(kubeconfig) => (
            Some(cluster::client(Some(kubeconfig.as_path())).await?),
            Watches::Cluster,
        ),
        None => (None, Watches::Nothing),
    };
    let controllers = Controllers::new(args.controllers.clone());
    let live = Arc::new(Live::new(policy, controllers, watches));
    let access = Access {
        tls: Some(certificate.server_config(clients.as_ref().map(|(clients, _)| clients.clone()))),
        max_connections,
        metrics: metrics.connections(),
    };
    let router = Admission::new(live.clone(), metrics.clone()).router(readiness.clone());
    let server = bind("--listen", args.listen, access, router).await?;
    info!(address = %server.local_addr()?, "serving");
    if args.demo {
        demo::show(&live, server.local_addr()?, out)?;
    }
    let facts: OptionFuture<_> = client
        .map(|client| cluster::facts::watch(client, &live))
        .into();
    let path = args.policy_file.as_deref();
    let policy = path.map(|path| watches::policy(path, text, &live, metrics));
    let policy: OptionFuture<_> = policy.into();
    let pair = async {
        match pem {
            Some(files) => watches::pair(files, &certificate, metrics).await,
            None => watches::renew(&certificate, metrics).await,
        }
    };
    let authority: OptionFuture<_> = clients
        .map(|(clients, files)| watches::authority(files, clients))
        .into();
    let (drain, drained) = oneshot::channel::<()>();
    // A task of its own: loading a large policy must not keep connections waiting.
    let mut serving = JoinSet::new();
    serving.spawn(server.run(async { drop(drained.await) }));
    // The first to end ends all: none of them may do so quietly.
    tokio::select! {
        Some(ended) = serving.join_next() => {
            ended.context("the server failed").map(|()| info!("stopped"))
        }
        () = end(signals, readiness, args.delay(), drain) => {
            bail!("asked twice to stop: requests under way are not answered")
        }
        Some(()) = facts => bail!("the watch of the cluster ended"),
        Some(()) = policy => bail!("the watch of the policy ended"),
        () = pair => bail!("the watch of the certificate ended"),
        Some(()) = authority => bail!("the watch of the client CA ended"),
    }
}

/// The first signal: not ready at once, serving on for the delay, then draining. Returns with the second.
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

impl ServeArgs {
    fn delay(&self) -> Duration {
        let is_local = self.kubeconfig.is_none();
        let default = if is_local {
            Duration::ZERO
        } else {
            SHUTDOWN_DELAY
        };
        self.shutdown_delay.map_or(default, Duration::from_secs)
    }
}

/// The policy and its text.
fn policy(args: &ServeArgs) -> Result<(Policy, String)> {
    let Some(path) = &args.policy_file else {
        return demo::policy();
    };
    let text = super::read(path)?;
    let loaded = manifest::load_policy(&text, today());
    watches::tell(&loaded.diagnostics, &path.display().to_string());
    let policy = loaded
        .policy
        .with_context(|| format!("{} has faults: correct what is told above", path.display()))?;
    Ok((policy, text))
}

async fn bind(flag: &str, address: SocketAddr, access: Access, router: Router) -> Result<Server> {
    Server::bind(address, access, router)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another address with {flag}"))
}

async fn bind_admin(
    args: &ServeArgs,
    readiness: &Arc<Readiness>,
    metrics: &Arc<Metrics>,
) -> Result<Option<Server>> {
    let default = (!args.demo).then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    let Some(address) = args.admin_listen.or(default) else {
        return Ok(None);
    };
    let access = Access {
        tls: None,
        max_connections: admin::MAX_CONNECTIONS,
        metrics: ConnectionMetrics::default(),
    };
    let router = admin::router(readiness.clone(), metrics.clone());
    let server = bind("--admin-listen", address, access, router).await?;
    info!(address = %server.local_addr()?, "admin port");
    Ok(Some(server))
}

/// Files that are watched: their paths and what they held when they were first read.
type Files = (Vec<PathBuf>, Vec<String>);

fn certificate(args: &ServeArgs) -> Result<(Arc<Certificate>, Option<Files>)> {
    if let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let texts = vec![super::read(chain)?, super::read(key)?];
        let certificate = Certificate::new(&texts[0], &texts[1]).with_context(|| {
            format!(
                "cannot serve with {} and {}",
                chain.display(),
                key.display()
            )
        })?;
        return Ok((certificate, Some((vec![chain.clone(), key.clone()], texts))));
    }
    let made = SelfSigned::local()?;
    Ok((Certificate::new(&made.certificate, &made.key)?, None))
}

fn clients(args: &ServeArgs) -> Result<Option<(Arc<Clients>, Files)>> {
    let Some(path) = &args.client_ca else {
        return Ok(None);
    };
    let text = super::read(path)?;
    let clients = Clients::new(&text, args.client_names.clone())
        .with_context(|| format!("cannot use {} as the CA of clients", path.display()))?;
    Ok(Some((clients, (vec![path.clone()], vec![text]))))
}

/// Every connection is a file descriptor, and shells allow 1024 unless they are asked for more. Returns how many
/// connections there can be.
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
