//! The arguments of `pullgate serve`.

use crate::cluster::ObjectName;
use crate::cluster::certificates::Managed;
use crate::facts::inventory::InventoryMode;
use crate::policy::Policy;
use crate::runtime::live::{Live, Watches};
use crate::runtime::telemetry::LogArgs;
use crate::verdict::world::Controllers;
use clap::builder::PossibleValue;
use clap::{ArgGroup, Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The time for which a webhook in a cluster keeps serving after it was asked to stop, until every API server and proxy
/// has noticed.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(15);

/// The options of `pullgate serve`.
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
    /// The file with the policy. It is read again when it changes, and a bad policy never replaces a good one.
    #[arg(long, value_name = "FILE", group = "source")]
    pub(super) policy_file: Option<PathBuf>,
    /// The ConfigMap of a cluster that holds the policy, under the key policy.yaml. It is watched. The ConfigMap
    /// NAME-accepted stores the accepted policies.
    #[arg(long, value_name = "NAMESPACE/NAME", group = "source")]
    pub(super) policy_configmap: Option<ObjectName>,
    /// Serve an example policy, show a few reviews, and keep running.
    #[arg(long, group = "source")]
    pub(super) demo: bool,
    /// The address for reviews (HTTPS).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub(super) listen: SocketAddr,
    /// The address of /livez, /readyz and /metrics (plain HTTP) [default: 127.0.0.1:8080; none with --demo].
    #[arg(long, value_name = "ADDRESS")]
    pub(super) admin_listen: Option<SocketAddr>,
    /// The certificate chain (PEM), leaf first; without it, a self-signed certificate for localhost.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Certificates"
    )]
    pub(super) tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Certificates"
    )]
    pub(super) tls_key: Option<PathBuf>,
    /// The Secret for a CA and a certificate, which all replicas share and renew in time.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        conflicts_with = "tls_cert",
        requires = "tls_names",
        help_heading = "Certificates"
    )]
    pub(super) tls_secret: Option<ObjectName>,
    /// With --tls-secret: a DNS name for the certificate; may be given more than once.
    #[arg(
        long = "tls-name",
        value_name = "NAME",
        requires = "tls_secret",
        help_heading = "Certificates"
    )]
    pub(super) tls_names: Vec<String>,
    /// With --tls-secret: the name of both webhook configurations; their caBundle is kept up to date.
    #[arg(
        long,
        value_name = "NAME",
        requires = "tls_secret",
        help_heading = "Certificates"
    )]
    pub(super) webhook_configurations: Option<String>,
    /// Accept only clients with a certificate of this CA (PEM).
    #[arg(long, value_name = "FILE", help_heading = "Certificates")]
    pub(super) client_ca: Option<PathBuf>,
    /// Accept only clients with this common name or DNS name in their certificate; may be given more than once.
    #[arg(
        long = "client-name",
        value_name = "NAME",
        requires = "client_ca",
        help_heading = "Certificates"
    )]
    pub(super) client_names: Vec<String>,
    /// The largest number of open connections. Each takes up to 80 KiB.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "1024",
        help_heading = "Limits"
    )]
    pub(super) max_connections: usize,
    /// The time between SIGTERM and draining, in which it still serves but is not ready [default: 15 with a cluster,
    /// else 0].
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    pub(super) shutdown_delay: Option<u64>,
    /// The kubeconfig of the cluster. Its namespaces and service accounts are watched [default, if a cluster is needed:
    /// the cluster of kubectl, or the one around the pod].
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// One more user that creates parts of workloads, like the built-in controllers; may be given more than once. It
    /// counts only for objects that a built-in workload (Deployment, Job, ...) controls, because no other owner was
    /// judged.
    #[arg(long = "controller", value_name = "USER", help_heading = "Cluster")]
    pub(super) controllers: Vec<String>,
    /// Warn the author of a policy edit about its effect on running workloads, which are listed for that.
    #[arg(long, requires = "policy_configmap", help_heading = "Cluster")]
    pub(super) preview: bool,
    /// With --preview: a namespace that the API server does not ask about; may be given more than once.
    #[arg(
        long = "excluded-namespace",
        value_name = "NAME",
        requires = "preview",
        help_heading = "Cluster"
    )]
    pub(super) excluded_namespaces: Vec<String>,
    /// The mode of the inventory of docker-type Secrets. All modes except `off` watch all of these Secrets.
    #[arg(
        long,
        value_enum,
        value_name = "DEPTH",
        default_value = "off",
        help_heading = "Cluster"
    )]
    pub(super) inventory: InventoryMode,
    /// With --inventory contents: the Secret with the key of fingerprints. It is created if it is missing.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        required_if_eq("inventory", "contents"),
        help_heading = "Cluster"
    )]
    pub(super) fingerprint_secret: Option<ObjectName>,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

impl ValueEnum for InventoryMode {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Off => "Nothing; bans by name still work",
            Self::Names => "Their names, for warnings about missing ones",
            Self::Contents => "Their kinds of accounts and their expiry; never a password",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

impl ServeArgs {
    pub(super) fn delay(&self) -> Duration {
        let default = if self.wants_cluster() {
            SHUTDOWN_DELAY
        } else {
            Duration::ZERO
        };
        self.shutdown_delay.map_or(default, Duration::from_secs)
    }

    pub(super) fn wants_cluster(&self) -> bool {
        self.kubeconfig.is_some()
            || self.policy_configmap.is_some()
            || self.tls_secret.is_some()
            || self.inventory != InventoryMode::Off
    }

    pub(super) fn live(&self) -> Live {
        let watches = if self.wants_cluster() {
            Watches::Cluster
        } else {
            Watches::Nothing
        };
        let controllers = Controllers::new(self.controllers.clone());
        Live::new(Policy::default(), controllers, watches)
    }

    pub(super) fn managed(&self) -> Option<Managed> {
        Some(Managed {
            secret: self.tls_secret.clone()?,
            names: self.tls_names.clone(),
            configurations: self.webhook_configurations.clone(),
        })
    }
}
