//! `POST /mutate` and `POST /validate`: bytes, review, verdict, bytes.

use super::connection::Source;
use super::quota::{Lease, Quota};
use crate::lifecycle::Readiness;
use crate::live::Live;
use crate::metrics::{Metrics, Unanswered};
use crate::names::{MAX_SUBDOMAIN, beginning};
use crate::review::{self, Review};
use crate::subject::{Kind, Subject};
use crate::verdict::{self, Injection, Mutation, Outcome};
use crate::world::World;
use axum::Router;
use axum::body::{BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use futures::future::BoxFuture;
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{debug, error, info};
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
/// From this size on, judging takes so long that other requests would wait for the thread: milliseconds.
const LARGE: usize = 256 * 1024;
/// How many large reviews are judged at the same time.
const MAX_LARGE: usize = 4;
/// How long a large review waits for its turn, each of two times. The API server waits 3 s for the webhook of pods.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells what an edit of the policy would do to what runs. The only part of a review that may ask the API server, within
/// the deadline of that webhook.
pub type Preview =
    Box<dyn Fn(&PolicyEdit<'_>) -> Option<BoxFuture<'static, Vec<String>>> + Send + Sync>;

/// An edit of the policy that is about to be admitted.
#[derive(Debug)]
pub struct PolicyEdit<'e> {
    /// The policy as it will be.
    pub text: &'e str,
    /// The uid of the object that is changed; of a new one there is none.
    pub changed: Option<&'e str>,
}

/// What answers reviews.
pub struct Admission {
    live: Arc<Live>,
    preview: Option<Preview>,
    metrics: Arc<Metrics>,
    bodies: Arc<Quota>,
    large: Semaphore,
}

#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Mutate,
    Validate,
}

/// A body or an answer, and what it takes of the memory for all until it is dropped.
struct Received {
    bytes: Vec<u8>,
    lease: Lease,
}

/// The bytes of a body. Those of a review about a Secret are wiped when they are dropped.
struct ReviewBytes {
    bytes: Vec<u8>,
    is_secret: Cell<bool>,
}

impl From<Vec<u8>> for ReviewBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            is_secret: Cell::new(false),
        }
    }
}

impl Drop for ReviewBytes {
    fn drop(&mut self) {
        if self.is_secret.get() {
            self.bytes.zeroize();
        }
    }
}

impl Admission {
    /// Judges by this state, and counts here.
    #[must_use]
    pub fn new(live: Arc<Live>, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::with_preview(live, metrics, None)
    }

    /// The same; who edits the policy is told what the edit would do.
    #[must_use]
    pub fn with_preview(
        live: Arc<Live>,
        metrics: Arc<Metrics>,
        preview: Option<Preview>,
    ) -> Arc<Self> {
        Arc::new(Self {
            live,
            preview,
            metrics,
            bodies: Quota::new(MAX_BODIES),
            large: Semaphore::new(MAX_LARGE),
        })
    }

    /// The two endpoints. While the process is about to end, answers ask clients to connect anew.
    pub fn router(self: Arc<Self>, readiness: Arc<Readiness>) -> Router {
        let mutate = |State(admission): State<Arc<Self>>, request: Request| async move {
            admission.answer(Endpoint::Mutate, request).await
        };
        let validate = |State(admission): State<Arc<Self>>, request: Request| async move {
            admission.answer(Endpoint::Validate, request).await
        };
        let metrics = self.metrics.clone();
        let router = Router::new()
            .route("/mutate", post(mutate))
            .route("/validate", post(validate))
            .with_state(self);
        guarded(router, metrics).layer(from_fn_with_state(readiness, close_when_stopping))
    }

