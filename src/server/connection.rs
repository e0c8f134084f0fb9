//! Serves one connection: handshake, protocol, requests.

use super::activity::{Activity, RequestInFlight};
use super::connections::ConnectionPlace;
use axum::Router;
use axum::body::{Body, Bytes};
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio_rustls::TlsAcceptor;
use tracing::error;

/// The longest handshake. The API server also gives up after 10 s.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The size of the read buffer in bytes, and so the longest head of a request.
const BUFFER: usize = 32 * 1024;

/// Tells connections to finish their requests and close.
pub(super) type Stopping = watch::Receiver<bool>;

/// The reason why a connection ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    #[error("the TLS handshake took too long")]
    HandshakeDeadline,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// Serves a connection to its end. Requests carry the [`Peer`](super::connections::Peer) as an extension.
pub(super) async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    place: ConnectionPlace,
    mut stopping: Stopping,
) -> Result<(), Ended> {
    stream.set_nodelay(true)?;
    let peer = place.peer.clone();
    let router = TowerToHyperService::new(router);
    let requests = service_fn(move |mut request: Request<Incoming>| {
        let in_flight = peer.activity.begin();
        request.extensions_mut().insert(peer.clone());
        let answer = router.call(request);
        async move {
            let answer = answer.await?;
            in_flight.answered();
            Ok::<_, Infallible>(answer.map(|body| AnswerBody { body, in_flight }))
        }
    });
    let activity = place.peer.activity.clone();
    let served = async {
        let Some(tls) = tls else {
            return http1(Watched(stream, activity.clone()), requests, stopping).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream));
        let stream = tokio::select! {
            stream = handshake => stream.map_err(|_| Ended::HandshakeDeadline)?.map_err(Ended::Handshake)?,
            // No request has been received yet.
            _ = stopping.wait_for(|stop| *stop) => return Ok(()),
        };
        http1(Watched(stream, activity.clone()), requests, stopping).await
    };
    tokio::select! {
        result = served => result,
        () = activity.over() => Ok(()),
    }
}

/// Serves until the client closes or, after the server stops, until the request under way is finished.
async fn http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    requests: impl HttpService<Incoming, ResBody = AnswerBody, Error = Infallible>,
    mut stopping: Stopping,
) -> Result<(), Ended> {
    let connection = http1::Builder::new()
        // `Activity` sees each read, so it can tell a silent connection from a slow head.
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), requests);
    let mut connection = pin!(connection);
    tokio::select! {
        result = &mut connection => return Ok(result?),
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

/// The body of an answer. The request counts as under way until the client has received the body.
struct AnswerBody {
    body: Body,
    #[expect(dead_code, reason = "it matters when it is dropped")]
    in_flight: RequestInFlight,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that reports the bytes it reads.
struct Watched<S>(S, Arc<Activity>);

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.0).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            self.1.read(bytes);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

/// Logs a panic. A connection that panics is a bug, but the server goes on.
pub(super) fn note(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        error!("a connection ended with a panic");
    }
}
