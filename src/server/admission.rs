//! The handlers of `POST /mutate` and `POST /validate`: from bytes to a review, a verdict and bytes.

use super::body::{Bodies, ReceivedBody};
use super::connections::Peer;
use super::memory::{LARGE, MemoryLease};
use super::policy_turns::{Edit, PolicyTurn, PolicyTurns};
use super::refusal::Refusal;
use super::review_log::ReviewLog;
use crate::admission;
use crate::admission::endpoint::Endpoint;
use crate::objects::kind::Kind;
use crate::objects::subject::Subject;
use crate::runtime::deadline::{StopFlag, within};
use crate::runtime::lifecycle::Readiness;
use crate::runtime::live::Live;
use crate::runtime::metrics::{Metrics, Unanswered};
use crate::verdict::{Mutation, policy_edit};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::error;

/// The most long reviews that are judged at the same time, apart from the threads that answer the others.
const MAX_ASIDE: usize = 4;
/// The longest wait of such a review for its turn, both to be parsed and to be judged. The API server waits 3 s for the
/// webhook of pods.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest judgement of an edit of the policy, once its turn has come. The API server waits 10 s for this webhook.
const EDIT_DEADLINE: Duration = Duration::from_secs(5);

/// Predicts the effect of an edit of the policy (its text) on running workloads. No other part of a review asks the API
/// server. It must keep the deadline of that webhook.
pub type EditPreview = Box<dyn Fn(&str) -> BoxFuture<'static, Vec<String>> + Send + Sync>;

/// The rules for edits of the policy. The default accepts a ConfigMap of that name in any namespace as the policy, and
/// predicts nothing.
#[derive(Default)]
pub struct PolicyEdits {
    /// The namespace of the ConfigMap with the policy. A ConfigMap of that name elsewhere is not a policy.
    pub namespace: Option<String>,
    /// Predicts the effect of an edit.
    pub preview: Option<EditPreview>,
}

/// Judges reviews. It is the state of the two handlers.
pub struct Admission {
    live: Arc<Live>,
    edits: PolicyEdits,
    turns: Arc<PolicyTurns>,
    log: ReviewLog,
    aside: Semaphore,
    metrics: Arc<Metrics>,
    bodies: Bodies,
}

/// An answer, with the memory that it holds until it is dropped.
struct Answer {
    bytes: Vec<u8>,
    #[expect(dead_code, reason = "it matters when it is dropped")]
    lease: MemoryLease,
}

impl Admission {
    /// Creates the webhook for this state and these metrics.
    #[must_use]
    pub fn new(live: Arc<Live>, metrics: Arc<Metrics>, edits: PolicyEdits) -> Self {
        Self {
            live,
            edits,
            turns: Arc::default(),
            log: ReviewLog::default(),
            aside: Semaphore::new(MAX_ASIDE),
            bodies: Bodies::new(metrics.clone()),
            metrics,
        }
    }

    /// Returns the router of the webhook. While the process is ending, its answers ask clients to reconnect.
    pub fn router(self, readiness: Arc<Readiness>) -> Router {
        let metrics = self.metrics.clone();
        let close = move |_: &Response| {
            let close = HeaderValue::from_static("close");
            readiness.is_stopping().then_some(close)
        };
        Router::new()
            .route("/mutate", post(mutate))
            .route("/validate", post(validate))
            .layer(CatchPanicLayer::custom(move |_| panicked(&metrics)))
            .layer(SetResponseHeaderLayer::overriding(
                header::CONNECTION,
                close,
            ))
            .with_state(Arc::new(self))
    }

