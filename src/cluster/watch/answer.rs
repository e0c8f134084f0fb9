//! Reads the answer to a list or a watch, object by object.

use super::split::{Json, NotJson, Splitter};
use crate::objects::read::Text;
use crate::text::excerpt::{clean, shorten};
use crate::text::scan;
use http_body_util::BodyExt;
use hyper::body::Bytes;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::timeout;

/// The longest wait for the head of an answer, and for the next part of a list. After this time the API server itself
/// gives up a request (`--request-timeout`).
const PATIENCE: Duration = Duration::from_mins(1);
/// The longest silence of a watch: a little more than the 290 s after which the API server ends it.
pub(super) const SILENCE: Duration = Duration::from_secs(310);
/// The most bytes of a refusal that are read.
const MAX_REFUSAL: usize = 64 * 1024;
/// The most characters of its message that are shown.
const MAX_MESSAGE: usize = 500;

/// The reasons why a list or a watch fails. None of them quotes an object.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    /// The API server answers with another HTTP status than 200, or an event says so.
    #[error("the API server says {code}: {message}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// The message of the API server, shortened.
        message: String,
    },
    /// The head or the next part of an answer is missing.
    #[error("the API server does not answer")]
    Silent,
    /// The connection cannot be opened, or breaks.
    #[error("the API server cannot be reached")]
    Unreachable(#[source] Box<kube::Error>),
    /// The answer ends early.
    #[error("the answer of the API server ends too early")]
    CutOff,
    /// The bytes are not those of a list or of a watch.
    #[error("the answer is neither a list nor a watch of objects")]
    Unexpected,
}

impl WatchError {
    /// Returns whether the API server no longer has the requested resourceVersion (410), or does not have it yet (504).
    /// A list must then ask for the newest.
    pub(super) fn is_about_version(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: 410 | 504,
                ..
            }
        )
    }

    /// Returns whether the watch cannot be resumed, because the API server has forgotten the changes since then (410).
    pub(super) fn is_expired(&self) -> bool {
        matches!(self, Self::Refused { code: 410, .. })
    }

    /// Returns the error that a `Status` object describes.
    pub(super) fn of_status(json: &[u8], code: u16) -> Self {
        let status: Status<'_> = scan::from_slice(json).unwrap_or_default();
        let text = status.message.or(status.reason).unwrap_or_default().0;
        Self::Refused {
            code: status.code.unwrap_or(code),
            message: shorten(&clean(&text), MAX_MESSAGE),
        }
    }
}

/// The reason in a refusal of the API server.
#[derive(Deserialize, Default)]
struct Status<'a> {
    code: Option<u16>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

/// An answer that is read object by object.
pub(super) struct Answer {
    body: Body,
    chunk: Bytes,
    /// The number of bytes of the chunk that were read.
    read: usize,
    splitter: Splitter,
    patience: Duration,
}

impl Answer {
    /// Asks for a list.
    pub(super) async fn list(
        client: &Client,
        request: hyper::Request<Vec<u8>>,
    ) -> Result<Self, WatchError> {
        Self::open(client, request, Splitter::list(), PATIENCE).await
    }

    /// Opens a watch.
    pub(super) async fn watch(
        client: &Client,
        request: hyper::Request<Vec<u8>>,
    ) -> Result<Self, WatchError> {
        Self::open(client, request, Splitter::watch(), SILENCE).await
    }

    async fn open(
        client: &Client,
        request: hyper::Request<Vec<u8>>,
        splitter: Splitter,
        patience: Duration,
    ) -> Result<Self, WatchError> {
        let sent = timeout(PATIENCE, client.send(request.map(Body::from))).await;
        let response = sent.map_err(|_| WatchError::Silent)??;
        let status = response.status();
        let mut answer = Self {
            body: response.into_body(),
            chunk: Bytes::new(),
            read: 0,
            splitter,
            patience: PATIENCE,
        };
        if status.is_success() {
            answer.patience = patience;
            return Ok(answer);
        }
        let refusal = answer.refusal().await;
        Err(WatchError::of_status(&refusal, status.as_u16()))
    }

    /// Returns the next object, or `None` at the end of the answer.
    pub(super) async fn next(&mut self) -> Result<Option<Json>, WatchError> {
        loop {
            let rest = &self.chunk[self.read..];
            let (length, object) = self.splitter.read(rest)?;
            self.read += length;
            if object.is_some() {
                return Ok(object);
            }
            let Some(chunk) = self.chunk().await? else {
                let is_complete = self.splitter.is_complete();
                return is_complete.then_some(None).ok_or(WatchError::CutOff);
            };
            self.chunk = chunk;
            self.read = 0;
        }
    }

    /// Returns the resourceVersion of a list that was read to its end.
    pub(super) fn version(&self) -> Result<String, WatchError> {
        #[derive(Deserialize)]
        struct List<'a> {
            #[serde(borrow)]
            metadata: ListMetadata<'a>,
        }
        #[derive(Deserialize)]
        struct ListMetadata<'a> {
            #[serde(borrow, rename = "resourceVersion")]
            version: Text<'a>,
            // A list without a limit has no second page.
            #[serde(borrow, rename = "continue")]
            token: Option<Text<'a>>,
        }
        let list: List<'_> =
            serde_json::from_slice(self.splitter.envelope()).map_err(|_| WatchError::Unexpected)?;
        let has_more = list.metadata.token.is_some_and(|token| !token.0.is_empty());
        let version = list.metadata.version.0;
        if has_more || version.is_empty() {
            return Err(WatchError::Unexpected);
        }
        Ok(version.into_owned())
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, WatchError> {
        loop {
            let frame = timeout(self.patience, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| WatchError::Silent)? else {
                return Ok(None);
            };
            if let Ok(chunk) = frame?.into_data() {
                return Ok(Some(chunk));
            }
        }
    }

    /// Returns the beginning of the body of a refusal.
    async fn refusal(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = self.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_REFUSAL {
                break;
            }
        }
        body
    }
}

impl From<NotJson> for WatchError {
    fn from(NotJson: NotJson) -> Self {
        Self::Unexpected
    }
}

impl From<kube::Error> for WatchError {
    fn from(error: kube::Error) -> Self {
        Self::Unreachable(Box::new(error))
    }
}
