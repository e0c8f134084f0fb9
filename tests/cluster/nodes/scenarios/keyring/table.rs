//! Pods and their pull secrets. What becomes of them is not written here: `explain` has to know.

use crate::registry::{
    DOCKER_HUB, NAME as HOST, NAME_WITH_PORT, PASSWORD, STRANGERS, USER, USER_WITH_COLON,
};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use pullgate::docker_config::{CONFIG_JSON_KEY, CONFIG_JSON_TYPE, CONFIG_KEY, CONFIG_TYPE};
use pullgate::subject::INJECT;
use serde_json::{Value, json};

/// No host, which is Docker Hub.
const NO_HOST: &str = "";
const ANNA: &str = STRANGERS[0];
const BEN: &str = STRANGERS[1];
const CLEO: &str = STRANGERS[2];

/// A pod with a repository of its own.
pub(super) struct Pod {
    /// Its name.
    pub name: &'static str,
    host: &'static str,
    listed: Vec<Listed>,
}

/// One of its `imagePullSecrets`.
enum Listed {
    /// A Secret that is made for it.
    Made(Secret),
    /// One that is not there.
    Missing,
    /// The one before, once more.
    Again,
}

/// What is in a Secret.
pub(super) struct Secret {
    of_type: &'static str,
    key: &'static str,
    content: String,
}

impl Pod {
    /// The repository of its image, in the registry.
    pub(super) fn repository(&self) -> String {
        format!("keyring/{}", self.name)
    }

    /// Its image as the pod has it.
    pub(super) fn image(&self) -> String {
        let repository = self.repository();
        match self.host {
            NO_HOST => format!("{repository}:1"),
            host => format!("{host}/{repository}:1"),
        }
    }

    /// The names of its pull secrets.
    pub(super) fn listed(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (number, listed) in self.listed.iter().enumerate() {
            let same = match listed {
                Listed::Again => names.last().cloned(),
                _ => None,
            };
            names.push(same.unwrap_or_else(|| format!("{}-{number}", self.name)));
        }
        names
    }

    /// Those that there are.
    pub(super) fn secrets(&self, namespace: &str) -> Vec<Value> {
        let named = self.listed().into_iter().zip(&self.listed);
        let made = named.filter_map(|(name, listed)| match listed {
            Listed::Made(secret) => Some(secret.manifest(&name, namespace)),
            Listed::Missing | Listed::Again => None,
        });
        made.collect()
    }

    /// The pod itself. Were Pullgate installed, it would leave it alone.
    pub(super) fn manifest(&self, namespace: &str) -> Value {
        let listed = self.listed().into_iter();
        let listed: Vec<Value> = listed.map(|name| json!({"name": name})).collect();
        let container = json!({"name": "a", "image": self.image(), "imagePullPolicy": "Always"});
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": self.name, "namespace": namespace, "annotations": {INJECT: "disabled"}},
            "spec": {
                "containers": [container], "imagePullSecrets": listed, "hostNetwork": true,
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
            },
        })
    }
}

impl Secret {
    /// It as an object.
    pub(super) fn manifest(&self, name: &str, namespace: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": self.of_type,
            "metadata": {"name": name, "namespace": namespace},
            "data": {self.key: BASE64_STANDARD.encode(&self.content)},
        })
    }
}

/// All of them.
pub(super) fn pods() -> Vec<Pod> {
    [
        secrets(),
        order(),
        globs_and_ports(),
        spellings(),
        paths(),
        docker_hub(),
        contents(),
        fields(),
        malformed(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Secrets that the API server does not let in, whatever pod would list them.
pub(super) fn refused() -> Vec<Secret> {
    let of = |of_type, key, content: &str| Secret {
        of_type,
        key,
        content: content.to_owned(),
    };
    vec![
        of(CONFIG_JSON_TYPE, CONFIG_JSON_KEY, "{\"auths\": {"),
        of(CONFIG_JSON_TYPE, CONFIG_JSON_KEY, ""),
        of(CONFIG_JSON_TYPE, CONFIG_JSON_KEY, "[]"),
        of(CONFIG_JSON_TYPE, CONFIG_KEY, "{}"),
        of(CONFIG_TYPE, CONFIG_KEY, "{} {}"),
        of(CONFIG_TYPE, CONFIG_JSON_KEY, "{}"),
    ]
}

fn pod<const N: usize>(name: &'static str, listed: [Listed; N]) -> Pod {
    at(HOST, name, listed)
}

fn at<const N: usize>(host: &'static str, name: &'static str, listed: [Listed; N]) -> Pod {
    Pod {
        name,
        host,
        listed: Vec::from(listed),
    }
}

/// A Secret with one entry.
fn of(key: &str, user: &str) -> Listed {
    auths(&json!({key: entry(user)}))
}

fn auths(entries: &Value) -> Listed {
    config(json!({"auths": entries}).to_string())
}

fn config(content: String) -> Listed {
    Listed::Made(Secret {
        of_type: CONFIG_JSON_TYPE,
        key: CONFIG_JSON_KEY,
        content,
    })
}

/// A Secret of the older type.
fn older(entries: &Value) -> Listed {
    Listed::Made(Secret {
        of_type: CONFIG_TYPE,
        key: CONFIG_KEY,
        content: entries.to_string(),
    })
}

fn with_host(key: &str) -> String {
    key.replace("HOST", HOST)
}

fn entry(user: &str) -> Value {
    json!({"auth": BASE64_STANDARD.encode(credential(user))})
}

fn credential(user: &str) -> String {
    format!("{user}:{}", password(user))
}

fn password(user: &str) -> &'static str {
    match user {
        USER => PASSWORD,
        _ if user == USER_WITH_COLON.0 => USER_WITH_COLON.1,
        _ => "wrong",
    }
}

fn secrets() -> Vec<Pod> {
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

/// Of equal keys as they are listed; else the keys from the last to the first, in whatever secret they are.
fn order() -> Vec<Pod> {
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

fn globs_and_ports() -> Vec<Pod> {
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

/// The host in other words.
fn spellings() -> Vec<Pod> {
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

/// Prefixes, by letters.
fn paths() -> Vec<Pod> {
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

fn docker_hub() -> Vec<Pod> {
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

/// What is around the entries.
fn contents() -> Vec<Pod> {
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

/// What is in an entry.
fn fields() -> Vec<Pod> {
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

/// Valid JSON that the kubelet cannot read, and what that does to the right one beside it.
fn malformed() -> Vec<Pod> {
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
