//! The texts in which kubelets and container runtimes give the reason why an image was not pulled.
//!
//! No field of a pod names the cause of a failed pull: the kubelet copies the text of the container runtime, and the
//! runtime copies the text of the registry or of Go's network code. One table maps pieces of these texts to their
//! meaning. Texts of containerd 1.7 to 2.4, CRI-O and Kubernetes 1.31 to 1.37 are in it.

use crate::objects::names::MAX_SUBDOMAIN;

/// The meaning of a text of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PullText {
    /// The image is not a valid reference.
    InvalidName,
    /// A listed Secret cannot be decoded, so that the kubelet pulls nothing for the pod.
    SecretUnreadable,
    /// The pull policy is `Never`, and the node has no copy of the image that the pod may use.
    NeverPull,
    /// A policy of the node refuses the image.
    NodePolicy,
    /// The image was pulled and cannot be mounted as a volume.
    MountFailed,
    /// The registry's certificate is not accepted, or the registry speaks no TLS.
    Tls,
    /// The node cannot reach the registry.
    Network,
    /// The registry, or its token endpoint, answers with an error of its own.
    RegistryFails,
    /// The registry limits the rate of pulls.
    RateLimited,
    /// The kubelet starts no more pulls at once (`registryPullQPS`).
    Throttled,
    /// The image has no variant for the platform of the node.
    NoPlatform,
    /// The disk of the node is full, or fails.
    Disk,
    /// The node received no byte of a layer for minutes.
    NoProgress,
    /// The registry has no such repository, tag or digest.
    NotFound,
    /// The node sent no credential, and the registry asks for one.
    NoCredentialSent,
    /// The registry refused a credential.
    CredentialRefused,
    /// The token that the registry gave does not cover the repository; with and without a credential.
    ScopeRefused,
    /// The registry forbids the request (HTTP 403).
    Forbidden,
    /// The container runtime fails for another reason.
    Runtime,
}

/// Reasons of `state.waiting` that the kubelet gives while an image is pulled or cannot be.
const PULL_REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];

/// Reasons that decide alone; the message does not count.
const REASONS: [(&str, PullText); 5] = [
    ("InvalidImageName", PullText::InvalidName),
    ("ErrImageNeverPull", PullText::NeverPull),
    ("ImageInspectError", PullText::Runtime),
    ("RegistryUnavailable", PullText::Network),
    ("SignatureValidationFailed", PullText::NodePolicy),
];

/// The meaning of messages: the first row with a piece that is in the text decides. A special row comes before a
/// general one that can match the same text: "no match for platform in manifest: not found" is about the platform.
const MESSAGES: &[(PullText, &[&str])] = &[
    (
        PullText::InvalidName,
        &[
            "couldn't parse image name",
            "failed to parse image reference",
        ],
    ),
    (
        PullText::NeverPull,
        &["is not present with pull policy of Never"],
    ),
    (
        PullText::NodePolicy,
        &[
            "image verifier ",
            "is blocked in /etc/containers/registries.conf",
            "Source image rejected",
            "the signature validation failed",
            "short-name resolution enforced",
            "did not resolve to an alias and no unqualified-search registries",
        ],
    ),
    (PullText::MountFailed, &["ImageVolumeMountFailed"]),
    (
        PullText::Disk,
        &[
            "no space left on device",
            "Failed to record image pull intent",
            "low on resource: ephemeral-storage",
            "low on resource: imagefs",
        ],
    ),
    (
        PullText::Network,
        &[
            "TLS handshake timeout",
            "dial tcp",
            "proxyconnect tcp",
            "no such host",
            "connection refused",
            "connection reset by peer",
            "no route to host",
            "network is unreachable",
            "i/o timeout",
            "context deadline exceeded",
            "the registry is unavailable",
        ],
    ),
    (
        PullText::Tls,
        &[
            "x509: ",
            "tls: ",
            "server gave HTTP response to HTTPS client",
            "first record does not look like a TLS handshake",
        ],
    ),
    (PullText::Throttled, &["pull QPS exceeded"]),
    (
        PullText::RateLimited,
        &[
            "429 Too Many Requests",
            "toomanyrequests",
            "too many requests to registry",
        ],
    ),
    (
        PullText::NoPlatform,
        &[
            "no match for platform in manifest",
            "no image found in image index for architecture",
            "no image found in manifest list for architecture",
        ],
    ),
    (
        PullText::RegistryFails,
        &[
            "500 Internal Server Error",
            "502 Bad Gateway",
            "503 Service Unavailable",
            "504 Gateway Timeout",
            "HTTP status: 5",
        ],
    ),
    // A broken store of the node: its texts end with "not found" too.
    (
        PullText::Runtime,
        &[
            "failed to extract layer",
            "failed to prepare extraction snapshot",
            "content digest ",
            "parent snapshot ",
            "wrong diff id",
            "schema 1 image manifests are no longer supported",
            "Failed to inspect image",
        ],
    ),
    // "not found" beside the refusal of a credential means that another credential was accepted.
    (
        PullText::NotFound,
        &[
            ": not found",
            "manifest unknown",
            "name unknown",
            "NAME_UNKNOWN",
            "MANIFEST_UNKNOWN",
            "404 Not Found",
        ],
    ),
    (
        PullText::NoCredentialSent,
        &[
            "no basic auth credentials",
            "failed to fetch anonymous token",
        ],
    ),
    (
        PullText::CredentialRefused,
        &[
            "failed to fetch oauth token",
            "unable to retrieve auth token",
            "Requesting bearer token",
            "401 Unauthorized",
            "invalid_token",
        ],
    ),
    (PullText::ScopeRefused, &["insufficient_scope"]),
    (
        PullText::Forbidden,
        &[
            "403 Forbidden",
            "StatusCode: 403",
            "denied: ",
            "unauthorized: ",
            "authentication required",
            "pull access denied",
        ],
    ),
    (PullText::NoProgress, &["context canceled"]),
];