    async fn answer(&self, endpoint: Endpoint, request: Request) -> Response {
        let began = Instant::now();
        let _in_flight = self.metrics.begin();
        match self.review(endpoint, request, began).await {
            Ok(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
            Err((reason, text)) => {
                self.metrics.unanswered(reason);
                refusal(reason, &text)
            }
        }
    }

    async fn review(
        &self,
        endpoint: Endpoint,
        request: Request,
        began: Instant,
    ) -> Result<Bytes, (Unanswered, String)> {
        let words = |reason: Unanswered| (reason, reason.words().to_owned());
        let mut body = tokio::time::timeout(BODY_DEADLINE, self.receive(request))
            .await
            .unwrap_or_else(|_| Err(Unanswered::Timeout))
            .map_err(words)?;
        let content = ReviewBytes::from(std::mem::take(&mut body.bytes));
        let length = content.bytes.len();
        let review = self
            .aside(length, || review::parse(&content.bytes))
            .await
            .map_err(words)?
            .map_err(|error| (Unanswered::BadRequest, error.to_string()))?;
        content.is_secret.set(review.subject.kind == Kind::Secret);
        self.live.wait_for_facts(&review.subject).await;
        let foreseen = match endpoint {
            Endpoint::Mutate => Vec::new(),
            Endpoint::Validate => self.foresee(&review.subject).await,
        };
        let lease = &mut body.lease;
        let judge = || {
            self.live.judge(|world| {
                let mut mutation = endpoint.judge(world, &review.subject);
                mutation.notes.warnings.extend(foreseen);
                let answer = review.answer(&mutation);
                lease
                    .grow_to(answer.len())
                    .map_err(|_| Unanswered::Overload)?;
                log(&review, &mutation);
                self.metrics
                    .answered(endpoint.name(), &review, &mutation, began.elapsed());
                Ok(answer)
            })
        };
        let answer = self.aside(length, judge).await.flatten().map_err(words)?;
        Ok(Bytes::from_owner(Received {
            bytes: answer,
            lease: body.lease,
        }))
    }

    async fn foresee(&self, subject: &Subject<'_>) -> Vec<String> {
        let (Some(preview), Some(text)) = (&self.preview, verdict::policy_edit(subject)) else {
            return Vec::new();
        };
        let old = subject.old.as_ref();
        let changed = old.and_then(|old| old.metadata.uid.as_deref());
        match preview(&PolicyEdit { text, changed }) {
            Some(told) => told.await,
            None => Vec::new(),
        }
    }

    /// Receives a body. Of one that is refused the rest is read for a moment and dropped: a client that still sends when
    /// the connection is closed may never see the answer.
    async fn receive(&self, request: Request) -> Result<Received, Unanswered> {
        let (head, body) = request.into_parts();
        let waits = head.headers.contains_key(header::EXPECT);
        let mut chunks = body.into_data_stream();
        let received = self.keep(&head, &mut chunks).await;
        if received.is_err() && !waits {
            let rest = async { while let Some(Ok(_)) = chunks.next().await {} };
            let _ = tokio::time::timeout(REST, rest).await;
        }
        received
    }

    /// What a body takes is counted as it comes: a promise of much is not much.
    async fn keep(
        &self,
        head: &Parts,
        chunks: &mut BodyDataStream,
    ) -> Result<Received, Unanswered> {
        let promised = head.headers.get(header::CONTENT_LENGTH);
        let promised: Option<usize> =
            promised.and_then(|length| length.to_str().ok()?.parse().ok());
        if promised.is_some_and(|length| length > MAX_BODY) {
            return Err(Unanswered::TooLarge);
        }
        let source = head.extensions.get::<Source>();
        let source = source.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |source| source.0);
        let full = |_| Unanswered::Overload;
        let mut lease = self.bodies.take(source, MIN_BODY).map_err(full)?;
        let mut bytes = Vec::with_capacity(promised.unwrap_or_default().min(MAX_AHEAD));
        while let Some(chunk) = chunks.next().await {
            // The client is gone, or sent no HTTP: there is nobody to answer.
            let chunk = chunk.map_err(|_| Unanswered::BadRequest)?;
            let length = bytes.len() + chunk.len();
            if length > MAX_BODY {
                return Err(Unanswered::TooLarge);
            }
            lease.grow_to(length).map_err(full)?;
            bytes.extend_from_slice(&chunk);
        }
        Ok(Received { bytes, lease })
    }

    /// Does what takes long with a large body where it keeps no other request waiting, and not with many at a time.
    async fn aside<T>(&self, length: usize, work: impl FnOnce() -> T) -> Result<T, Unanswered> {
        if length < LARGE {
            return Ok(work());
        }
        match tokio::time::timeout(PATIENCE, self.large.acquire()).await {
            Ok(Ok(_turn)) => Ok(tokio::task::block_in_place(work)),
            Ok(Err(_)) | Err(_) => Err(Unanswered::Overload),
        }
    }
}

