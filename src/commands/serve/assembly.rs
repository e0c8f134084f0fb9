//! Builds each part of the server, with the task that keeps it up to date.

use super::args::ServeArgs;
use super::{preview, watches};
use crate::cluster::secrets::SecretsWatch;
use crate::cluster::{self, certificates, facts};
use crate::commands::{demo, read};
use crate::facts::inventory::InventoryMode;
use crate::policy::source::PolicyText;
use crate::runtime::lifecycle::{Part, Readiness, Tasks};
use crate::runtime::live::Live;
use crate::runtime::metrics::{ConnectionMetrics, Metrics, PolicySource};
use crate::runtime::policy::PolicyInForce;
use crate::secrets::credentials::SecretContent;
use crate::server::Server;
use crate::server::admission::{Admission, PolicyEdits};
use crate::server::{ServerAccess, admin};
use crate::tls::certificate::Certificate;
use crate::tls::clients::Clients;
use crate::tls::self_signed::SelfSigned;
use anyhow::{Context, Result};
use axum::Router;
use kube::Client;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tracing::{info, warn};

/// The longest wait of a replica for the facts about the cluster, when everything else is there. After that it serves
/// without them, as it does with any unknown fact.
const PATIENCE: Duration = Duration::from_secs(20);

/// The parts of a server under construction.
pub(super) struct Assembly<'a> {
    pub(super) args: &'a ServeArgs,
    pub(super) tasks: Tasks,
    pub(super) readiness: Arc<Readiness>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) certificate: Arc<Certificate>,
    pub(super) live: Arc<Live>,
}

