//! What is read again while the server runs.

use super::Files;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files;
use crate::live::{Live, now, today};
use crate::manifest;
use crate::metrics::Metrics;
use crate::server::certs::Certificate;
use crate::server::clients::Clients;
use std::path::Path;
use std::sync::Arc;
use tracing::{error, info, warn};

pub(super) async fn policy(path: &Path, text: String, live: &Live, metrics: &Metrics) {
    let file = path.display().to_string();
    files::poll(vec![path.to_owned()], vec![text], |texts| {
        let loaded = manifest::load_policy(&texts[0], today());
        tell(&loaded.diagnostics, &file);
        if let Some(policy) = loaded.policy {
            live.set_policy(policy);
            metrics.policy_loaded(now());
            info!(file, "the policy changed");
        } else {
            let is_fault = |severity| severity == Severity::Fault;
            let faults = loaded.diagnostics.iter().filter(|d| is_fault(d.severity));
            metrics.policy_refused(faults.count());
            error!(
                file,
                "the policy has faults and is not used; the one before stays in force"
            );
        }
    })
    .await;
}

/// Logs what there is to say about a policy, a line each.
pub(super) fn tell(diagnostics: &[Diagnostic], file: &str) {
    for diagnostic in diagnostics {
        match diagnostic.severity {
            Severity::Fault => error!("{}", diagnostic.line(file)),
            Severity::Warning | Severity::Note => warn!("{}", diagnostic.line(file)),
        }
    }
}

pub(super) async fn pair((paths, texts): Files, certificate: &Certificate, metrics: &Metrics) {
    files::poll(paths, texts, |texts| {
        match certificate.replace(&texts[0], &texts[1]) {
            Ok(()) => {
                metrics.certificate_loaded(certificate.expires());
                info!("the certificate changed");
            }
            Err(error) => {
                metrics.certificate_refused();
                error!(
                    error = format!("{error:#}"),
                    "the new certificate is not used; the one before stays"
                );
            }
        }
    })
    .await;
}

pub(super) async fn authority((paths, texts): Files, clients: Arc<Clients>) {
    files::poll(paths, texts, |texts| match clients.replace(&texts[0]) {
        Ok(()) => info!("the CA of clients changed"),
        Err(error) => error!(
            error = format!("{error:#}"),
            "the new CA of clients is not used; the one before stays"
        ),
    })
    .await;
}
