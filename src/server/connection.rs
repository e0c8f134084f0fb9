//! One connection: handshake, protocol, requests.

use super::connections::{Activity, ConnectionPlace, RequestInFlight};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;
use tracing::error;

/// What a handshake may take; the API server gives up after 10 s too.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is kept of what a client sends before it is looked at, and so the longest head of a request.
const BUFFER: usize = 32 * 1024;
/// The longest head of an HTTP/2 request.
const HEAD: u32 = 16 * 1024;
/// How many requests one HTTP/2 connection may have under way. The API server speaks HTTP/1.1.
const STREAMS: u32 = 16;
/// How much an HTTP/2 client may send before somebody reads it.
const WINDOW: u32 = 256 * 1024;

/// What answers the requests of a server.
pub trait Endpoints: Clone + Send + Sync + 'static {
    /// The answer to a request from this address.
    fn answer(
        self,
        request: Request<Incoming>,
        source: IpAddr,
    ) -> impl Future<Output = Response> + Send;
}

impl Endpoints for Router {
    async fn answer(self, request: Request<Incoming>, _: IpAddr) -> Response {
        let answer = TowerToHyperService::new(self).call(request).await;
        answer.unwrap_or_else(|never| match never {})
    }
}

/// Tells connections to finish what they do.
pub(super) type Stopping = watch::Receiver<bool>;

/// Why a connection ended early.
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

/// Serves a connection to its end.
pub(super) async fn serve(
    (stream, source): (TcpStream, IpAddr),
    tls: Option<TlsAcceptor>,
    endpoints: impl Endpoints,
    place: ConnectionPlace,
    mut stopping: Stopping,
) -> Result<(), Ended> {
    stream.set_nodelay(true)?;
    let activity = place.activity.clone();
    let watched = place.activity.clone();
    let requests = service_fn(move |request| {
        let in_flight = watched.begin();
        let answer = endpoints.clone().answer(request, source);
        async { Ok::<_, Infallible>(answer.await.map(|body| AnswerBody { body, in_flight })) }
    });
    let served = async {
        let Some(tls) = tls else {
            return http1(Watched(stream, activity.clone()), requests, stopping).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream));
        let stream = tokio::select! {
            stream = handshake => stream.map_err(|_| Ended::HandshakeDeadline)?.map_err(Ended::Handshake)?,
            // Nothing was asked yet.
            _ = stopping.wait_for(|stop| *stop) => return Ok(()),
        };
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            activity.is_http2();
            http2(stream, requests, stopping).await
        } else {
            http1(Watched(stream, activity.clone()), requests, stopping).await
        }
    };
    tokio::select! {
        result = served => result,
        () = activity.over() => Ok(()),
    }
}

async fn http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    requests: impl HttpService<Incoming, ResBody = AnswerBody, Error = Infallible>,
    stopping: Stopping,
) -> Result<(), Ended> {
    let connection = http1::Builder::new()
        // `Activity` knows when bytes come, and so a silent connection from a slow head.
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), requests);
    drive(connection, stopping).await
}

async fn http2<S>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    requests: S,
    stopping: Stopping,
) -> Result<(), Ended>
where
    S: HttpService<Incoming, ResBody = AnswerBody, Error = Infallible, Future: Send + 'static>,
{
    let tasks = Arc::default();
    let connection = http2::Builder::new(Streams(Arc::downgrade(&tasks)))
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .serve_connection(TokioIo::new(stream), requests);
    drive(connection, stopping).await
}

/// Serves until the client goes, or until what is under way is finished once the server stops.
async fn drive(
    connection: impl GracefulConnection<Error = hyper::Error>,
    mut stopping: Stopping,
) -> Result<(), Ended> {
    let mut connection = pin!(connection);
    tokio::select! {
        result = &mut connection => return Ok(result?),
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

/// The body of an answer: the request is under way until that is taken.
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

/// The tasks of the requests of one HTTP/2 connection. They hold an executor themselves, and so it does not hold them:
/// they end with the connection.
#[derive(Clone)]
struct Streams(Weak<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, task: F) {
        let Some(tasks) = self.0.upgrade() else {
            return;
        };
        let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            note(ended);
        }
        tasks.spawn(task);
    }
}

/// A stream that notes when bytes come.
struct Watched<S>(S, Arc<Activity>);

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.0).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.1.read();
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

/// A connection that panics is a bug, but no reason to end.
pub(super) fn note(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        error!("a connection ended with a panic");
    }
}