    async fn answer(&self, endpoint: Endpoint, received: ReceivedBody) -> Result<Answer, Refusal> {
        let ReceivedBody {
            bytes,
            mut lease,
            peer,
            began,
            in_flight: _in_flight,
        } = received;
        let body = bytes.as_ref();
        let is_large = body.len() > LARGE;
        let refuse = |reason| Refusal::new(reason, &self.metrics);
        let parsed = self.aside(is_large, || admission::parse(body)).await;
        let review = parsed
            .map_err(refuse)?
            .map_err(|error| Refusal::unreadable(&error, &self.metrics))?;
        if review.subject.kind == Kind::Secret {
            bytes.holds_a_secret();
        }
        let subject = &review.subject;
        self.live.wait_for_facts(subject).await;
        let lacking = self.aside(is_large, || self.live.lacking_secrets(subject));
        let lacking = lacking.await.map_err(refuse)?;
        self.live.wait_for_secrets(subject, lacking).await;
        let edit = self.edit(endpoint, &review.subject, &peer).await;
        let edit = edit.map_err(refuse)?;
        let is_edit = matches!(edit, PolicyReview::Edit { .. });
        let judge = || {
            self.live.judge(|world| {
                let mutation = match edit {
                    PolicyReview::No => endpoint.judge(world, &review.subject),
                    PolicyReview::Foreign => Mutation::admit(),
                    PolicyReview::Edit {
                        preview,
                        stop,
                        turn: _turn,
                    } => {
                        let judged = policy_edit::judge(world, &review.subject, Some(stop.flag()));
                        let mut mutation = Mutation::from(judged);
                        mutation.notes.warnings.extend(preview);
                        mutation
                    }
                };
                let answer = review.answer(&mutation).map_err(|_| Unanswered::Panic)?;
                lease
                    .try_grow_to(answer.len())
                    .map_err(|_| Unanswered::Overload)?;
                self.log.verdict(&review, &mutation, &peer);
                let took = began.elapsed();
                let reviews = &self.metrics.reviews;
                reviews.answered(endpoint.name(), &review, &mutation, took);
                Ok(answer)
            })
        };
        let judged = self.aside(is_large || is_edit, judge).await;
        let bytes = judged.flatten().map_err(refuse)?;
        Ok(Answer { bytes, lease })
    }

    /// Decides whether a review changes the policy, and if so waits for its turn.
    async fn edit(
        &self,
        endpoint: Endpoint,
        subject: &Subject<'_>,
        peer: &Peer,
    ) -> Result<PolicyReview, Unanswered> {
        if endpoint != Endpoint::Validate || subject.kind != Kind::ConfigMap {
            return Ok(PolicyReview::No);
        }
        let namespace = self.edits.namespace.as_deref();
        if namespace.is_some_and(|namespace| namespace != subject.namespace) {
            return Ok(PolicyReview::Foreign);
        }
        let Some(text) = policy_edit::text(subject) else {
            return Ok(PolicyReview::No);
        };
        // A client that knows the uid of the object may read it, so the preview discloses nothing that the client may
        // not know. For an object that is being created, no client knows a uid.
        let old = subject
            .old
            .as_ref()
            .and_then(|old| old.metadata.uid.as_deref());
        let known = self.live.policy_object();
        let is_known = known.is_some_and(|known| old == Some(known.as_str()));
        let preview = match &self.edits.preview {
            Some(preview) if is_known => preview(text).await,
            Some(_) | None => Vec::new(),
        };
        let edit = Edit {
            source: peer.source,
            is_known,
        };
        let turn = self.turns.take(edit).await.ok_or(Unanswered::Overload)?;
        let stop = StopFlag::after(EDIT_DEADLINE);
        Ok(PolicyReview::Edit {
            preview,
            turn,
            stop,
        })
    }

    /// Runs long work where it blocks no other request, and only a few pieces at a time.
    async fn aside<T>(&self, is_long: bool, work: impl FnOnce() -> T) -> Result<T, Unanswered> {
        if !is_long {
            return Ok(work());
        }
        match within(PATIENCE, self.aside.acquire()).await {
            Some(Ok(_turn)) => Ok(tokio::task::block_in_place(work)),
            Some(Err(_)) | None => Err(Unanswered::Overload),
        }
    }
}

/// The relation of a review to the policy.
enum PolicyReview {
    /// The review does not concern the policy, or leaves it unchanged.
    No,
    /// The review changes a ConfigMap of that name, but in a namespace that holds no policy.
    Foreign,
    /// The review changes the policy.
    Edit {
        /// The predicted effect.
        preview: Vec<String>,
        turn: PolicyTurn,
        /// Stops the judgement at its deadline.
        stop: StopFlag,
    },
}

async fn mutate(
    State(admission): State<Arc<Admission>>,
    received: ReceivedBody,
) -> Result<Answer, Refusal> {
    admission.answer(Endpoint::Mutate, received).await
}

async fn validate(
    State(admission): State<Arc<Admission>>,
    received: ReceivedBody,
) -> Result<Answer, Refusal> {
    admission.answer(Endpoint::Validate, received).await
}

/// Answers a request after its handler panicked: the failurePolicy decides. The message of the panic is not repeated,
/// because it could quote an object.
fn panicked(metrics: &Metrics) -> Response {
    error!("a panic in a judgement: the review gets no answer");
    Refusal::new(Unanswered::Panic, metrics).into_response()
}

impl FromRef<Arc<Admission>> for Bodies {
    fn from_ref(admission: &Arc<Admission>) -> Self {
        admission.bodies.clone()
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(Bytes::from_owner(self)));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}