/// Pieces of texts about the token endpoint of a registry. A 404 of that endpoint is not about the image.
const TOKEN_TEXTS: [&str; 4] = [
    "failed to fetch oauth token",
    "failed to fetch anonymous token",
    "unable to retrieve auth token",
    "Requesting bearer token",
];

/// Returns whether a container with this reason in `state.waiting` waits for an image. If a listed Secret cannot be
/// decoded, the kubelet uses the text of the decoder as reason and message (`MakeDockerKeyring` in
/// `pkg/kubelet/kuberuntime/kuberuntime_image.go`).
#[must_use]
pub fn is_about_a_pull(reason: &str, message: &str) -> bool {
    PULL_REASONS.contains(&reason)
        || reason.starts_with("ImageVolumeMountFailed")
        || message.starts_with("ImageVolumeMountFailed")
        || is_raw_error(reason, message)
}

/// Returns the meaning of a reason and a message, or `None` if the table has none.
#[must_use]
pub fn meaning(reason: &str, message: &str) -> Option<PullText> {
    if is_raw_error(reason, message) {
        return Some(PullText::SecretUnreadable);
    }
    let by_reason = REASONS.iter().find(|(known, _)| *known == reason);
    if let Some((_, meaning)) = by_reason {
        return Some(*meaning);
    }
    let text = of_the_runtime(message);
    let is_of_the_token_endpoint = TOKEN_TEXTS.iter().any(|piece| text.contains(piece));
    if is_of_the_token_endpoint && text.contains("404 Not Found") {
        return Some(PullText::RegistryFails);
    }
    let has = |pieces: &[&str]| pieces.iter().any(|piece| text.contains(piece));
    let row = MESSAGES.iter().find(|(_, pieces)| has(pieces));
    row.map(|(meaning, _)| *meaning)
}

/// Returns whether the reason is the text of an error: reasons are words in camel case, and such a text has spaces.
fn is_raw_error(reason: &str, message: &str) -> bool {
    reason == message && reason.contains(' ')
}

/// Returns the text without the body of the registry's answer, which containerd appends after a line end: a registry
/// may write any text there.
fn of_the_runtime(message: &str) -> &str {
    message.split('\n').next().unwrap_or_default()
}

/// Returns the host that the node asked, if the text names a URL. It differs from the host of the image if the node has
/// a mirror.
#[must_use]
pub fn asked_host(message: &str) -> Option<&str> {
    let schemes = ["https://", "http://"];
    let start = schemes
        .iter()
        .filter_map(|scheme| Some(message.find(scheme)? + scheme.len()))
        .min()?;
    let rest = &message[start..];
    let end = rest.find(['/', '"', ' ', '?', '\\']).unwrap_or(rest.len());
    let host = &rest[..end];
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".:-_[]".contains(c);
    let is_shown = (1..=MAX_SUBDOMAIN).contains(&host.len()) && host.chars().all(is_host);
    is_shown.then_some(host)
}
