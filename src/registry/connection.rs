//! Connections to registries: resolve, check the address, connect, TLS.

use crate::kubelet::registry::address::{Special, special};
use crate::kubelet::registry::url::HttpsUrl;
use crate::kubelet::registry::verdict::Failure;
use anyhow::{Context, Result, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The time for one address of a host with several, so that an address that does not answer leaves time for the next
/// one.
const CONNECT: Duration = Duration::from_secs(3);

/// The settings with which probes reach registries.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Certificates of CAs (PEM) that are trusted besides those of the system.
    pub authorities: String,
    /// Addresses of hosts that are not looked up, as `curl --resolve` has them.
    pub addresses: Vec<(String, SocketAddr)>,
    /// Whether a registry may be on this machine.
    pub allow_loopback: bool,
}

/// Opens connections.
pub(super) struct Connector {
    tls: TlsConnector,
    network: Network,
}

/// The reason why there is no connection or no answer, with the text of the error that caused it.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) failure: Failure,
    pub(super) text: Option<String>,
}

impl Broken {
    pub(super) fn new(failure: Failure) -> Self {
        Self {
            failure,
            text: None,
        }
    }

    pub(super) fn by(failure: Failure, error: &dyn Error) -> Self {
        Self {
            failure,
            text: Some(error.to_string()),
        }
    }
}

impl Connector {
    /// # Errors
    /// A certificate of the network cannot be read.
    pub(super) fn new(network: Network) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        // A system without certificates is not a fault here: the registries may all have certificates of `authorities`.
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        let of_system = roots.len();
        for certificate in CertificateDer::pem_slice_iter(network.authorities.as_bytes()) {
            let certificate = certificate.context("the CA certificates are not PEM")?;
            let added = roots.add(certificate);
            added.context("a CA certificate cannot be read")?;
        }
        ensure!(
            network.authorities.trim().is_empty() || roots.len() > of_system,
            "the CA certificates hold no certificate"
        );
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Arc::new(config).into(),
            network,
        })
    }

    /// Connects to an address of the host that was checked. The name is not looked up again.
    pub(super) async fn connect(&self, url: &HttpsUrl) -> Result<TlsStream<TcpStream>, Broken> {
        let host = bare(url.host());
        let addresses = self.addresses(host, url.port()).await?;
        let is_refused = |address: &SocketAddr| match special(address.ip()) {
            Some(Special::Loopback) => !self.network.allow_loopback,
            Some(_) => true,
            None => false,
        };
        // One refused address is enough: a host that also has a public one could change its answer.
        if let Some(refused) = addresses.iter().find(|address| is_refused(address)) {
            return Err(Broken {
                failure: Failure::RefusedAddress,
                text: Some(refused.ip().to_string()),
            });
        }
        let stream = open(&addresses).await?;
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| Broken::by(Failure::Tls, &error))?;
        let stream = self.tls.connect(name, stream).await;
        stream.map_err(|error| Broken::by(Failure::Tls, &error))
    }

    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Broken> {
        let known = self.network.addresses.iter();
        let known: Vec<_> = known
            .filter(|(name, _)| name.eq_ignore_ascii_case(host))
            .map(|(_, address)| *address)
            .collect();
        if !known.is_empty() {
            return Ok(known);
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![(address, port).into()]);
        }
        let found = lookup_host((host, port)).await;
        let found = found.map_err(|error| Broken::by(Failure::Dns, &error))?;
        Ok(found.collect())
    }
}

/// Returns the host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

async fn open(addresses: &[SocketAddr]) -> Result<TcpStream, Broken> {
    let mut last = Broken::new(Failure::Dns);
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Broken::by(Failure::Connect, &error),
            Err(late) => last = Broken::by(Failure::Connect, &late),
        }
    }
    Err(last)
}
