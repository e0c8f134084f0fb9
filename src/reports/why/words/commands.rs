//! Commands to paste. A name that a tenant wrote never reaches a shell: `imagePullSecrets` are not validated by the API
//! server.

use super::super::evidence::{PodView, TriedCredential};
use crate::objects::names::is_subdomain;

/// Returns the command that creates a pull secret, or nothing if no Secret can have that name.
pub(super) fn create(pod: &PodView, name: &str, host: &str) -> Option<String> {
    let server = match host {
        "docker.io" => "https://index.docker.io/v1/",
        host => host,
    };
    let namespace = &pod.namespace;
    // The text of an image decides the host, which may be an IPv6 address in brackets.
    let is_plain = server
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".:/-".contains(c));
    let is_name = is_subdomain(name) || name == "NAME";
    (is_plain && is_name && !pod.is_static).then(|| {
        format!(
            "kubectl -n {namespace} create secret docker-registry {name} --docker-server={server} --docker-username=USER --docker-password=PASSWORD"
        )
    })
}

/// Returns the commands that put a Secret in the place of one that the kubelet cannot use. The type of a Secret cannot
/// be changed.
pub(super) fn recreate(pod: &PodView, name: &str, host: &str) -> Vec<String> {
    let delete = format!("kubectl -n {} delete secret {name}", pod.namespace);
    let create = create(pod, name, host);
    create.map_or_else(Vec::new, |create| vec![delete, create])
}

/// Returns the command that replaces the only credential of a Secret. For a Secret with several there is none: it would
/// drop the others.
pub(super) fn renew(pod: &PodView, tried: &TriedCredential, host: &str) -> Option<String> {
    let is_all = tried.is_only_entry && tried.key == host;
    let create = create(pod, &tried.secret, host).filter(|_| is_all);
    create.map(|create| format!("{create} --dry-run=client -o yaml | kubectl replace -f -"))
}

/// Returns the command that makes the controller of a pod create it again. A pod without a controller would be gone,
/// and one that runs would be stopped.
pub(super) fn delete_pod(pod: &PodView) -> Option<String> {
    let PodView {
        namespace, name, ..
    } = pod;
    pod.is_replaceable
        .then(|| format!("kubectl -n {namespace} delete pod {name}"))
}
