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

/// What is left to requests under way once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long to wait when accepting fails (no file descriptors, mostly) before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that has its port and does not serve yet.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    connections: Arc<Connections>,
    metrics: ConnectionMetrics,
}

/// How a server is reached.
pub struct ServerAccess {
    /// TLS, or plain HTTP where there is none.
    pub tls: Option<rustls::ServerConfig>,
    /// How many connections there may be.
    pub max_connections: usize,
    /// What counts them.
    pub metrics: ConnectionMetrics,
}

impl Server {
    /// Takes a port.
    ///
    /// # Errors
    /// The port cannot be had.
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

    /// Where it listens.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is there, then finishes what is under way, for ten seconds at most.
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
            warn!("requests were still under way at the end");
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
