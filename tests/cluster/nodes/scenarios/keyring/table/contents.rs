//! Pods by the content of their pull secrets: fields of entries, and malformed contents.

use super::{ANNA, BEN, Pod, auths, config, credential, entry, of, older, password, pod};
use crate::registry::{NAME as HOST, PASSWORD, USER, USER_WITH_COLON};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use serde_json::{Value, json};

/// Variants of the JSON around the entries.
pub(super) fn contents() -> Vec<Pod> {
    let [right, wrong] = [USER, ANNA].map(|user| json!({HOST: entry(user)}));
    let text = |name, content: String| pod(name, [config(content)]);
    vec![
        pod("dockercfg", [older(&right)]),
        pod("dockercfg-with-auths", [older(&json!({"auths": right}))]),
        text("no-auths", right.to_string()),
        text("upper-case-auths", json!({"AUTHS": right}).to_string()),
        text("empty-auths", json!({"auths": {}}).to_string()),
        text("null", "null".to_owned()),
        text(
            "auths-twice",
            format!("{{\"auths\": {right}, \"auths\": {wrong}}}"),
        ),
        text(
            "auths-then-null",
            format!("{{\"auths\": {right}, \"auths\": null}}"),
        ),
        text(
            "helpers",
            json!({"credsStore": "x", "credHelpers": 1, "auths": right}).to_string(),
        ),
    ]
}

/// Variants of the fields in an entry.
pub(super) fn fields() -> Vec<Pod> {
    let fields = |name, fields: Value| pod(name, [auths(&json!({HOST: fields}))]);
    let named = |user| json!({"username": user, "password": password(user)});
    let both = |user, in_auth| {
        let mut both = named(user);
        both["auth"] = entry(in_auth)["auth"].clone();
        both
    };
    let token = json!({"identitytoken": "x"});
    let [unpadded, padded] =
        [&BASE64_STANDARD_NO_PAD, &BASE64_STANDARD].map(|engine| engine.encode(credential(USER)));
    let (start, end) = padded.split_at(7);
    vec![
        fields("username-and-password", named(USER)),
        fields("right-auth-and-wrong-username", both(ANNA, USER)),
        fields("wrong-auth-and-right-username", both(USER, BEN)),
        fields(
            "upper-case-fields",
            json!({"USERNAME": USER, "Password": PASSWORD}),
        ),
        fields("identitytoken", token.clone()),
        pod(
            "identitytoken-then-right",
            [auths(&json!({HOST: token})), of(HOST, USER)],
        ),
        pod(
            "identitytoken-then-wrong",
            [auths(&json!({HOST: token})), of(HOST, ANNA)],
        ),
        fields("null-entry", Value::Null),
        fields(
            "empty-auth",
            json!({"auth": "", "username": ANNA, "password": "wrong"}),
        ),
        fields("colon-in-password", entry(USER_WITH_COLON.0)),
        fields("auth-without-padding", json!({"auth": unpadded})),
        fields(
            "auth-in-two-lines",
            json!({"auth": format!("{start}\r\n{end}")}),
        ),
    ]
}

/// Valid JSON that the kubelet cannot read, alone and beside a right credential.
pub(super) fn malformed() -> Vec<Pod> {
    let bad = |key: &str, fields: Value| auths(&json!({key: fields}));
    let no_colon = || json!({"auth": BASE64_STANDARD.encode(USER)});
    vec![
        pod("no-base64", [bad(HOST, json!({"auth": "!!!"}))]),
        pod("no-colon", [bad(HOST, no_colon())]),
        pod("auths-is-a-list", [auths(&json!([]))]),
        pod("entry-is-a-number", [bad(HOST, json!(5))]),
        pod("username-is-a-number", [bad(HOST, json!({"username": 5}))]),
        pod(
            "malformed-dockercfg",
            [older(&json!({HOST: {"auth": "!!!"}}))],
        ),
        pod(
            "malformed-after-right",
            [of(HOST, USER), bad(HOST, json!({"auth": "!!!"}))],
        ),
        pod(
            "malformed-for-another-host",
            [bad("ghcr.io", no_colon()), of(HOST, USER)],
        ),
    ]
}