impl AsRef<[u8]> for Received {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A panic is one failed call, answered 500 without a review, so that the failurePolicy decides. What it says is not
/// repeated: it could quote an object.
pub fn guarded(router: Router, metrics: Arc<Metrics>) -> Router {
    router.layer(CatchPanicLayer::custom(move |_| {
        metrics.unanswered(Unanswered::Panic);
        error!("a panic while a review was looked at: it gets no answer");
        refusal(Unanswered::Panic, Unanswered::Panic.words())
    }))
}

/// An answer that is no review: one line, and what the client should do.
fn refusal(reason: Unanswered, text: &str) -> Response {
    let status = match reason {
        Unanswered::BadRequest => StatusCode::BAD_REQUEST,
        Unanswered::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Unanswered::Timeout => StatusCode::REQUEST_TIMEOUT,
        Unanswered::Overload => StatusCode::SERVICE_UNAVAILABLE,
        Unanswered::Panic => StatusCode::INTERNAL_SERVER_ERROR,
    };
    debug!(%status, text, "a request got no review for an answer");
    let mut response = (status, format!("{text}\n")).into_response();
    if reason == Unanswered::Overload {
        let again = HeaderValue::from_static("1");
        response.headers_mut().insert(header::RETRY_AFTER, again);
    }
    response
}

impl Unanswered {
    fn words(self) -> &'static str {
        match self {
            Self::BadRequest => "the request ended too early",
            Self::TooLarge => "the body is larger than 7 MiB, which no AdmissionReview is",
            Self::Timeout => "the body did not come within 10 s",
            Self::Overload => "too much to do: try again in a second",
            Self::Panic => "the review could not be judged; the log says where that failed",
        }
    }
}

impl Endpoint {
    fn name(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
        }
    }

    fn judge<'a>(self, world: &World<'a>, subject: &'a Subject<'_>) -> Mutation<'a> {
        match self {
            Self::Mutate => verdict::mutate(world, subject),
            Self::Validate => verdict::validate(world, subject).into(),
        }
    }
}

/// HTTP/2 has other means for it, which the server uses when it drains.
async fn close_when_stopping(
    State(readiness): State<Arc<Readiness>>,
    request: Request,
    next: Next,
) -> Response {
    let is_http2 = request.version() == Version::HTTP_2;
    let mut response = next.run(request).await;
    if readiness.is_stopping() && !is_http2 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Names are written by others: given as values, and not shown by `Display`, they are quoted and cannot forge a line.
fn log(review: &Review<'_>, mutation: &Mutation<'_>) {
    let user = beginning(&review.subject.user, MAX_SUBDOMAIN);
    let subject = || review.subject.to_string();
    let dry_run = review.dry_run;
    match &mutation.outcome {
        Outcome::Admit => debug!(
            subject = subject(),
            user,
            dry_run,
            findings = ?found(mutation),
            "admitted"
        ),
        Outcome::Inject(_) => debug!(
            subject = subject(),
            user,
            dry_run,
            findings = ?found(mutation),
            rules = ?injected(&mutation.injections),
            "injected"
        ),
        Outcome::Reject(denial) => info!(
            subject = subject(),
            user,
            dry_run,
            findings = ?found(mutation),
            denial = denial.message,
            "denied"
        ),
    }
}

/// The kinds of what was found, and the bans.
fn found<'a>(mutation: &'a Mutation<'_>) -> Vec<(&'static str, Option<&'a str>)> {
    let mut found: Vec<_> = mutation
        .findings
        .iter()
        .map(|finding| {
            (
                finding.fault.code(),
                finding.fault.ban().map(|ban| &*ban.name),
            )
        })
        .collect();
    // An object of 3 MiB may have tens of thousands.
    found.dedup();
    found.truncate(16);
    found
}

fn injected<'a>(injections: &'a [Injection<'_>]) -> Vec<&'a str> {
    injections
        .iter()
        .map(|injection| &*injection.rule.name)
        .collect()
}
