//! The admin port (plain HTTP): `/livez`, `/readyz`, `/metrics`.

use crate::runtime::lifecycle::Readiness;
use crate::runtime::metrics::{self, Metrics};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// The most connections of the admin port: the kubelet, Prometheus, and a person with a browser need few.
pub const MAX_CONNECTIONS: usize = 256;

/// Returns the router of the three endpoints.
pub fn router(readiness: Arc<Readiness>, metrics: Arc<Metrics>) -> Router {
    let state = readiness.clone();
    let ready = move || async move {
        let (is_ready, text) = readiness.report();
        let status = if is_ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, text)
    };
    let numbers = move || async move {
        let content_type = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
        (content_type, metrics.text(state.report().0))
    };
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        // The message of a panic is not repeated, because it could quote an object.
        .layer(CatchPanicLayer::custom(|_| {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }))
}
