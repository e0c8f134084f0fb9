//! HTTPS: accept, handshake, serve, drain.

pub mod admission;
pub mod certs;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
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

/// What a handshake may take; the API server gives up after 10 s too.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What the head of a request may take, and so how long a connection may be idle. The API server pools connections for
/// 90 s and does not retry a POST, so the server must not be the first to close one.
const HEADER: Duration = Duration::from_secs(100);
/// What is left to requests under way once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long to wait when accepting fails (no file descriptors, mostly) before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that has its port and does not serve yet.
pub struct Server {
    listener: TcpListener,
    tls: TlsAcceptor,
    router: Router,
}

/// Tells connections to finish what they do.
#[derive(Clone)]
struct Stopping(watch::Receiver<bool>);

impl Server {
    /// Takes a port.
    ///
    /// # Errors
    /// The port cannot be had.
    pub async fn bind(
        address: SocketAddr,
        tls: rustls::ServerConfig,
        router: Router,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            listener,
            tls: TlsAcceptor::from(Arc::new(tls)),
            router,
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
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let (tls, router) = (self.tls.clone(), self.router.clone());
                        let stopping = Stopping(stopping.clone());
                        connections.spawn(async move {
                            if let Err(error) = serve(stream, tls, router, stopping).await {
                                debug!(%peer, %error, "connection ended");
                            }
                        });
                    }
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.listener);
        let _ = stop.send(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            warn!("requests were still under way at the end");
        }
    }
}

async fn serve(
    stream: TcpStream,
    tls: TlsAcceptor,
    router: Router,
    mut stopping: Stopping,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tokio::select! {
        stream = tokio::time::timeout(HANDSHAKE, tls.accept(stream)) => stream??,
        // Nothing was asked yet.
        _ = stopping.0.wait_for(|stop| *stop) => return Ok(()),
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        result = &mut connection => return Ok(result?),
        _ = stopping.0.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}