impl Assembly<'_> {
    pub(super) async fn admin(&mut self) -> Result<()> {
        let default = (!self.args.demo).then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let Some(address) = self.args.admin_listen.or(default) else {
            return Ok(());
        };
        let access = ServerAccess {
            tls: None,
            max_connections: admin::MAX_CONNECTIONS,
            metrics: ConnectionMetrics::default(),
        };
        let router = admin::router(self.readiness.clone(), self.metrics.clone());
        let server = bind("--admin-listen", address, access, router).await?;
        info!(address = %server.local_addr()?, "admin port");
        self.tasks.spawn("the admin server", server.run(pending()));
        Ok(())
    }

    /// Returns a client of the cluster, if one is needed, and starts the tasks that watch it.
    pub(super) async fn cluster(&mut self) -> Result<Option<Client>> {
        if !self.args.wants_cluster() {
            return Ok(None);
        }
        let client = cluster::client(self.args.kubeconfig.as_deref()).await?;
        let (live, metrics) = (self.live.clone(), self.metrics.clone());
        let mode = self.args.inventory;
        let secrets = SecretsWatch {
            mode,
            fingerprint_secret: self.args.fingerprint_secret.clone(),
            reduce: SecretContent::reduce,
        };
        let facts = facts::watch(
            client.clone(),
            live,
            self.readiness.clone(),
            metrics,
            secrets,
        );
        self.tasks.spawn("the watch of the cluster", facts);
        if mode != InventoryMode::Off {
            let statistics = watches::secret_statistics(self.live.clone(), self.metrics.clone());
            self.tasks.spawn("the statistics of Secrets", statistics);
        }
        let contact = cluster::contact(client.clone(), self.metrics.clone());
        self.tasks.spawn("the contact to the API server", contact);
        Ok(Some(client))
    }

    pub(super) fn policy(&mut self, client: Option<&Client>) -> Result<()> {
        let in_force = PolicyInForce::new(
            self.live.clone(),
            self.metrics.clone(),
            self.readiness.clone(),
        );
        if let (Some(source), Some(client)) = (&self.args.policy_configmap, client) {
            let (client, source) = (client.clone(), source.clone());
            let keeper =
                cluster::policy::PolicyKeeper::new(client, source, in_force, self.metrics.clone());
            self.tasks.spawn("the watch of the policy", keeper.keep());
            return Ok(());
        }
        let Some(path) = self.args.policy_file.clone() else {
            in_force.set(demo::policy()?, PolicySource::File);
            return Ok(());
        };
        let text = read(&path)?;
        let file = path.display().to_string();
        in_force
            .take(PolicyText::File(&text), &file, PolicySource::File)
            .ok()
            .with_context(|| format!("{file} has faults: correct the faults shown above"))?;
        let watch = watches::policy(path, text, in_force);
        self.tasks.spawn("the watch of the policy", watch);
        Ok(())
    }

    pub(super) fn certificate(&mut self, client: Option<&Client>) -> Result<()> {
        let (certificate, metrics) = (self.certificate.clone(), self.metrics.clone());
        if let (Some(managed), Some(client)) = (self.args.managed(), client) {
            let readiness = self.readiness.clone();
            let keeper = certificates::CertificateKeeper::new(
                client.clone(),
                managed,
                readiness,
                metrics.clone(),
            );
            let take = move |chain: &str, key: &str| {
                certificate.replace(chain, key)?;
                metrics.certificate.loaded(certificate.expires());
                Ok(())
            };
            self.tasks
                .spawn("the upkeep of the certificate", keeper.keep(take));
            return Ok(());
        }
        if let (Some(chain), Some(key)) = (&self.args.tls_cert, &self.args.tls_key) {
            let texts = vec![read(chain)?, read(key)?];
            certificate.replace(&texts[0], &texts[1]).with_context(|| {
                format!(
                    "cannot serve with {} and {}",
                    chain.display(),
                    key.display()
                )
            })?;
            let files = (vec![chain.clone(), key.clone()], texts);
            self.tasks.spawn(
                "the watch of the certificate",
                watches::pair(files, certificate, metrics),
            );
        } else {
            let made = SelfSigned::local()?;
            certificate.replace(&made.certificate, &made.key)?;
            self.tasks.spawn(
                "the upkeep of the certificate",
                watches::renew(certificate, metrics),
            );
        }
        self.metrics.certificate.loaded(self.certificate.expires());
        self.readiness.has(Part::Certificate);
        Ok(())
    }

    /// Returns the webhook. It has bound its port, but does not serve yet.
    pub(super) async fn webhook(
        &self,
        client: Option<Client>,
        clients: Option<Arc<Clients>>,
        max_connections: usize,
    ) -> Result<Server> {
        let access = ServerAccess {
            tls: Some(self.certificate.server_config(clients)),
            max_connections,
            metrics: self.metrics.connections.clone(),
        };
        let excluded = self.args.excluded_namespaces.clone();
        let client = client.filter(|_| self.args.preview);
        let preview = client.map(|client| preview::preview(client, self.live.clone(), excluded));
        let policy = self.args.policy_configmap.as_ref();
        let edits = PolicyEdits {
            namespace: policy.map(|object| object.namespace.clone()),
            preview,
        };
        let admission = Admission::new(self.live.clone(), self.metrics.clone(), edits);
        let router = admission.router(self.readiness.clone());
        bind("--listen", self.args.listen, access, router).await
    }

    /// Returns the check of client certificates, if there is one.
    pub(super) fn clients(&mut self) -> Result<Option<Arc<Clients>>> {
        let Some(path) = &self.args.client_ca else {
            return Ok(None);
        };
        let text = read(path)?;
        let clients = Clients::new(&text, self.args.client_names.clone())
            .with_context(|| format!("cannot use {} as the CA of clients", path.display()))?;
        let files = (vec![path.clone()], vec![text]);
        let authority = watches::authority(files, clients.clone());
        self.tasks.spawn("the watch of the client CA", authority);
        Ok(Some(clients))
    }
}

/// Waits until certificate and policy are present; waits for the facts about the cluster only for a limited time.
pub(super) async fn complete(readiness: &Readiness) {
    let wanted = [Part::Certificate, Part::Policy];
    readiness.has_all(&wanted).await;
    let all = readiness.has_all(&[Part::Facts]);
    if timeout(PATIENCE, all).await.is_err() {
        warn!("some facts about the cluster are not known yet; serving without them");
        readiness.has(Part::Facts);
    }
}

async fn bind(
    flag: &str,
    address: SocketAddr,
    access: ServerAccess,
    router: Router,
) -> Result<Server> {
    Server::bind(address, access, router)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another address with {flag}"))
}
