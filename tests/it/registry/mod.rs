//! Probes of registries, on a scripted registry.

mod clouds;
mod flow;
mod network;
mod products;
mod rows;
mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pullgate::kubelet::image::Image;
use pullgate::registry::{Credential, DEADLINE, Network, ProbeReport, Prober};
use server::{ScriptedRegistry, User};
use std::time::Duration;

/// Probes an image with the credential of this user.
async fn probe(registry: &ScriptedRegistry, image: &str, user: User) -> ProbeReport {
    probe_with(registry, image, user, &[]).await
}

async fn probe_with(
    registry: &ScriptedRegistry,
    image: &str,
    user: User,
    token_hosts: &[&str],
) -> ProbeReport {
    probe_in(registry.network(), DEADLINE, image, user, token_hosts).await
}

/// Probes an image, and holds that the result repeats no part of the credential.
async fn probe_in(
    network: Network,
    deadline: Duration,
    image: &str,
    user: User,
    token_hosts: &[&str],
) -> ProbeReport {
    let prober = Prober::new(network, deadline).expect("a prober");
    let credential = Credential::new(user.username().as_bytes(), user.password().as_bytes());
    let credential = (user != User::Anonymous).then_some(credential);
    let token_hosts: Vec<_> = token_hosts.iter().map(ToString::to_string).collect();
    let parsed = Image::parse(image).expect("an image");
    let report = prober
        .probe(&parsed, credential.as_ref(), &token_hosts)
        .await
        .expect("a registry");
    let json = serde_json::to_string(&report).expect("JSON");
    let shown = format!("{report:?} {json} {credential:?}");
    let pair = format!("{}:{}", user.username(), user.password());
    for secret in [
        user.password().to_owned(),
        server::url_encoded(user.password()),
        STANDARD.encode(user.password()),
        STANDARD.encode(&pair),
        user.token(),
        User::Anonymous.token(),
    ] {
        assert!(!shown.contains(&secret), "{shown} has {secret}");
    }
    assert!(!shown.contains("scope="), "{shown} has a query");
    report
}
