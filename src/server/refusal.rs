//! Answers without a review, so that the failurePolicy of the webhook decides.

use crate::admission::ReviewError;
use crate::runtime::metrics::{Metrics, Unanswered};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tracing::debug;

/// An answer without a review.
pub(super) struct Refusal {
    reason: Unanswered,
    text: String,
}

impl Refusal {
    /// Counts a request, and gives its reason as the text.
    pub(super) fn new(reason: Unanswered, metrics: &Metrics) -> Self {
        let text = reason.words().to_owned();
        metrics.reviews.unanswered(reason);
        Self { reason, text }
    }

    /// Counts a request with a body that is not a review, and gives the error as the text.
    pub(super) fn unreadable(error: &ReviewError, metrics: &Metrics) -> Self {
        let refusal = Self::new(Unanswered::BadRequest, metrics);
        let text = error.to_string();
        Self { text, ..refusal }
    }
}

impl IntoResponse for Refusal {
    /// Writes one line with the reason and the advice.
    fn into_response(self) -> Response {
        let Self { reason, text } = self;
        let status = match reason {
            Unanswered::BadRequest => StatusCode::BAD_REQUEST,
            Unanswered::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Unanswered::Timeout => StatusCode::REQUEST_TIMEOUT,
            Unanswered::Overload => StatusCode::SERVICE_UNAVAILABLE,
            Unanswered::Panic => StatusCode::INTERNAL_SERVER_ERROR,
        };
        debug!(%status, text, "a request got no review as its answer");
        let mut response = (status, format!("{text}\n")).into_response();
        if reason == Unanswered::Overload {
            let again = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, again);
        }
        response
    }
}

impl Unanswered {
    fn words(self) -> &'static str {
        match self {
            Self::BadRequest => "the request ended too early",
            Self::TooLarge => "the body is larger than 7 MiB, the limit for an AdmissionReview",
            Self::Timeout => {
                "the body arrived too slowly: in more than 2 s, and at less than 1 MiB/s"
            }
            Self::Overload => "the webhook is overloaded: try again in a second",
            Self::Panic => "the review cannot be judged; the log names the place of the failure",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The API server does not repeat the call, but other clients may.
    #[test]
    fn an_overload_asks_for_a_retry() {
        let refusal = Refusal::new(Unanswered::Overload, &Metrics::default());
        let response = refusal.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
