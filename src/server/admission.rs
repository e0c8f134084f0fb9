//! `POST /mutate` and `POST /validate`: bytes, review, verdict, bytes.

use super::body::{Bodies, Received};
use super::connection::Endpoints;
use super::quota::Lease;
use crate::admission::endpoint::Endpoint;
use crate::admission::{self, Review};
use crate::objects::kind::Kind;
use crate::objects::names::MAX_SUBDOMAIN;
use crate::objects::subject::Subject;
use crate::runtime::deadline::within;
use crate::runtime::lifecycle::Readiness;
use crate::runtime::live::Live;
use crate::runtime::metrics::{Metrics, Unanswered};
use crate::text::excerpt::beginning;
use crate::verdict::{Injection, Mutation, Outcome, policy_edit};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::Request;
use hyper::body::Incoming;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tracing::{debug, error, info};

/// From this size on, judging takes so long that other requests would wait for the thread: milliseconds.
const LARGE: usize = 256 * 1024;
/// How many large reviews are judged at the same time.
const MAX_LARGE: usize = 4;
/// How long a large review waits for its turn, each of two times. The API server waits 3 s for the webhook of pods.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells what an edit of the policy would do to what runs. The only part of a review that may ask the API server, within
/// the deadline of that webhook.
pub type EditPreview =
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
    preview: Option<EditPreview>,
    metrics: Arc<Metrics>,
    bodies: Bodies,
    large: Semaphore,
}

/// The two endpoints.
#[derive(Clone)]
pub struct Reviews {
    admission: Arc<Admission>,
    readiness: Arc<Readiness>,
}

/// Endpoints of which a panic is one failed call, answered 500 without a review, so that the failurePolicy decides. What
/// it says is not repeated: it could quote an object.
#[derive(Clone)]
pub struct Guarded<E> {
    endpoints: E,
    metrics: Arc<Metrics>,
}

/// An answer, and what it takes of the memory for all until it is dropped.
struct Answered {
    bytes: Vec<u8>,
    #[expect(dead_code, reason = "it matters when it is dropped")]
    lease: Lease,
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
        preview: Option<EditPreview>,
    ) -> Arc<Self> {
        Arc::new(Self {
            live,
            preview,
            metrics,
            bodies: Bodies::new(),
            large: Semaphore::new(MAX_LARGE),
        })
    }

    /// The two endpoints. While the process is about to end, answers ask clients to connect anew.
    #[must_use]
    pub fn endpoints(self: Arc<Self>, readiness: Arc<Readiness>) -> Guarded<Reviews> {
        let metrics = self.metrics.clone();
        let endpoints = Reviews {
            admission: self,
            readiness,
        };
        Guarded::new(endpoints, metrics)
    }

    async fn answer(
        &self,
        endpoint: Endpoint,
        request: Request<Incoming>,
        source: IpAddr,
    ) -> Response {
        let began = Instant::now();
        let _in_flight = self.metrics.reviews.begin();
        match self.review(endpoint, request, source, began).await {
            Ok(answer) => {
                let mut response = Response::new(Body::from(answer));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            Err((reason, text)) => {
                self.metrics.reviews.unanswered(reason);
                refusal(reason, &text)
            }
        }
    }

    async fn review(
        &self,
        endpoint: Endpoint,
        request: Request<Incoming>,
        source: IpAddr,
        began: Instant,
    ) -> Result<Bytes, (Unanswered, String)> {
        let words = |reason: Unanswered| (reason, reason.words().to_owned());
        let received = self.bodies.receive(request, source).await;
        let Received { body, mut lease } = received.map_err(words)?;
        let bytes = body.as_ref();
        let length = bytes.len();
        let review = self
            .aside(length, || admission::parse(bytes))
            .await
            .map_err(words)?
            .map_err(|error| (Unanswered::BadRequest, error.to_string()))?;
        if review.subject.kind == Kind::Secret {
            body.holds_a_secret();
        }
        self.live.wait_for_facts(&review.subject).await;
        let previewed = match (endpoint, review.subject.kind) {
            (Endpoint::Validate, Kind::ConfigMap) => self.preview_edit(&review.subject).await,
            _ => Vec::new(),
        };
        let judge = || {
            self.live.judge(|world| {
                let mut mutation = endpoint.judge(world, &review.subject);
                mutation.notes.warnings.extend(previewed);
                let answer = review.answer(&mutation);
                lease
                    .grow_to(answer.len())
                    .map_err(|_| Unanswered::Overload)?;
                log(&review, &mutation);
                self.metrics
                    .reviews
                    .answered(endpoint.name(), &review, &mutation, began.elapsed());
                Ok(answer)
            })
        };
        let bytes = self.aside(length, judge).await.flatten().map_err(words)?;
        Ok(Bytes::from_owner(Answered { bytes, lease }))
    }

    async fn preview_edit(&self, subject: &Subject<'_>) -> Vec<String> {
        let (Some(preview), Some(text)) = (&self.preview, policy_edit::text(subject)) else {
            return Vec::new();
        };
        let old = subject.old.as_ref();
        let changed = old.and_then(|old| old.metadata.uid.as_deref());
        match preview(&PolicyEdit { text, changed }) {
            Some(told) => told.await,
            None => Vec::new(),
        }
    }

    /// Does what takes long with a large body where it keeps no other request waiting, and not with many at a time.
    async fn aside<T>(&self, length: usize, work: impl FnOnce() -> T) -> Result<T, Unanswered> {
        if length < LARGE {
            return Ok(work());
        }
        match within(PATIENCE, self.large.acquire()).await {
            Some(Ok(_turn)) => Ok(tokio::task::block_in_place(work)),
            Some(Err(_)) | None => Err(Unanswered::Overload),
        }
    }
}

impl AsRef<[u8]> for Answered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<E> Guarded<E> {
    /// Counts panics here.
    pub fn new(endpoints: E, metrics: Arc<Metrics>) -> Self {
        Self { endpoints, metrics }
    }
}

impl<E: Endpoints> Endpoints for Guarded<E> {
    async fn answer(self, request: Request<Incoming>, source: IpAddr) -> Response {
        let answer = self.endpoints.answer(request, source);
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        answer.unwrap_or_else(|_| {
            self.metrics.reviews.unanswered(Unanswered::Panic);
            error!("a panic while a review was looked at: it gets no answer");
            refusal(Unanswered::Panic, Unanswered::Panic.words())
        })
    }
}

impl Endpoints for Reviews {
    async fn answer(self, request: Request<Incoming>, source: IpAddr) -> Response {
        let is_http2 = request.version() == Version::HTTP_2;
        let endpoint = Endpoint::at(request.uri().path());
        let mut response = match (endpoint, request.method()) {
            (Some(endpoint), &Method::POST) => {
                self.admission.answer(endpoint, request, source).await
            }
            (Some(_), _) => {
                (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response()
            }
            (None, _) => StatusCode::NOT_FOUND.into_response(),
        };
        // HTTP/2 has other means for it, which the server uses when it drains.
        if self.readiness.is_stopping() && !is_http2 {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
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
                finding.fault.code().name(),
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
