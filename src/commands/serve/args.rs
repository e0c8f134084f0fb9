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

/// How long a webhook in a cluster serves on after it was asked to stop: until every API server and proxy knows.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(15);

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
    pub(super) policy_file: Option<PathBuf>,
    /// The policy as a cluster has it: the key policy.yaml of this ConfigMap, which is watched; NAME-accepted keeps what
    /// was accepted.
    #[arg(long, value_name = "NAMESPACE/NAME", group = "source")]
    pub(super) policy_configmap: Option<ObjectName>,
    /// Serve an example policy, show a few reviews, and stay up.
    #[arg(long, group = "source")]
    pub(super) demo: bool,
    /// Where to listen for reviews (HTTPS).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub(super) listen: SocketAddr,
    /// Where to serve /livez, /readyz and /metrics (plain HTTP) [default: 127.0.0.1:8080; with --demo nowhere].
    #[arg(long, value_name = "ADDRESS")]
    pub(super) admin_listen: Option<SocketAddr>,
    /// The certificate chain (PEM), the leaf first; self-signed for localhost when absent.
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
    /// Keep a CA and a certificate in this Secret, shared by all replicas and renewed in good time.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        conflicts_with = "tls_cert",
        requires = "tls_names",
        help_heading = "Certificates"
    )]
    pub(super) tls_secret: Option<ObjectName>,
    /// With --tls-secret: a DNS name that the certificate is good for; may be given more than once.
    #[arg(
        long = "tls-name",
        value_name = "NAME",
        requires = "tls_secret",
        help_heading = "Certificates"
    )]
    pub(super) tls_names: Vec<String>,
    /// With --tls-secret: the name of the webhook configurations, of both kinds, whose caBundle is kept.
    #[arg(
        long,
        value_name = "NAME",
        requires = "tls_secret",
        help_heading = "Certificates"
    )]
    pub(super) webhook_configurations: Option<String>,
    /// Let in only clients with a certificate of this CA (PEM).
    #[arg(long, value_name = "FILE", help_heading = "Certificates")]
    pub(super) client_ca: Option<PathBuf>,
    /// Let in only clients with this name in their certificate (common name or DNS name); may be given more than once.
    #[arg(
        long = "client-name",
        value_name = "NAME",
        requires = "client_ca",
        help_heading = "Certificates"
    )]
    pub(super) client_names: Vec<String>,
    /// How many connections there may be. Each takes up to 80 KiB.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "1024",
        help_heading = "Limits"
    )]
    pub(super) max_connections: usize,
    /// How long to serve on after SIGTERM, not ready, before draining [default: 15 with a cluster, else 0].
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    pub(super) shutdown_delay: Option<u64>,
    /// The cluster: its namespaces and service accounts are watched [default, where a cluster is needed: that of
    /// kubectl, or the one that this runs in].
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// One more user whose objects are part of workloads that were judged before, like those of built-in controllers. It
    /// helps only objects that a built-in workload (Deployment, Job, ...) controls: of others none was judged.
    #[arg(long = "controller", value_name = "USER", help_heading = "Cluster")]
    pub(super) controllers: Vec<String>,
    /// Tell who edits the policy what the edit would do to running workloads, which are listed for it.
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
    /// How much to know of docker-type Secrets, all of which are watched for it.
    #[arg(
        long,
        value_enum,
        value_name = "DEPTH",
        default_value = "off",
        help_heading = "Cluster"
    )]
    pub(super) inventory: InventoryMode,
    /// With --inventory contents: the Secret with the key of fingerprints, which is made where there is none.
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
            Self::Off => "Nothing: bans by name work",
            Self::Names => "Which there are: whoever needs one that is missing is told",
            Self::Contents => "What kind of accounts they hold and until when; never a password",
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
