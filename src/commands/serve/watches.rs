//! Tasks that keep files, certificates and statistics up to date while the server runs.

use crate::policy::source::PolicyText;
use crate::reports::secret_statistics::SecretStatistics;
use crate::runtime::clock::now;
use crate::runtime::files::{self, Taken};
use crate::runtime::live::Live;
use crate::runtime::metrics::{Metrics, PolicySource};
use crate::runtime::policy::PolicyInForce;
use crate::tls::certificate::Certificate;
use crate::tls::clients::Clients;
use crate::tls::self_signed::SelfSigned;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tracing::{error, info};

/// The interval of the checks of a self-signed certificate.
const RENEW_CHECK: Duration = Duration::from_hours(1);
/// The time before its expiry at which it is replaced, in seconds.
const RENEW_BEFORE: i64 = 2 * 24 * 60 * 60;

/// The interval of the statistics of Secrets.
const COUNT_PERIOD: Duration = Duration::from_secs(10);

/// The paths of the watched files, with their content at the first read.
type Files = (Vec<PathBuf>, Vec<String>);

pub(super) async fn policy(path: PathBuf, text: String, in_force: PolicyInForce) {
    let file = path.display().to_string();
    files::poll(vec![path], vec![text], |texts, is_new| {
        // A policy depends only on its text, and the text is the same.
        if !is_new {
            return Taken::No;
        }
        let text = PolicyText::File(&texts[0]);
        match in_force.take(text, &file, PolicySource::File) {
            Ok(()) => Taken::Yes,
            Err(_) => Taken::No,
        }
    })
    .await;
}

pub(super) async fn pair(
    (paths, texts): Files,
    certificate: Arc<Certificate>,
    metrics: Arc<Metrics>,
) {
    files::poll(paths, texts, |texts, is_new| {
        match certificate.replace(&texts[0], &texts[1]) {
            Ok(()) => {
                metrics.certificate.loaded(certificate.expires());
                info!("the certificate changed");
                Taken::Yes
            }
            Err(error) => {
                metrics.certificate.refused();
                refused("certificate", &error, is_new)
            }
        }
    })
    .await;
}

pub(super) async fn authority((paths, texts): Files, clients: Arc<Clients>) {
    files::poll(paths, texts, |texts, is_new| {
        match clients.replace(&texts[0]) {
            Ok(()) => {
                info!("the CA of clients changed");
                Taken::Yes
            }
            Err(error) => refused("CA of clients", &error, is_new),
        }
    })
    .await;
}

fn refused(what: &str, error: &anyhow::Error, is_new: bool) -> Taken {
    if is_new {
        error!(
            error = format!("{error:#}"),
            "the new {what} is not used; the previous one stays in use"
        );
    }
    Taken::No
}

/// Replaces a self-signed certificate before it expires. Runs for ever.
pub(super) async fn renew(certificate: Arc<Certificate>, metrics: Arc<Metrics>) {
    loop {
        tokio::time::sleep(RENEW_CHECK).await;
        if certificate.expires() - now() > RENEW_BEFORE {
            continue;
        }
        let renewed =
            SelfSigned::local().and_then(|made| certificate.replace(&made.certificate, &made.key));
        match renewed {
            Ok(()) => metrics.certificate.loaded(certificate.expires()),
            Err(error) => {
                metrics.certificate.refused();
                error!(
                    error = format!("{error:#}"),
                    "cannot make a new certificate; trying again"
                );
            }
        }
    }
}

/// Counts Secrets periodically. Runs for ever.
pub(super) async fn secret_statistics(live: Arc<Live>, metrics: Arc<Metrics>) {
    let mut ticks = tokio::time::interval(COUNT_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let statistics = tokio::task::block_in_place(|| live.judge(SecretStatistics::take));
        if let Some(statistics) = statistics {
            metrics.secrets.count(&statistics);
        }
    }
}
