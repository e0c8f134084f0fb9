//! A server with Pullgate's connection code and a different router.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use pullgate::runtime::metrics::ConnectionMetrics;
use pullgate::server::{Server, ServerAccess};
use pullgate::tls::certificate::Certificate;
use std::io::Write;
use std::path::Path;

/// Serves until the process is killed. The folder holds `tls.crt` and `tls.key`.
pub(crate) fn serve(dir: &Path, router: Router) {
    let router = router.layer(DefaultBodyLimit::disable());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(run(dir, router));
}

async fn run(dir: &Path, router: Router) {
    let file = |name: &str| std::fs::read_to_string(dir.join(name)).expect("a file");
    let certificate = Certificate::new(&file("tls.crt"), &file("tls.key")).expect("a certificate");
    let access = ServerAccess {
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
