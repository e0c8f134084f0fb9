//! Tests of our keyring by the tables of the kubelet's own tests.

use super::str;
use pullgate::kubelet::docker_config::{self, Entry, Form};
use pullgate::kubelet::keyring::Keyring;
use serde_json::{Value, json};

fn tables() -> Value {
    serde_json::from_str(include_str!("../../tables/kubelet_keyring.json")).expect("JSON")
}

fn cases<'t>(tables: &'t Value, table: &str) -> &'t Vec<Value> {
    tables[table]["cases"].as_array().expect("cases")
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

/// The user names and passwords that are tried.
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

/// The credentials of the nodes come after the pull secrets, and are not compared here.
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
    // Pullgate never encodes. It reads the text that the kubelet encodes as the kubelet does.
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
