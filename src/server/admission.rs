//! `POST /mutate` and `POST /validate`: bytes, review, verdict, bytes.

use crate::live::Live;
use crate::review::{self, Review};
use crate::subject::Subject;
use crate::verdict::{self, Mutation, Outcome};
use crate::world::World;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::{debug, info};

/// The API server takes objects of 3 MiB, and a review of an update holds two of them.
const MAX_BODY: usize = 7 * 1024 * 1024;

/// What reading a body and answering it may take. The API server has given up long before.
const DEADLINE: Duration = Duration::from_secs(30);

/// The two endpoints.
pub fn router(live: Arc<Live>) -> Router {
    let mutate = |State(live): State<Arc<Live>>, body: Bytes| async move {
        answer(&live, &body, verdict::mutate).await
    };
    let validate = |State(live): State<Arc<Live>>, body: Bytes| async move {
        answer(&live, &body, verdict::validate).await
    };
    bounded(
        Router::new()
            .route("/mutate", post(mutate))
            .route("/validate", post(validate))
            .with_state(live),
    )
}

/// Limits what a request may send and take. A panic is one failed call, answered 500 without a review, so that the
/// failurePolicy decides.
pub fn bounded(router: Router) -> Router {
    router
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            DEADLINE,
        ))
        .layer(CatchPanicLayer::new())
}

async fn answer<V: Into<Mutation>>(
    live: &Live,
    body: &[u8],
    judge: impl FnOnce(&World<'_>, &Subject<'_>) -> V,
) -> Response {
    let review = match review::parse(body) {
        Ok(review) => review,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    live.wait_for_facts(&review.subject).await;
    let mutation = live.judge(|world| judge(world, &review.subject)).into();
    log(&review, &mutation);
    (
        [(header::CONTENT_TYPE, "application/json")],
        review.answer(mutation),
    )
        .into_response()
}

/// Names are written by others: given as values, and not shown by `Display`, they are quoted and cannot forge a line.
fn log(review: &Review<'_>, mutation: &Mutation) {
    let user = &*review.subject.user;
    let subject = || review.subject.to_string();
    let dry_run = review.dry_run;
    match &mutation.outcome {
        Outcome::Admit => debug!(subject = subject(), user, dry_run, "admitted"),
        Outcome::Inject(_) => {
            debug!(subject = subject(), user, dry_run, audit = ?mutation.notes.audit, "injected");
        }
        Outcome::Reject(denial) => {
            info!(
                subject = subject(),
                user,
                dry_run,
                denial = denial.message,
                "denied"
            );
        }
    }
}
