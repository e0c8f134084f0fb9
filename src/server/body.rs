//! The body of a request, received within a deadline and within the memory of all bodies.

use super::activity::at_least_rate;
use super::connections::Peer;
use super::memory::{Memory, MemoryLease};
use super::refusal::Refusal;
use crate::runtime::deadline::within;
use crate::runtime::metrics::{Metrics, ReviewInFlight, Unanswered};
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroize;

/// The most bytes of a body. The API server accepts objects of 3 MiB, and the review of an update holds two of them.
const MAX_BODY: usize = 7 * 1024 * 1024;
/// The most bytes that are reserved for an announced body before it arrives. Reserved memory costs nothing until it is
/// written to.
const MAX_AHEAD: usize = 1024 * 1024;
/// The time that a body may take in addition to its length at the least rate.
const BODY_DEADLINE: Duration = Duration::from_secs(2);
/// The time for which the rest of a refused body is read.
const REST: Duration = Duration::from_secs(1);

/// Receives bodies.
#[derive(Clone)]
pub(super) struct Bodies {
    memory: Arc<Memory>,
    metrics: Arc<Metrics>,
}

/// A complete body, with everything that belongs to the request until it is answered.
pub(super) struct ReceivedBody {
    pub(super) bytes: BodyBytes,
    /// The memory of the body, and later of the answer as well.
    pub(super) lease: MemoryLease,
    /// The client that sent it.
    pub(super) peer: Peer,
    /// The time when the head of the request was complete.
    pub(super) began: std::time::Instant,
    /// Counts the review as under way.
    pub(super) in_flight: ReviewInFlight,
}

/// The bytes of a body. The bytes of a Secret are wiped when they are dropped, unless they belong to the connection.
pub(super) struct BodyBytes {
    content: BodyContent,
    is_secret: Cell<bool>,
}

/// The location of the bytes.
enum BodyContent {
    /// They arrived in one piece, and stay in the buffer of the connection.
    Piece(Bytes),
    /// They arrived in several pieces.
    Pieces(Vec<u8>),
}

impl Bodies {
    /// Counts bodies and refusals in these metrics.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        let memory = Arc::default();
        Self { memory, metrics }
    }

    /// Receives a body. Takes memory as the bytes arrive, because a client may announce more than it sends.
    async fn receive(
        &self,
        headers: &HeaderMap,
        body: &mut Body,
        peer: &Peer,
    ) -> Result<(BodyBytes, MemoryLease), Unanswered> {
        let promised = headers.get(header::CONTENT_LENGTH);
        let promised: Option<usize> =
            promised.and_then(|length| length.to_str().ok()?.parse().ok());
        if promised.is_some_and(|length| length > MAX_BODY) {
            return Err(Unanswered::TooLarge);
        }
        let full = |_| Unanswered::Overload;
        let mut lease = self.memory.lease(peer).await.map_err(full)?;
        let mut content = BodyContent::Piece(Bytes::new());
        let began = Instant::now();
        while !body.is_end_stream() {
            let deadline = began + BODY_DEADLINE + at_least_rate(content.as_ref().len());
            let frame = timeout_at(deadline, body.frame()).await;
            let frame = frame.map_err(|_| Unanswered::Timeout)?;
            let Some(frame) = frame else {
                break;
            };
            // The client is gone, or sent something other than HTTP, so nothing can be answered.
            let frame = frame.map_err(|_| Unanswered::BadRequest)?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            let length = content.as_ref().len() + piece.len();
            if length > MAX_BODY {
                return Err(Unanswered::TooLarge);
            }
            lease.grow_to(length, peer).await.map_err(full)?;
            content = content.and(piece, promised.unwrap_or_default().min(MAX_AHEAD));
        }
        let bytes = BodyBytes {
            content,
            is_secret: Cell::new(false),
        };
        Ok((bytes, lease))
    }
}

impl<S: Send + Sync> FromRequest<S> for ReceivedBody
where
    Bodies: FromRef<S>,
{
    type Rejection = Refusal;

    /// Receives the body. Reads and drops the rest of a refused body for a moment: a client that still sends while the
    /// connection closes may never see the answer.
    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bodies = Bodies::from_ref(state);
        let began = std::time::Instant::now();
        let in_flight = bodies.metrics.reviews.begin();
        let (mut head, mut body) = request.into_parts();
        let peer: Peer = head.extensions.remove().unwrap_or_default();
        match bodies.receive(&head.headers, &mut body, &peer).await {
            Ok((bytes, lease)) => {
                peer.activity.received();
                Ok(Self {
                    bytes,
                    lease,
                    peer,
                    began,
                    in_flight,
                })
            }
            Err(reason) => {
                if !head.headers.contains_key(header::EXPECT) {
                    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
                    within(REST, rest).await;
                }
                Err(Refusal::new(reason, &bodies.metrics))
            }
        }
    }
}

impl BodyBytes {
    /// Marks the bytes as a Secret, so that they are wiped.
    pub(super) fn holds_a_secret(&self) {
        self.is_secret.set(true);
    }
}

impl AsRef<[u8]> for BodyBytes {
    fn as_ref(&self) -> &[u8] {
        self.content.as_ref()
    }
}

impl Drop for BodyBytes {
    fn drop(&mut self) {
        if let BodyContent::Pieces(bytes) = &mut self.content
            && self.is_secret.get()
        {
            bytes.zeroize();
        }
    }
}

impl BodyContent {
    /// Appends a piece; `expected` is the expected total length.
    fn and(self, piece: Bytes, expected: usize) -> Self {
        let mut bytes = match self {
            Self::Piece(first) if first.is_empty() => return Self::Piece(piece),
            Self::Piece(first) => {
                let mut bytes = Vec::with_capacity(expected);
                bytes.extend_from_slice(&first);
                bytes
            }
            Self::Pieces(bytes) => bytes,
        };
        bytes.extend_from_slice(&piece);
        Self::Pieces(bytes)
    }
}

impl AsRef<[u8]> for BodyContent {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Piece(bytes) => bytes,
            Self::Pieces(bytes) => bytes,
        }
    }
}
