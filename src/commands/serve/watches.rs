//! What is read again while the server runs.

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

/// How often a self-signed certificate is looked at.
const RENEW_CHECK: Duration = Duration::from_hours(1);
/// How many seconds before its end it is made anew.
const RENEW_BEFORE: i64 = 2 * 24 * 60 * 60;

/// How often Secrets are counted.
const COUNT_PERIOD: Duration = Duration::from_secs(10);

/// Files that are watched: their paths and what they held when they were first read.
type Files = (Vec<PathBuf>, Vec<String>);

pub(super) async fn policy(path: PathBuf, text: String, in_force: PolicyInForce) {
    let file = path.display().to_string();
    files::poll(vec![path], vec![text], |texts, is_new| {
        // Only its text decides, and that is the same.
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
            "the new {what} is not used; the one before stays"
        );
    }
    Taken::No
}

/// Makes a new self-signed certificate in good time, for ever.
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

/// Counts Secrets again and again, for ever.
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
