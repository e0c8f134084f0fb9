//! The servers that Pullgate is compared with: Pullgate's connection code and another answer.

use crate::scene::{self, Scene, Size};
use crate::{stand_in, typed};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use std::path::Path;
use std::sync::Arc;

/// Serves until the process is killed.
pub(crate) fn serve(name: &str, dir: &Path) {
    let router = match name {
        "constant" => constant(),
        _ => typed(),
    };
    stand_in::serve(dir, router);
}

/// Reads the body without parsing it. Returns the answer that Pullgate would give to a typical pod.
fn constant() -> Router {
    let answer = Bytes::from(Scene::new(Size::Typical).answer());
    let handler = |body: Bytes| async move {
        assert!(!body.is_empty());
        ([(CONTENT_TYPE, "application/json")], answer)
    };
    Router::new().route("/mutate", post(handler))
}

/// Serves the approach of most webhooks.
fn typed() -> Router {
    let policy = Arc::new(scene::policy(10));
    let handler = |body: Bytes| async move {
        let answer = typed::answer(&body, &policy);
        ([(CONTENT_TYPE, "application/json")], answer)
    };
    Router::new().route("/mutate", post(handler))
}
