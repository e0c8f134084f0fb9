//! HTTPS for reviews and plain HTTP for the admin port: accept, handshake, serve, drain.

mod activity;
pub mod admin;
pub mod admission;
mod body;
mod connection;
mod connections;
mod memory;
mod network;
mod policy_turns;
mod refusal;
mod review_log;

use crate::runtime::metrics::ConnectionMetrics;
use axum::Router;
use connection::{Ended, note};
use connections::Connections;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// The time that requests under way get after the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The pause after a failed accept (mostly for lack of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that has bound its port but does not serve yet.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    connections: Arc<Connections>,
    metrics: ConnectionMetrics,
}

/// The transport and the limits of a server.
pub struct ServerAccess {
    /// The TLS configuration; `None` means plain HTTP.
    pub tls: Option<rustls::ServerConfig>,
    /// The most open connections.
    pub max_connections: usize,
    /// The metrics of its connections.
    pub metrics: ConnectionMetrics,
}

impl Server {
    /// Binds a port.
    ///
    /// # Errors
    /// Fails if the port is not available.
    pub async fn bind(
        address: SocketAddr,
        access: ServerAccess,
        router: Router,
    ) -> io::Result<Self> {
        let ServerAccess {
            tls,
            max_connections,
            metrics,
        } = access;
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            tls: tls.map(|tls| TlsAcceptor::from(Arc::new(tls))),
            router,
            connections: Connections::new(max_connections, metrics.clone()),
            metrics,
        })
    }

    /// Returns the address of the listener.
    ///
    /// # Errors
    /// Fails if the operating system does not tell the address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` completes, then finishes the requests under way, for ten seconds at most.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (stop, stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut number = 0;
        let mut fails = false;
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        fails = false;
                        number += 1;
                        self.admit(&mut connections, number, stream, peer, stopping.clone());
                    }
                    Err(error) => {
                        if !fails {
                            warn!(%error, "cannot accept connections; trying again");
                        }
                        fails = true;
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.join_next() => note(ended),
            }
        }
        drop(self.listener);
        let _ = stop.send(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            warn!("stopped while requests were under way");
        }
    }

    fn admit(
        &self,
        connections: &mut JoinSet<()>,
        number: u64,
        stream: TcpStream,
        peer: SocketAddr,
        stopping: connection::Stopping,
    ) {
        let Some(place) = self.connections.admit(number, peer.ip()) else {
            debug!(%peer, "all places for connections are taken, and no other connection has to give way");
            return;
        };
        let served = connection::serve(
            stream,
            self.tls.clone(),
            self.router.clone(),
            place,
            stopping,
        );
        let metrics = self.metrics.clone();
        connections.spawn(async move {
            match served.await {
                Ok(()) => {}
                Err(error @ (Ended::Handshake(_) | Ended::HandshakeDeadline)) => {
                    metrics.refused("handshake");
                    debug!(%peer, error = &error as &dyn std::error::Error, "connection refused");
                }
                Err(error) => {
                    debug!(%peer, error = &error as &dyn std::error::Error, "connection ended");
                }
            }
        });
    }
}
