//! `pullgate serve`: builds the parts, wires them, runs them.

use super::Format;
use super::{Outcome, demo, load_policy};
use crate::diagnostic::Severity;
use crate::lifecycle::Signals;
use crate::live::{Live, Watches, today};
use crate::policy::Policy;
use crate::server::Server;
use crate::server::admission;
use crate::server::certs::{Certificate, SelfSigned};
use crate::world::Controllers;
use crate::{cluster, files};
use anyhow::{Context, Result, bail};
use clap::Args;
use futures::future::OptionFuture;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::oneshot;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

/// How to serve.
#[derive(Debug, Args)]
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
    /// The certificate chain (PEM), the leaf first; self-signed for localhost when absent.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Watch namespaces and service accounts of the cluster that this kubeconfig names.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// One more user whose objects are part of workloads that were judged before, like those of built-in controllers.
    #[arg(long = "controller", value_name = "USER")]
    controllers: Vec<String>,
    /// How log lines are written.
    #[arg(long, value_enum, default_value = "text")]
    log_format: Format,
    /// Which log lines are written, in the syntax of tracing's `EnvFilter`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log_filter: String,
}

/// Serves until the process is asked to end.
///
/// # Errors
/// Something that it needs cannot be had, or an essential part ended.
pub fn run(args: &ServeArgs, out: &mut impl Write) -> Result<Outcome> {
    start_logging(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(args, out))?;
    Ok(Outcome::Clean)
}

async fn serve(args: &ServeArgs, out: &mut impl Write) -> Result<()> {
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let (policy, text) = match &args.policy_file {
        Some(path) => load_policy(path)?,
        None => demo::policy()?,
    };
    let watches = if args.kubeconfig.is_some() {
        Watches::Cluster
    } else {
        Watches::Nothing
    };
    let live = Arc::new(Live::new(
        policy,
        Controllers::new(args.controllers.clone()),
        watches,
    ));
    let (certificate, pem) = certificate(args)?;
    let server = bind(args, &certificate, &live).await?;
    if args.demo {
        demo::show(&live, server.local_addr()?, out)?;
    }
    let client = match &args.kubeconfig {
        Some(kubeconfig) => Some(cluster::client(kubeconfig).await?),
        None => None,
    };
    let facts: OptionFuture<_> = client
        .map(|client| cluster::facts::watch(client, &live))
        .into();
    let policy: OptionFuture<_> = args
        .policy_file
        .as_ref()
        .map(|path| watch_policy(path, text, &live))
        .into();
    let pair: OptionFuture<_> = pem
        .map(|(paths, texts)| watch_pair(paths, texts, &certificate))
        .into();
    // The first asks to finish what is under way, the second not to wait for it.
    let (asked, stop) = oneshot::channel::<()>();
    let terminated = async {
        signals.next().await;
        drop(asked);
        signals.next().await;
    };
    // The first part to end ends all: none of them may do so quietly.
    tokio::select! {
        () = server.run(async { drop(stop.await) }) => { info!("stopped"); Ok(()) }
        () = terminated => bail!("asked twice to stop: requests under way are not answered"),
        Some(()) = facts => bail!("the watch of the cluster ended"),
        Some(()) = policy => bail!("the watch of the policy ended"),
        Some(()) = pair => bail!("the watch of the certificate ended"),
    }
}

async fn bind(
    args: &ServeArgs,
    certificate: &Arc<Certificate>,
    live: &Arc<Live>,
) -> Result<Server> {
    let what = || {
        format!(
            "cannot listen on {}: choose another address with --listen",
            args.listen
        )
    };
    let router = admission::router(live.clone());
    let server = Server::bind(args.listen, certificate.server_config(), router)
        .await
        .with_context(what)?;
    info!(address = %server.local_addr()?, "serving");
    Ok(server)
}

/// Paths and contents of a certificate and its key.
type Pem = (Vec<PathBuf>, Vec<String>);

fn certificate(args: &ServeArgs) -> Result<(Arc<Certificate>, Option<Pem>)> {
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
    let made = SelfSigned::new(&["localhost", "127.0.0.1", "::1"])?;
    Ok((Certificate::new(&made.certificate, &made.key)?, None))
}

async fn watch_policy(path: &Path, text: String, live: &Live) {
    let file = path.display().to_string();
    files::poll(vec![path.to_owned()], vec![text], |texts| {
        let loaded = Policy::load(&texts[0], today());
        for diagnostic in &loaded.diagnostics {
            match diagnostic.severity {
                Severity::Fault => error!("{}", diagnostic.line(&file)),
                Severity::Warning => warn!("{}", diagnostic.line(&file)),
            }
        }
        if let Some(policy) = loaded.policy {
            live.set_policy(policy);
            info!(file, "the policy changed");
        } else {
            error!(
                file,
                "the policy has faults and is not used; the one before stays in force"
            );
        }
    })
    .await;
}

async fn watch_pair(paths: Vec<PathBuf>, texts: Vec<String>, certificate: &Certificate) {
    files::poll(paths, texts, |texts| {
        match certificate.replace(&texts[0], &texts[1]) {
            Ok(()) => info!("the certificate changed"),
            Err(error) => error!(
                error = format!("{error:#}"),
                "the new certificate is not used; the one before stays"
            ),
        }
    })
    .await;
}

fn start_logging(args: &ServeArgs) -> Result<()> {
    let filter = EnvFilter::try_new(&args.log_filter)
        .with_context(|| format!("bad --log-filter {:?}", args.log_filter))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match args.log_format {
        Format::Text => subscriber.try_init(),
        Format::Json => subscriber.json().try_init(),
    };
    started
        .map_err(|error| anyhow::anyhow!(error))
        .context("cannot start logging")
}
