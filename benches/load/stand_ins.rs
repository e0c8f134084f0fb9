//! The servers that Pullgate is compared with: its own connection code, and another answer.

use crate::scene::{self, Scene, Size};
use crate::typed;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use pullgate::metrics::ConnectionMetrics;
use pullgate::server::certs::Certificate;
use pullgate::server::{Access, Server};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Serves until the process is ended.
pub(crate) fn serve(name: &str, dir: &Path) {
    let router = match name {
        "constant" => constant(),
        _ => typed(),
    };
    let router = router.layer(DefaultBodyLimit::disable());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime
        .expect("a runtime")
        .block_on(run(dir.to_owned(), router));
}

/// Reads the body and does not look at it. Gives the answer that Pullgate would give to a typical pod.
fn constant() -> Router {
    let answer = Bytes::from(Scene::new(Size::Typical).answer());
    let handler = |body: Bytes| async move {
        assert!(!body.is_empty());
        ([(CONTENT_TYPE, "application/json")], answer)
    };
    Router::new().route("/mutate", post(handler))
}

/// What most webhooks do.
fn typed() -> Router {
    let policy = Arc::new(scene::policy(10));
    let handler = |body: Bytes| async move {
        let answer = typed::answer(&body, &policy);
        ([(CONTENT_TYPE, "application/json")], answer)
    };
    Router::new().route("/mutate", post(handler))
}

async fn run(dir: std::path::PathBuf, router: Router) {
    let file = |name: &str| std::fs::read_to_string(dir.join(name)).expect("a file");
    let certificate = Certificate::new(&file("tls.crt"), &file("tls.key")).expect("a certificate");
    let access = Access {
        tls: Some(certificate.server_config(None)),
        max_connections: 4096,
        metrics: ConnectionMetrics::default(),
    };
    let any = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind(any, access, router).await.expect("a port");
    let address = server.local_addr().expect("an address");
    let _ = writeln!(std::io::stderr(), "serving address={address}");
    server.run(std::future::pending()).await;
}
