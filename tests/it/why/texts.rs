//! Tests of the table of texts: texts of several versions of containerd, CRI-O and the kubelet.

use pullgate::reports::why::texts::{PullText, asked_host, is_about_a_pull, meaning};

/// For each meaning at least two texts, with different prefixes and versions.
const TEXTS: &[(PullText, &[&str])] = &[
    (
        PullText::InvalidName,
        &[
            "Failed to apply default image tag \"Reg.io/App\": couldn't parse image name \"Reg.io/App\": invalid reference format: repository name (App) must be lowercase",
            "rpc error: code = InvalidArgument desc = failed to parse image reference \"reg.io/app:a b\": invalid reference format",
        ],
    ),
    (
        PullText::Network,
        &[
            "failed to pull and unpack image \"nowhere.invalid/app:1\": failed to resolve image: failed to do request: Head \"https://nowhere.invalid/v2/app/manifests/1\": dial tcp: lookup nowhere.invalid on 10.96.0.10:53: no such host",
            "rpc error: code = Unknown desc = failed to pull and unpack image \"reg.io/app:1\": failed to resolve reference \"reg.io/app:1\": failed to do request: Head \"https://reg.io/v2/app/manifests/1\": dial tcp 192.0.2.1:443: connect: connection refused",
            "rpc error: code = Unknown desc = pinging container registry reg.io: Get \"https://reg.io/v2/\": net/http: TLS handshake timeout",
            "image pull failed for reg.io/app:1 because the registry is unavailable: pinging container registry reg.io: dial tcp 192.0.2.1:443: connect: connection refused",
            "failed to pull image \"reg.io/app:1\": failed to authorize: failed to fetch anonymous token: Get \"https://auth.reg.io/token\": context deadline exceeded",
        ],
    ),
    (
        PullText::Tls,
        &[
            "failed to do request: Head \"https://reg.io/v2/app/manifests/1\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "rpc error: code = Unknown desc = pinging container registry reg.io: Get \"https://reg.io/v2/\": x509: certificate has expired or is not yet valid",
            "failed to do request: Head \"https://reg.io/v2/app/manifests/1\": http: server gave HTTP response to HTTPS client",
        ],
    ),
    (
        PullText::RateLimited,
        &[
            "failed to copy: httpReadSeeker: failed open: unexpected status from GET request to https://registry-1.docker.io/v2/library/nginx/manifests/1: 429 Too Many Requests\ntoomanyrequests: You have reached your unauthenticated pull rate limit.",
            "rpc error: code = Unknown desc = reading manifest 1 in docker.io/library/nginx: toomanyrequests: You have reached your pull rate limit.",
        ],
    ),
    (
        PullText::Throttled,
        &[
            "ErrImagePull: pull QPS exceeded",
            "Failed to pull image \"reg.io/app:1\": pull QPS exceeded",
        ],
    ),
    (
        PullText::NoPlatform,
        &[
            "rpc error: code = NotFound desc = failed to pull and unpack image \"reg.io/app:1\": no match for platform in manifest: not found",
            "rpc error: code = Unknown desc = choosing an image from manifest list docker://reg.io/app:1: no image found in image index for architecture \"arm64\", variant \"v8\", OS \"linux\"",
        ],
    ),
    (
        PullText::Disk,
        &[
            "failed to pull and unpack image \"reg.io/app:1\": failed to extract layer sha256:ab: write /var/lib/containerd/x: no space left on device",
            "Failed to record image pull intent for container image \"reg.io/app:1\": open /var/lib/kubelet/image_manager/pulling/x: read-only file system",
        ],
    ),
    (
        PullText::NoProgress,
        &[
            "failed to pull and unpack image \"reg.io/app:1\": failed to copy: context canceled",
            "rpc error: code = Canceled desc = pulling image: context canceled",
        ],
    ),
    (
        PullText::NotFound,
        &[
            "rpc error: code = NotFound desc = failed to pull and unpack image \"reg.io/app:2\": failed to resolve image: reg.io/app:2: not found",
            "rpc error: code = NotFound desc = failed to pull and unpack image \"reg.io/app:2\": failed to resolve reference \"reg.io/app:2\": reg.io/app:2: not found",
            "rpc error: code = Unknown desc = reading manifest 2 in reg.io/app: manifest unknown",
            "[failed to resolve image: unexpected status from HEAD request to https://reg.io/v2/app/manifests/2: 401 Unauthorized, failed to resolve image: reg.io/app:2: not found]",
        ],
    ),
    (
        PullText::NoCredentialSent,
        &[
            "failed to resolve reference \"reg.io/app:1\": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
            "rpc error: code = Unknown desc = failed to pull and unpack image \"ghcr.io/acme/app:1\": failed to resolve image: failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=x: 401 Unauthorized",
        ],
    ),
    (
        PullText::CredentialRefused,
        &[
            "failed to resolve image: failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://auth.docker.io/token?service=x: 401 Unauthorized",
            "failed to resolve image: unexpected status from HEAD request to https://reg.io/v2/app/manifests/1: 401 Unauthorized",
            "rpc error: code = Unknown desc = unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password",
            "failed to resolve image: failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://gitlab.test/jwt/auth: 403 Forbidden",
        ],
    ),
    (
        PullText::ScopeRefused,
        &[
            "failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            "rpc error: code = Unknown desc = failed to pull and unpack image \"docker.io/acme/app:1\": failed to resolve reference \"docker.io/acme/app:1\": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        ],
    ),
    (
        PullText::Forbidden,
        &[
            "failed to resolve image: unexpected status from HEAD request to https://reg.io/v2/app/manifests/1: 403 Forbidden",
            "failed to resolve image: unexpected status from HEAD request to https://reg.io/v2/app/manifests/1: 403 Forbidden\ndenied: no such host, 429 Too Many Requests, x509: a registry writes what it likes",
            "rpc error: code = Unknown desc = reading manifest 1 in reg.io/app: denied: requested access to the resource is denied",
            "pulling from host reg.io failed with status code [manifests 1]: 403 Forbidden",
        ],
    ),
    (
        PullText::NodePolicy,
        &[
            "image verifier bindir blocked pull of reg.io/app:1 with digest sha256:ab for reason: not signed",
            "rpc error: code = Unknown desc = registry reg.io is blocked in /etc/containers/registries.conf",
            "short-name \"app\" did not resolve to an alias and no unqualified-search registries are defined in \"/etc/containers/registries.conf\"",
        ],
    ),
    (
        PullText::NeverPull,
        &[
            "Container image \"reg.io/app:1\" is not present with pull policy of Never",
            "Error: ErrImageNeverPull: Container image \"app\" is not present with pull policy of Never",
        ],
    ),
    (
        PullText::Runtime,
        &[
            "Failed to inspect image \"\": rpc error: code = Unavailable desc = connection error",
            "failed to pull and unpack image \"reg.io/app:1\": failed to extract layer sha256:ab: exit status 1",
            "failed to pull and unpack image \"reg.io/app:1\": schema 1 image manifests are no longer supported",
        ],
    ),
    (
        PullText::MountFailed,
        &[
            "ImageVolumeMountFailed: failed to mount image volume: not a directory",
            "rpc error: code = Unknown desc = ImageVolumeMountFailed: subpath does not exist",
        ],
    ),
];

#[test]
fn texts_of_several_versions_have_their_meaning() {
    for (expected, texts) in TEXTS {
        assert!(texts.len() > 1, "{expected:?}");
        for text in *texts {
            assert_eq!(meaning("ErrImagePull", text), Some(*expected), "{text}");
            let back_off = format!("Back-off pulling image \"reg.io/app:1\": ErrImagePull: {text}");
            assert_eq!(
                meaning("ImagePullBackOff", &back_off),
                Some(*expected),
                "{text}"
            );
        }
    }
}

#[test]
fn reasons_that_decide_alone() {
    for (reason, message, expected) in [
        ("InvalidImageName", "anything", PullText::InvalidName),
        ("ErrImageNeverPull", "", PullText::NeverPull),
        (
            "ImageInspectError",
            "Failed to inspect image",
            PullText::Runtime,
        ),
        ("RegistryUnavailable", "", PullText::Network),
        ("SignatureValidationFailed", "", PullText::NodePolicy),
        (
            "illegal base64 data at input byte 0",
            "illegal base64 data at input byte 0",
            PullText::SecretUnreadable,
        ),
        (
            "unexpected end of JSON input",
            "unexpected end of JSON input",
            PullText::SecretUnreadable,
        ),
    ] {
        assert!(is_about_a_pull(reason, message), "{reason}");
        assert_eq!(meaning(reason, message), Some(expected), "{reason}");
    }
    for reason in [
        "CrashLoopBackOff",
        "PodInitializing",
        "CreateContainerConfigError",
        "",
    ] {
        assert!(!is_about_a_pull(reason, reason), "{reason}");
    }
    assert_eq!(meaning("ErrImagePull", "a text of a later version"), None);
}

#[test]
fn the_host_that_was_asked_is_in_the_text() {
    for (text, expected) in [
        (
            "unexpected status from HEAD request to http://10.99.0.1:5001/v2/app/manifests/1?ns=reg.io: 401",
            Some("10.99.0.1:5001"),
        ),
        ("Head \"https://reg.io/v2/\": dial tcp", Some("reg.io")),
        ("Get \"https://\"", None),
        ("no basic auth credentials", None),
    ] {
        assert_eq!(asked_host(text), expected, "{text}");
    }
}
