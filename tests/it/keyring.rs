//! The kubelet's keyring: its own tables, and a differential test against its own packages.

use crate::support::ask_go;
use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use pullgate::docker_config::{self, Entry, Form};
use pullgate::image::Image;
use pullgate::keyring::Keyring;
use serde_json::{Value, json};

fn tables() -> Value {
    serde_json::from_str(include_str!("../tables/kubelet_keyring.json")).expect("JSON")
}

fn cases<'t>(tables: &'t Value, table: &str) -> &'t Vec<Value> {
    tables[table]["cases"].as_array().expect("cases")
}

fn str(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn keyring(form: Form, content: &[u8]) -> Keyring<Entry> {
    let Ok(entries) = docker_config::read(form, content) else {
        panic!("cannot read {}", String::from_utf8_lossy(content))
    };
    let mut keyring = Keyring::default();
    for mut entry in entries {
        if let Some(key) = entry.key.take() {
            keyring.add(&key, entry);
        }
    }
    keyring
}

/// User names and passwords of what is tried.
fn looked_up(keyring: &Keyring<Entry>, name: &str) -> Vec<(String, String)> {
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let found = keyring.lookup_name(name.as_bytes()).into_iter();
    found
        .map(|(_, entry)| (told(&entry.username), told(&entry.password)))
        .collect()
}

fn expected(creds: &Value) -> Vec<(String, String)> {
    let creds = creds.as_array().into_iter().flatten();
    creds
        .map(|cred| {
            (
                str(&cred["username"]).to_owned(),
                str(&cred["password"]).to_owned(),
            )
        })
        .collect()
}

#[test]
fn urls_match_as_in_the_kubelet() {
    let tables = tables();
    for case in cases(&tables, "urls_match") {
        let config = json!({str(&case["glob"]): {"username": "u", "password": "p"}});
        let keyring = keyring(Form::Config, config.to_string().as_bytes());
        let matches = !looked_up(&keyring, str(&case["target"])).is_empty();
        assert_eq!(matches, case["match"] == json!(true), "{case}");
    }
}

#[test]
fn the_tables_of_the_keyring_hold() {
    let tables = tables();
    for table in [
        "keyring_for_glob",
        "keyring_miss",
        "docker_hub",
        "lookup_order",
        "issue_3797",
    ] {
        for case in cases(&tables, table) {
            let config = case.get("config").unwrap_or(&tables[table]["config"]);
            let form = if config.get("auths").is_some() {
                Form::ConfigJson
            } else {
                Form::Config
            };
            let keyring = keyring(form, config.to_string().as_bytes());
            let actual = looked_up(&keyring, str(&case["lookup"]));
            assert_eq!(
                !actual.is_empty(),
                case["found"] == json!(true),
                "{table}: {case}"
            );
            let expected = expected(&case["creds"]);
            if table == "lookup_order" || table == "issue_3797" {
                assert_eq!(actual, expected, "{table}: {case}");
            } else {
                assert_eq!(actual.first(), expected.first(), "{table}: {case}");
            }
        }
    }
}

#[test]
fn the_default_registry_is_that_of_the_kubelet() {
    let keyring = keyring(
        Form::Config,
        br#"{"index.docker.io": {"username": "u", "password": "p"}}"#,
    );
    for case in cases(&tables(), "is_default_registry_match") {
        let is_found = !looked_up(&keyring, str(&case["image"])).is_empty();
        assert_eq!(is_found, case["expected"] == json!(true), "{case}");
    }
}

/// What the nodes themselves know comes after the pull secrets, and is not looked at here.
#[test]
fn a_keyring_is_made_of_pull_secrets_as_in_the_kubelet() {
    for case in cases(&tables(), "make_docker_keyring") {
        let mut actual = Vec::new();
        for secret in case["pull_secrets"].as_array().expect("secrets") {
            let form = Form::of(str(&secret["type"])).expect("a docker type");
            if let Some(content) = secret["data"][form.key()].as_str() {
                actual.extend(looked_up(
                    &keyring(form, content.as_bytes()),
                    str(&case["image"]),
                ));
            }
        }
        actual.extend(expected(&case["default_keyring_creds"]));
        assert_eq!(actual, expected(&case["expected_creds"]), "{case}");
    }
}

#[test]
fn documents_decode_as_in_the_kubelet() {
    let tables = tables();
    for case in cases(&tables, "docker_config_json_decode") {
        let form = match str(&case["shape"]) {
            "dockercfg" => Form::Config,
            _ => Form::ConfigJson,
        };
        let keyring = keyring(form, str(&case["input"]).as_bytes());
        let entries = case["expect"].as_object().expect("entries");
        for (name, entry) in entries {
            let host = name.strip_prefix("http://").expect("a URL");
            assert_eq!(
                looked_up(&keyring, host),
                expected(&json!([entry])),
                "{case}"
            );
        }
    }
    // We never encode; what the kubelet encodes is read as what it encoded.
    for case in cases(&tables, "entry_encode") {
        let content = format!("{{\"reg.io\": {}}}", str(&case["expect"]));
        let keyring = keyring(Form::Config, content.as_bytes());
        assert_eq!(
            looked_up(&keyring, "reg.io"),
            expected(&json!([case["input"]])),
            "{case}"
        );
    }
}

#[test]
fn entries_decode_as_in_the_kubelet() {
    let tables = tables();
    for case in cases(&tables, "docker_config_entry_decode") {
        let content = format!("{{\"reg.io\": {}}}", str(&case["input"]));
        let read = docker_config::read(Form::Config, content.as_bytes());
        let fails = case["fail"] == json!(true);
        assert_eq!(read.is_err(), fails, "{case}");
        if let Ok(entries) = read {
            assert_eq!(
                &**entries[0].username,
                str(&case["expect"]["username"]).as_bytes(),
                "{case}"
            );
            assert_eq!(
                &**entries[0].password,
                str(&case["expect"]["password"]).as_bytes(),
                "{case}"
            );
        }
    }
    for case in cases(&tables, "auth_field_decode") {
        let content = json!({"reg.io": {"auth": case["input"]}}).to_string();
        let read = docker_config::read(Form::Config, content.as_bytes());
        assert_eq!(read.is_err(), case["fail"] == json!(true), "{case}");
        if let Ok(entries) = read {
            assert_eq!(
                &**entries[0].username,
                str(&case["username"]).as_bytes(),
                "{case}"
            );
        }
    }
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(texts).prop_map(str::to_owned)
}

/// Keys of entries: mostly ones that match, with what Go's URLs and globs make of the others.
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
struct Question {
    image: String,
    secrets: Vec<(Form, Vec<u8>)>,
}

fn question() -> impl Strategy<Value = Question> {
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

type Tried = (String, Vec<u8>, Vec<u8>);

/// What we say, and which neighbours may change places: entries of one secret with the same key, which Go keeps in a map.
fn ours(question: &Question) -> Option<Vec<(Vec<u8>, Tried)>> {
    let mut keyring = Keyring::default();
    for (number, (form, content)) in question.secrets.iter().enumerate() {
        if content.is_empty() {
            continue;
        }
        for entry in docker_config::read(*form, content).ok()? {
            if let Some(key) = entry.key {
                keyring.add(
                    &key,
                    (
                        format!("s{number}"),
                        entry.username.to_vec(),
                        entry.password.to_vec(),
                    ),
                );
            }
        }
    }
    let image = Image::parse(&question.image).expect("an image");
    let found = keyring.lookup(&image).into_iter();
    Some(
        found
            .map(|(key, tried)| (key.to_vec(), tried.clone()))
            .collect(),
    )
}

fn as_line(question: &Question) -> String {
    let secret = |(number, (form, content)): (usize, &(Form, Vec<u8>))| {
        let of_type = match form {
            Form::ConfigJson => docker_config::CONFIG_JSON_TYPE,
            Form::Config => docker_config::CONFIG_TYPE,
        };
        json!({"Name": format!("s{number}"), "Type": of_type, "Content": BASE64_STANDARD.encode(content)})
    };
    let secrets: Vec<_> = question.secrets.iter().enumerate().map(secret).collect();
    json!({"Image": question.image, "Secrets": secrets}).to_string() + "\n"
}

fn ask_the_kubelet(questions: &[Question]) -> Vec<Value> {
    let lines = questions.iter().map(as_line).collect();
    ask_go("tests/cluster/modules/kubernetes-1.37", "./keyring", lines)
}

/// 100 000 generated lists of secrets and images, the same each time, through the kubelet's packages and through ours.
#[test]
fn the_kubelet_tries_the_same() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = question();
    let draw = |_| strategy.new_tree(&mut runner).expect("a value").current();
    let questions: Vec<Question> = (0..100_000).map(draw).collect();
    let answers = ask_the_kubelet(&questions);
    assert_eq!(answers.len(), questions.len());
    let (mut failed, mut several) = (0, 0);
    for (question, answer) in questions.iter().zip(&answers) {
        let told = || {
            let secrets = question
                .secrets
                .iter()
                .map(|(form, content)| (form, String::from_utf8_lossy(content)));
            format!(
                "{}: {:?}\nkubelet: {answer}",
                question.image,
                secrets.collect::<Vec<_>>()
            )
        };
        let ours = ours(question);
        assert_eq!(
            ours.is_none(),
            !str(&answer["error"]).is_empty(),
            "{}",
            told()
        );
        failed += usize::from(ours.is_none());
        let Some(ours) = ours else { continue };
        let bytes = |value: &Value| {
            BASE64_STANDARD
                .decode(value.as_str().unwrap_or_default())
                .expect("base64")
        };
        let theirs = answer["tried"].as_array().expect("a list");
        several += usize::from(theirs.len() > 1);
        assert_eq!(ours.len(), theirs.len(), "{}", told());
        // With the key in front, so that sorting moves only what may change places.
        let mut place = 0;
        let mut last = None;
        let mut numbered = |key: &[u8], secret: &str| {
            let group = Some((key.to_vec(), secret.to_owned()));
            place += usize::from(last != group);
            last = group;
            place
        };
        let places: Vec<_> = ours
            .iter()
            .map(|(key, tried)| numbered(key, &tried.0))
            .collect();
        let mut ours: Vec<(usize, Tried)> = places
            .iter()
            .copied()
            .zip(ours.into_iter().map(|(_, tried)| tried))
            .collect();
        let theirs = theirs.iter().map(|tried| {
            (
                str(&tried["secret"]).to_owned(),
                bytes(&tried["username"]),
                bytes(&tried["password"]),
            )
        });
        let mut theirs: Vec<(usize, Tried)> = places.into_iter().zip(theirs).collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{}", told());
    }
    assert!(
        (10_000..70_000).contains(&failed),
        "{failed} fail: the generator is lopsided"
    );
    assert!(
        several > 8_000,
        "{several} have more than one: the generator is lopsided"
    );
}
