//! Pods by the keys of the entries in their pull secrets: hosts, ports, globs and paths.

use super::{ANNA, NO_HOST, Pod, at, of, pod, with_host};
use crate::registry::{DOCKER_HUB, NAME as HOST, NAME_WITH_PORT, USER};

pub(super) fn globs_and_ports() -> Vec<Pod> {
    vec![
        pod("glob", [of("*.azurecr.io", USER)]),
        pod("glob-of-two-labels", [of("*.io", USER)]),
        pod("glob-in-a-label", [of("con*so.azurecr.io", USER)]),
        pod("class", [of("[a-d]ontoso.azurecr.io", USER)]),
        pod("question-mark", [of("?ontoso.azurecr.io", USER)]),
        pod("port-in-key-only", [of(&format!("{HOST}:443"), USER)]),
        at(NAME_WITH_PORT, "port-in-both", [of(NAME_WITH_PORT, USER)]),
        at(
            NAME_WITH_PORT,
            "port-in-image-only",
            [of("registry.test", USER)],
        ),
        at(
            NAME_WITH_PORT,
            "port-is-a-star",
            [of("registry.test:*", USER)],
        ),
    ]
}

/// Different spellings of the host.
pub(super) fn spellings() -> Vec<Pod> {
    let spelled = |name, key| pod(name, [of(&with_host(key), USER)]);
    vec![
        spelled("https", "https://HOST"),
        spelled("https-v1", "https://HOST/v1/"),
        spelled("https-v2", "https://HOST/v2/"),
        spelled("v1-without-a-slash", "https://HOST/v1"),
        spelled("http", "http://HOST"),
        spelled("upper-case-scheme", "HTTPS://HOST"),
        spelled("upper-case-host", "Contoso.azurecr.io"),
        spelled("user-in-key", "https://robot@HOST"),
        spelled("query-in-key", "HOST/keyring?a=b"),
        spelled("slash-at-the-end", "HOST/"),
    ]
}

/// Keys with a path. The kubelet compares paths by prefix, letter by letter.
pub(super) fn paths() -> Vec<Pod> {
    let under = |name, path: &str| pod(name, [of(&format!("{HOST}{path}"), USER)]);
    vec![
        under("other-path", "/other"),
        under("half-a-word", "/key"),
        under("path-with-a-slash", "/keyring/"),
        under("path-in-full", "/keyring/path-in-full"),
        under("path-with-the-tag", "/keyring/path-with-the-tag:1"),
        under("v2-before-the-path", "/v2/keyring"),
    ]
}

pub(super) fn docker_hub() -> Vec<Pod> {
    let hub = |name, key| at(NO_HOST, name, [of(key, USER)]);
    vec![
        hub("hub-as-docker-writes-it", "https://index.docker.io/v1/"),
        hub("hub-without-the-slash", "https://index.docker.io/v1"),
        hub("hub-by-its-name", "docker.io"),
        hub("hub-by-its-address", "registry-1.docker.io"),
        hub("hub-with-a-path", "docker.io/keyring"),
        hub("hub-index-with-a-path", "index.docker.io/keyring"),
        at(DOCKER_HUB, "hub-in-full", [of("index.docker.io", USER)]),
        at(
            NO_HOST,
            "hub-name-hides-index",
            [of("index.docker.io", USER), of("docker.io", ANNA)],
        ),
    ]
}
