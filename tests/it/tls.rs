//! A TLS server in this process, and its clients.

use axum::Router;
use pullgate::runtime::metrics::Metrics;
use pullgate::server::{Server, ServerAccess};
use pullgate::tls::certificate::Certificate;
use pullgate::tls::clients::Clients;
use pullgate::tls::self_signed::SelfSigned;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A server. It ends when `stop` is dropped.
pub(crate) struct Running {
    pub address: SocketAddr,
    pub certificate: Arc<Certificate>,
    pub root: String,
    pub metrics: Arc<Metrics>,
    pub stop: oneshot::Sender<()>,
    pub done: tokio::task::JoinHandle<()>,
}

/// The settings of a client's connections.
#[derive(Clone)]
pub(crate) struct Client {
    pub address: SocketAddr,
    /// The certificate that the client trusts.
    pub root: String,
    /// The source address.
    pub source: IpAddr,
    pub alpn: &'static [&'static str],
    /// The client certificate and its key (PEM).
    pub identity: Option<(String, String)>,
}

/// Serves a router with default limits.
pub(crate) async fn serve(router: Router) -> Running {
    bind(router, Arc::default(), 4096, None).await
}

/// Serves a router with this limit for connections, and only to these clients.
pub(crate) async fn bind(
    router: Router,
    metrics: Arc<Metrics>,
    max_connections: usize,
    clients: Option<Arc<Clients>>,
) -> Running {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = SelfSigned::new(&["localhost"]).expect("a certificate");
    let certificate = Certificate::new(&made.certificate, &made.key).expect("a certificate");
    let any = "127.0.0.1:0".parse().expect("an address");
    let access = ServerAccess {
        tls: Some(certificate.server_config(clients)),
        max_connections,
        metrics: metrics.connections.clone(),
    };
    let server = Server::bind(any, access, router).await.expect("a port");
    let address = server.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    #[expect(
        clippy::disallowed_methods,
        reason = "the test awaits the task through its handle"
    )]
    let done = tokio::spawn(server.run(async { drop(stopped.await) }));
    Running {
        address,
        certificate,
        root: made.certificate,
        metrics,
        stop,
        done,
    }
}

impl Running {
    pub(crate) fn client(&self) -> Client {
        Client {
            address: self.address,
            root: self.root.clone(),
            source: Ipv4Addr::LOCALHOST.into(),
            alpn: &[],
            identity: None,
        }
    }

    /// Stops the server, and waits until it has ended.
    pub(crate) async fn end(self) {
        drop(self.stop);
        self.done.await.expect("no panic");
    }
}

impl Client {
    /// Returns the same client with another loopback address.
    pub(crate) fn from(&self, last: u8) -> Self {
        Self {
            source: Ipv4Addr::new(127, 0, 0, last).into(),
            ..self.clone()
        }
    }

    pub(crate) fn with_alpn(&self, alpn: &'static [&'static str]) -> Self {
        Self {
            alpn,
            ..self.clone()
        }
    }

    pub(crate) async fn tcp(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.source, 0).into())?;
        socket.connect(self.address).await
    }

    pub(crate) async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_with(rustls::ALL_VERSIONS).await
    }

    /// Connects with these versions of TLS only.
    pub(crate) async fn connect_with(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.root.as_bytes()).expect("PEM"))
            .expect("a certificate");
        let config = rustls::ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => config
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"),
                )
                .expect("a pair"),
        };
        config.alpn_protocols = self
            .alpn
            .iter()
            .map(|alpn| alpn.as_bytes().to_vec())
            .collect();
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, self.tcp().await?)
            .await
    }

    /// Sends one request on a new connection. Returns status and body of the answer.
    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = self.connect().await.expect("a handshake");
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        // The server may answer and close the connection before it has read everything.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let (head, body) = split(&answer);
        (status(&head), body)
    }
}

/// Splits an answer into head and body.
pub(crate) fn split(answer: &[u8]) -> (String, Vec<u8>) {
    let text = String::from_utf8_lossy(answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    (head.to_owned(), body.as_bytes().to_vec())
}

pub(crate) fn status(head: &str) -> u16 {
    let code = head.split(' ').nth(1);
    code.and_then(|code| code.parse().ok()).unwrap_or_default()
}
