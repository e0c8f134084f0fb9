//! Causes that lie with the node, its network or the image.

use super::super::cause::Evidence;
use super::super::texts::{self, PullText};
use super::advice::{Advice, LONGEST_BACK_OFF, shown};
use crate::text::excerpt::clean;

pub(super) fn pulling(evidence: &Evidence<'_>) -> String {
    let image = shown(evidence);
    let node = node(evidence);
    format!("node {node} is pulling {image}; no attempt has failed so far")
}

pub(super) fn never_absent(evidence: &Evidence<'_>) -> String {
    let image = shown(evidence);
    let node = node(evidence);
    format!(
        "the pull policy is Never, and node {node} has no copy of {image}: change imagePullPolicy, or load the image onto the node"
    )
}

pub(super) fn never_no_access(evidence: &Evidence<'_>) -> String {
    let image = shown(evidence);
    let node = node(evidence);
    format!(
        "the pull policy is Never; {image} is on node {node}, but no credential of this pod ever pulled it: give the pod a pull secret \
         and the policy IfNotPresent"
    )
}

pub(super) fn network(evidence: &Evidence<'_>, host: &str) -> String {
    let asked = asked(evidence, host);
    if texts::meaning("", &evidence.image.message) == Some(PullText::RegistryFails) {
        return format!(
            "{asked} answers with an error of its own: this is not about credentials; the pull works again when {asked} does"
        );
    }
    let mirror = if asked == host {
        String::new()
    } else {
        format!(", a mirror of {host},")
    };
    let node = node(evidence);
    format!(
        "node {node} cannot reach {asked}{mirror}: this is not about credentials; check DNS, firewall and proxy of the node"
    )
}

pub(super) fn tls(evidence: &Evidence<'_>, host: &str) -> String {
    let node = node(evidence);
    let asked = asked(evidence, host);
    format!(
        "node {node} does not accept the TLS certificate of {asked}, or that host speaks plain HTTP: this is not about credentials"
    )
}

pub(super) fn rate_limited(evidence: &Evidence<'_>, host: &str) -> Advice {
    if texts::meaning("", &evidence.image.message) == Some(PullText::Throttled) {
        return Advice {
            message:
                "the kubelet starts no more pulls at once on this node; it tries again by itself"
                    .to_owned(),
            heals: Some(LONGEST_BACK_OFF),
            ..Advice::default()
        };
    }
    let by = match evidence.simulation.tried.first() {
        Some(tried) => format!("the account {}", clean(&tried.username)),
        None if evidence.simulation.is_complete => "anonymous pulls".to_owned(),
        None => "pulls of this node".to_owned(),
    };
    Advice {
        message: format!(
            "{host} limits the rate of {by}; it works again when the limit resets, which may take hours"
        ),
        ..Advice::default()
    }
}

pub(super) fn no_platform(evidence: &Evidence<'_>) -> String {
    let image = shown(evidence);
    let node = node(evidence);
    format!(
        "{image} has no variant for the platform of node {node}: build one, or set a nodeSelector"
    )
}

pub(super) fn disk(evidence: &Evidence<'_>) -> String {
    let node = node(evidence);
    format!("the disk of node {node} is full, or fails: this is not about credentials")
}

pub(super) fn no_progress(evidence: &Evidence<'_>, host: &str) -> String {
    let image = shown(evidence);
    let node = node(evidence);
    let asked = asked(evidence, host);
    format!(
        "the pull of {image} was ended because no data came for minutes: check the network between node {node} and {asked}"
    )
}

pub(super) fn runtime(evidence: &Evidence<'_>) -> String {
    let node = node(evidence);
    format!("the container runtime of node {node} fails: this is not about credentials")
}

pub(super) fn mount_failed(evidence: &Evidence<'_>) -> String {
    let image = shown(evidence);
    let node = node(evidence);
    format!("{image} was pulled, but cannot be mounted as a volume on node {node}")
}

pub(super) fn policy(evidence: &Evidence<'_>) -> String {
    let image = shown(evidence);
    let node = node(evidence);
    format!("a policy of node {node} refuses {image}: this is not about credentials")
}

pub(super) fn node_side(evidence: &Evidence<'_>) -> String {
    let node = node(evidence);
    format!(
        "a Secret has a credential for this image, and node {node} does not use it: look at mirrors, short names, proxy and clock of the node"
    )
}

/// Returns the host in the text of the node, or else the host of the image.
fn asked<'e>(evidence: &'e Evidence<'_>, host: &'e str) -> &'e str {
    let asked = texts::asked_host(&evidence.image.message);
    asked
        .filter(|asked| !asked.contains('@') && !is_docker_hub(asked, host))
        .unwrap_or(host)
}

/// Returns whether the two hosts are Docker Hub, which answers under a different name than its images have.
fn is_docker_hub(asked: &str, host: &str) -> bool {
    host == "docker.io" && asked == "registry-1.docker.io"
}

fn node<'e>(evidence: &'e Evidence<'_>) -> &'e str {
    evidence.pod.node.as_deref().unwrap_or("of the pod")
}
