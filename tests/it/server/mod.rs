//! Tests of the server over real TLS connections.

mod certificates;
mod clients;
mod connections;
mod policy_edits;
mod requests;
mod router;

use crate::tls::Running;

async fn request(running: &Running, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    running.client().post(path, body).await
}
