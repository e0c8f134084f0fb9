//! Pods by their list of pull secrets: which secrets exist, and in which order.

use super::{ANNA, BEN, CLEO, Listed, Pod, Secret, auths, entry, of, pod, with_host};
use crate::registry::{NAME as HOST, USER};
use pullgate::kubelet::docker_config::CONFIG_JSON_KEY;
use serde_json::json;

pub(super) fn secrets() -> Vec<Pod> {
    let opaque = Listed::Made(Secret {
        of_type: "Opaque",
        key: CONFIG_JSON_KEY,
        content: json!({"auths": {HOST: entry(USER)}}).to_string(),
    });
    vec![
        pod("right", [of(HOST, USER)]),
        pod("wrong", [of(HOST, ANNA)]),
        pod("none", []),
        pod("missing", [Listed::Missing]),
        pod("missing-then-right", [Listed::Missing, of(HOST, USER)]),
        pod("opaque", [opaque]),
        pod("other-host", [of("ghcr.io", USER)]),
        pod(
            "listed-twice",
            [of(HOST, ANNA), Listed::Again, of(HOST, USER)],
        ),
    ]
}

/// Entries of equal keys are tried in the listed order. Different keys are tried from the last to the first, across all
/// Secrets.
pub(super) fn order() -> Vec<Pod> {
    let keyring = &format!("{HOST}/keyring");
    let deeper = &format!("{HOST}/keyring/three");
    let three_keys = json!({HOST: entry(USER), keyring: entry(ANNA), deeper: entry(BEN)});
    let spelled = ["https://HOST/v1/", "HOST", "http://HOST/"].map(with_host);
    vec![
        pod("wrong-then-right", [of(HOST, ANNA), of(HOST, USER)]),
        pod("right-then-wrong", [of(HOST, USER), of(HOST, ANNA)]),
        pod("two-wrong", [of(HOST, BEN), of(HOST, ANNA)]),
        pod(
            "two-wrong-then-right",
            [of(HOST, CLEO), of(HOST, ANNA), of(HOST, USER)],
        ),
        pod(
            "longer-key-listed-last",
            [of(HOST, USER), of(keyring, ANNA)],
        ),
        pod("longer-key-is-right", [of(HOST, ANNA), of(keyring, USER)]),
        pod("three-keys-of-one-secret", [auths(&three_keys)]),
        pod(
            "one-key-in-three-spellings",
            [
                of(&spelled[0], BEN),
                of(&spelled[1], ANNA),
                of(&spelled[2], USER),
            ],
        ),
        pod(
            "glob-listed-first",
            [of("*.azurecr.io", USER), of(HOST, ANNA)],
        ),
        pod(
            "longer-glob-listed-first",
            [of("*.azurecr.io/keyring", ANNA), of(HOST, USER)],
        ),
        pod(
            "three-globs",
            [
                of("*.*.io", USER),
                of("*.azurecr.io", ANNA),
                of("contoso.*.io", BEN),
            ],
        ),
    ]
}
