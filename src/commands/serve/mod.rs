//! `pullgate serve`: builds the parts, wires them, runs them.

mod assembly;
mod preview;
mod watches;

use super::{Outcome, demo};
use crate::cluster::ObjectName;
use crate::cluster::certificates::Managed;
use crate::cluster::secrets::Scope;
use crate::policy::Policy;
use crate::runtime::lifecycle::{Part, Readiness, Signals, Tasks};
use crate::runtime::live::{Live, Watches};
use crate::runtime::metrics::Metrics;
use crate::runtime::telemetry::{self, LogArgs};
use crate::server::admission::Admission;
use crate::server::connection::Endpoints;
use crate::server::{Access, Server, admin};
use crate::tls::certificate::Certificate;
use crate::verdict::world::Controllers;
use anyhow::{Context, Result, bail};
use assembly::Assembly;
use clap::{ArgGroup, Args, ValueEnum};
use std::io::Write;
use std::net::SocketAddr;
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
    --tls-cert tls.crt --tls-key tls.key --kubeconfig ~/.kube/config

  # In a cluster, as the chart runs it
  pullgate serve --policy-configmap pullgate/pullgate-policy --preview --listen 0.0.0.0:8443 \\
    --tls-secret pullgate/pullgate-tls --tls-name pullgate.pullgate.svc --webhook-configurations pullgate")]
#[command(group = ArgGroup::new("source").required(true))]
pub struct ServeArgs {
    /// The policy; the file is read again when it changes, and a bad one never replaces a good one.
    #[arg(long, value_name = "FILE", group = "source")]
    policy_file: Option<PathBuf>,
    /// The policy as a cluster has it: the key policy.yaml of this ConfigMap, which is watched; NAME-accepted keeps what
    /// was accepted.
    #[arg(long, value_name = "NAMESPACE/NAME", group = "source")]
    policy_configmap: Option<ObjectName>,
    /// Serve an example policy, show a few reviews, and stay up.
    #[arg(long, group = "source")]
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
    /// Keep a CA and a certificate in this Secret, shared by all replicas and renewed in good time.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        conflicts_with = "tls_cert",
        requires = "tls_names",
        help_heading = "Certificates"
    )]
    tls_secret: Option<ObjectName>,
    /// With --tls-secret: a DNS name that the certificate is good for; may be given more than once.
    #[arg(
        long = "tls-name",
        value_name = "NAME",
        requires = "tls_secret",
        help_heading = "Certificates"
    )]
    tls_names: Vec<String>,
    /// With --tls-secret: the name of the webhook configurations, of both kinds, whose caBundle is kept.
    #[arg(
        long,
        value_name = "NAME",
        requires = "tls_secret",
        help_heading = "Certificates"
    )]
    webhook_configurations: Option<String>,
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
    /// How long to serve on after SIGTERM, not ready, before draining [default: 15 with a cluster, else 0].
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    shutdown_delay: Option<u64>,
    /// The cluster: its namespaces and service accounts are watched [default, where a cluster is needed: that of
    /// kubectl, or the one that this runs in].
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,
    /// One more user whose objects are part of workloads that were judged before, like those of built-in controllers.
    #[arg(long = "controller", value_name = "USER", help_heading = "Cluster")]
    controllers: Vec<String>,
    /// Tell who edits the policy what the edit would do to running workloads, which are listed for it.
    #[arg(long, requires = "policy_configmap", help_heading = "Cluster")]
    preview: bool,
    /// With --preview: a namespace that the API server does not ask about; may be given more than once.
    #[arg(
        long = "excluded-namespace",
        value_name = "NAME",
        requires = "preview",
        help_heading = "Cluster"
    )]
    excluded_namespaces: Vec<String>,
    /// How much to know of docker-type Secrets, all of which are watched for it.
    #[arg(
        long,
        value_enum,
        value_name = "DEPTH",
        default_value = "off",
        help_heading = "Cluster"
    )]
    inventory: Inventory,
    /// With --inventory contents: the Secret with the key of fingerprints, which is made where there is none.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        required_if_eq("inventory", "contents"),
        help_heading = "Cluster"
    )]
    fingerprint_secret: Option<ObjectName>,
    #[command(flatten)]
    log: LogArgs,
}

/// How much to know of docker-type Secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Inventory {
    /// Nothing: bans by name work.
    Off,
    /// Which there are: whoever needs one that is missing is told.
    Names,
    /// What kind of accounts they hold and until when; never a password.
    Contents,
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
    // From the beginning: it says what is still missing.
    server.admin().await?;
    let clients = server.clients()?;
    let client = server.cluster().await?;
    server.policy(client.as_ref())?;
    server.certificate(client.as_ref())?;
    let access = Access {
        tls: Some(server.certificate.server_config(clients)),
        max_connections: connections,
        metrics: server.metrics.connections.clone(),
    };
    let preview = client.filter(|_| args.preview);
    let excluded = args.excluded_namespaces.clone();
    let preview = preview.map(|client| preview::preview(client, server.live.clone(), excluded));
    let admission = Admission::with_preview(server.live.clone(), server.metrics.clone(), preview);
    let endpoints = admission.endpoints(server.readiness.clone());
    let webhook = bind("--listen", args.listen, access, endpoints).await?;
    tokio::select! {
        () = assembly::complete(&server.readiness) => {}
        what = server.tasks.ended() => bail!("{what} ended"),
        () = signals.next() => {
            info!("stopped before there was anything to serve");
            return Ok(());
        }
    }
    let address = webhook.local_addr()?;
    info!(%address, "serving");
    if args.demo {
        demo::show(&server.live, address, out)?;
    }
    let (drain, drained) = oneshot::channel::<()>();
    // A task of its own: loading a large policy must not keep connections waiting.
    let mut serving = JoinSet::new();
    serving.spawn(webhook.run(async { drop(drained.await) }));
    // The first to end ends all: none of them may do so quietly.
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
        let default = if self.wants_cluster() {
            SHUTDOWN_DELAY
        } else {
            Duration::ZERO
        };
        self.shutdown_delay.map_or(default, Duration::from_secs)
    }

    fn wants_cluster(&self) -> bool {
        self.kubeconfig.is_some()
            || self.policy_configmap.is_some()
            || self.tls_secret.is_some()
            || self.inventory != Inventory::Off
    }

    fn live(&self) -> Live {
        let watches = if self.wants_cluster() {
            Watches::Cluster
        } else {
            Watches::Nothing
        };
        let controllers = Controllers::new(self.controllers.clone());
        Live::new(Policy::default(), controllers, watches)
    }

    /// What is to be known of Secrets.
    fn scope(&self) -> Scope {
        match (self.inventory, &self.fingerprint_secret) {
            (Inventory::Off, _) => Scope::Off,
            (Inventory::Contents, Some(name)) => Scope::Contents(name.clone()),
            (Inventory::Names | Inventory::Contents, _) => Scope::Names,
        }
    }

    fn managed(&self) -> Option<Managed> {
        Some(Managed {
            secret: self.tls_secret.clone()?,
            names: self.tls_names.clone(),
            configurations: self.webhook_configurations.clone(),
        })
    }
}

async fn bind<E: Endpoints>(
    flag: &str,
    address: SocketAddr,
    access: Access,
    endpoints: E,
) -> Result<Server<E>> {
    Server::bind(address, access, endpoints)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another address with {flag}"))
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
