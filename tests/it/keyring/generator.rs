//! Generates images and lists of pull secrets.

use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::prelude::*;
use proptest::sample::select;
use pullgate::kubelet::docker_config::Form;

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(texts).prop_map(str::to_owned)
}

/// Keys of entries: most match; the others exercise Go's URLs and globs.
fn entry_key() -> impl Strategy<Value = String> {
    let likely = one_of(&[
        "reg.io",
        "reg.io/team",
        "https://reg.io/v1/",
        "reg.io/te",
        "*.io",
        "r?g.io",
        "reg.*/team",
        "index.docker.io",
        "https://index.docker.io/v1/",
        "docker.io/team",
        "*.*",
        "reg.io:5000",
        "localhost",
    ]);
    prop_oneof![3 => likely, 1 => odd_key()]
}

fn odd_key() -> impl Strategy<Value = String> {
    let scheme = one_of(&["", "", "", "https://", "http://", "HTTPS://", "ftp://"]);
    let user = one_of(&["", "", "", "", "u:p@", "u%40@", "u@v@", "u u@"]);
    let host = one_of(&[
        "reg.io",
        "reg.io",
        "REG.io",
        "*.io",
        "reg.*",
        "r?g.io",
        "[q-s]eg.io",
        "*.*",
        "*",
        "a.reg.io",
        "*.reg.io",
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "localhost",
        "[::1]",
        "[fe80::1%25en0]",
        "reg%2eio",
        "r%C3%A9g.io",
        "reg\\.io",
        "",
        "foo_bar.com",
        "re g.io",
        "reg.io]",
        "\"reg\".io",
    ]);
    let port = one_of(&["", "", "", ":5000", ":*", ":", ":5000:1"]);
    let path = one_of(&[
        "",
        "",
        "",
        "/",
        "/team",
        "/team",
        "/te",
        "/team/",
        "/v1/",
        "/v1",
        "/v2/team",
        "/v1/v1/",
        "//team",
        "/library",
        "/team%2Fapp",
        "/team%zz",
        "?q",
        "/team?q#f",
        "#%zz",
        "/team%3F",
        "/team%23x",
        "/\u{7f}",
    ]);
    (scheme, user, host, port, path).prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("JSON")
}

fn entry() -> impl Strategy<Value = String> {
    let auth = prop_oneof![
        40 => "[a-c]{1,3}:[a-d:]{0,4}".prop_map(|text| BASE64_STANDARD.encode(text)),
        8 => "[a-c]{1,3}:[a-d]{0,4}".prop_map(|text| BASE64_STANDARD.encode(text).trim_end_matches('=').to_owned()),
        1 => "[a-c]{1,3}:[a-d]{0,4}".prop_map(|text| BASE64_STANDARD.encode(text).replacen('=', "=\n", 1)),
        1 => any::<[u8; 7]>().prop_map(|bytes| BASE64_STANDARD.encode(bytes)),
        1 => one_of(&["", "!!!", "YTpi=", "YTpi ", "YTo", "YTp", "YT\r\npi", "YTpiYw", "YTpiYx==", "YTpi\n=", " YTpi"]),
    ];
    let auth = (one_of(&["auth", "auth", "AUTH", "auth "]), auth)
        .prop_map(|(name, auth)| format!("{{{}:{}}}", quoted(&name), quoted(&auth)));
    prop_oneof![
        60 => auth,
        30 => "[a-c]{1,3}".prop_map(|user| format!("{{\"username\":\"{user}\",\"password\":\"p\",\"email\":\"\"}}")),
        3 => one_of(&[
            "{}", "null", r#"{"username":"a","USERNAME":"b","username":null}"#, r#"{"identitytoken":"x"}"#,
            r#"{"username":"\ud800x\u0041","pa\u017f\u017fword":"p"}"#, r#"{"username":"a","x":[{"y":[1e9,-0.1]}]}"#,
            r#"{"auth":"YTpi","auth":""}"#, r#"{"auth":null}"#, r#"{"username":"\/\"\\"}"#,
        ]),
        1 => one_of(&["5", "[]", "\"a\"", "{\"email\":false}", "{\"auth\":1}", "{\"username\":{}}", "{,}", "{\"a\":01}", "true"]),
    ]
}

fn content(form: Form) -> impl Strategy<Value = Vec<u8>> {
    let entries = prop::collection::vec((entry_key(), entry()), 0..5).prop_map(|entries| {
        let member = |(key, entry): &(String, String)| format!("{}: {entry}", quoted(key));
        format!(
            "{{{}}}",
            entries.iter().map(member).collect::<Vec<_>>().join(" ,\n")
        )
    });
    let odd = select(match form {
        Form::Config => &["@", "@", "@", "@", "@", "@", " @\t", "@@", "null"][..],
        Form::ConfigJson => &[
            "{\"auths\":@}",
            "{\"auths\":@}",
            "{\"auths\":@}",
            "{\"auths\":@}",
            "{\"AUTHS\":@}",
            "{\"auth\u{17f}\":@}",
            "{\"credsStore\":1,\"auths\":@,\"auths\":{\"reg.io\":{\"username\":\"z\"}}}",
            "{\"auths\":@,\"auths\":null}",
            "{\"HttpHeaders\":{\"a\":null},\"auths\":@}",
            "{\"httpheaders\":{\"a\":1},\"auths\":@}",
            "{\"auths\":[]}",
            "@",
            "[]",
            "null",
        ][..],
    });
    let usual = match form {
        Form::Config => "@",
        Form::ConfigJson => "{\"auths\":@}",
    };
    let wrap = prop_oneof![12 => Just(usual), 1 => odd];
    let wrapped =
        (entries, wrap).prop_map(|(entries, wrap)| wrap.replace('@', &entries).into_bytes());
    let break_it = (
        prop::bool::weighted(0.03),
        any::<prop::sample::Index>(),
        any::<u8>(),
    );
    (wrapped, break_it).prop_map(|(mut bytes, (is_broken, at, byte))| {
        if is_broken {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) image: String,
    pub(super) secrets: Vec<(Form, Vec<u8>)>,
}

pub(super) fn question() -> impl Strategy<Value = Question> {
    let secret = prop_oneof![
        content(Form::ConfigJson).prop_map(|content| (Form::ConfigJson, content)),
        content(Form::Config).prop_map(|content| (Form::Config, content)),
    ];
    let image = one_of(&[
        "reg.io/team/app:1",
        "reg.io/team/app:2",
        "reg.io/team/app:3",
        "reg.io/team-b/app",
        "reg.io:5000/team/app",
        "a.reg.io/x",
        "nginx",
        "team/app",
        "REG.io/team/app",
        "index.docker.io/team/app",
        "localhost/team",
        "[::1]/team/x",
        "[::1]:5000/x",
        "foo_bar.com/team",
        "localhost:5000/v1/x",
    ]);
    (image, prop::collection::vec(secret, 0..4))
        .prop_map(|(image, secrets)| Question { image, secrets })
}
