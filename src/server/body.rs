//! Receiving the body of a request: within a time, and within what all of them may take.

use super::quota::{Lease, Quota};
use crate::runtime::deadline::within;
use crate::runtime::metrics::Unanswered;
use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroize;

/// The API server takes objects of 3 MiB, and a review of an update holds two of them.
const MAX_BODY: usize = 7 * 1024 * 1024;
/// What all bodies and answers together may take, and an eighth of it those of one source: two of the largest at a time,
/// or a thousand of the usual 8 KiB.
const MAX_BODIES: usize = 128 * 1024 * 1024;
/// What a body counts for at least: a request costs more than its bytes.
const MIN_BODY: usize = 16 * 1024;
/// What is set aside for a body before it comes, if so much is promised: it costs nothing until it is written to.
const MAX_AHEAD: usize = 1024 * 1024;
/// What receiving a body may take. The API server waits 10 s by default and sends at once.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// How long the rest of a body that is refused is read.
const REST: Duration = Duration::from_secs(1);

/// All bodies that are under way.
pub(super) struct Bodies(Arc<Quota>);

/// A body, and what it takes of the memory for all until it is dropped.
pub(super) struct Received {
    pub(super) body: Body,
    pub(super) lease: Lease,
}

/// The bytes of a body. Those of a Secret are wiped when they are dropped, unless they belong to the connection.
pub(super) struct Body {
    content: BodyContent,
    is_secret: Cell<bool>,
}

/// Where bytes are.
enum BodyContent {
    /// They came at once, and stay where the connection received them.
    Piece(Bytes),
    /// They came by and by.
    Pieces(Vec<u8>),
}

impl Bodies {
    pub(super) fn new() -> Self {
        Self(Quota::new(MAX_BODIES))
    }

    /// Receives a body.
    pub(super) async fn receive(
        &self,
        request: Request<Incoming>,
        source: IpAddr,
    ) -> Result<Received, Unanswered> {
        let received = within(BODY_DEADLINE, self.keep_or_drain(request, source)).await;
        received.unwrap_or(Err(Unanswered::Timeout))
    }

    /// Of a body that is refused the rest is read for a moment and dropped: a client that still sends when the connection
    /// is closed may never see the answer.
    async fn keep_or_drain(
        &self,
        request: Request<Incoming>,
        source: IpAddr,
    ) -> Result<Received, Unanswered> {
        let (head, mut body) = request.into_parts();
        let received = self.keep(&head.headers, &mut body, source).await;
        if received.is_err() && !head.headers.contains_key(header::EXPECT) {
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            within(REST, rest).await;
        }
        received
    }

    /// What a body takes is counted as it comes: a promise of much is not much.
    async fn keep(
        &self,
        headers: &HeaderMap,
        body: &mut Incoming,
        source: IpAddr,
    ) -> Result<Received, Unanswered> {
        let promised = headers.get(header::CONTENT_LENGTH);
        let promised: Option<usize> =
            promised.and_then(|length| length.to_str().ok()?.parse().ok());
        if promised.is_some_and(|length| length > MAX_BODY) {
            return Err(Unanswered::TooLarge);
        }
        let full = |_| Unanswered::Overload;
        let mut lease = self.0.take(source, MIN_BODY).map_err(full)?;
        let mut content = BodyContent::Piece(Bytes::new());
        while !body.is_end_stream()
            && let Some(frame) = body.frame().await
        {
            // The client is gone, or sent no HTTP: there is nobody to answer.
            let frame = frame.map_err(|_| Unanswered::BadRequest)?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            let length = content.as_ref().len() + piece.len();
            if length > MAX_BODY {
                return Err(Unanswered::TooLarge);
            }
            lease.grow_to(length).map_err(full)?;
            content = content.and(piece, promised.unwrap_or_default().min(MAX_AHEAD));
        }
        let body = Body {
            content,
            is_secret: Cell::new(false),
        };
        Ok(Received { body, lease })
    }
}

impl Body {
    /// Says that these bytes are to be wiped.
    pub(super) fn holds_a_secret(&self) {
        self.is_secret.set(true);
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.content.as_ref()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let BodyContent::Pieces(bytes) = &mut self.content
            && self.is_secret.get()
        {
            bytes.zeroize();
        }
    }
}

impl BodyContent {
    /// These bytes and then a piece; there may be as many as `expected`.
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
