//! Pods and their pull secrets. The table has no expected results: `explain` must predict them.

mod contents;
mod keys;
mod lists;

use crate::registry::{NAME as HOST, PASSWORD, STRANGERS, USER, USER_WITH_COLON};
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::kubelet::docker_config::{
    CONFIG_JSON_KEY, CONFIG_JSON_TYPE, CONFIG_KEY, CONFIG_TYPE,
};
use pullgate::objects::subject::INJECT;
use serde_json::{Value, json};

/// An image without a host, which means Docker Hub.
const NO_HOST: &str = "";

const ANNA: &str = STRANGERS[0];
const BEN: &str = STRANGERS[1];
const CLEO: &str = STRANGERS[2];

/// A pod with its own repository.
pub(super) struct Pod {
    /// The name of the pod.
    pub name: &'static str,
    host: &'static str,
    listed: Vec<Listed>,
}

/// An entry of `imagePullSecrets`.
enum Listed {
    /// A Secret that is created for this entry.
    Made(Secret),
    /// A Secret that does not exist.
    Missing,
    /// The same Secret as the entry before.
    Again,
}

/// The type and the content of a Secret.
pub(super) struct Secret {
    of_type: &'static str,
    key: &'static str,
    content: String,
}

impl Pod {
    /// Returns the repository of the image in the registry.
    pub(super) fn repository(&self) -> String {
        format!("keyring/{}", self.name)
    }

    /// Returns the image as the pod names it.
    pub(super) fn image(&self) -> String {
        let repository = self.repository();
        match self.host {
            NO_HOST => format!("{repository}:1"),
            host => format!("{host}/{repository}:1"),
        }
    }

    /// Returns the names of the pull secrets.
    pub(super) fn listed(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (number, listed) in self.listed.iter().enumerate() {
            let is_again = matches!(listed, Listed::Again);
            let same = names.last().cloned().filter(|_| is_again);
            names.push(same.unwrap_or_else(|| format!("{}-{number}", self.name)));
        }
        names
    }

    /// Returns the pull secrets that exist.
    pub(super) fn secrets(&self, namespace: &str) -> Vec<Value> {
        let named = self.listed().into_iter().zip(&self.listed);
        let made = named.filter_map(|(name, listed)| match listed {
            Listed::Made(secret) => Some(secret.manifest(&name, namespace)),
            Listed::Missing | Listed::Again => None,
        });
        made.collect()
    }

    /// Returns the pod. Its annotation makes Pullgate ignore it, in case Pullgate is installed.
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
    /// Returns the Secret as an object.
    pub(super) fn manifest(&self, name: &str, namespace: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": self.of_type,
            "metadata": {"name": name, "namespace": namespace},
            "data": {self.key: BASE64_STANDARD.encode(&self.content)},
        })
    }
}

/// Returns all pods of the table.
pub(super) fn pods() -> Vec<Pod> {
    [
        lists::secrets(),
        lists::order(),
        keys::globs_and_ports(),
        keys::spellings(),
        keys::paths(),
        keys::docker_hub(),
        contents::contents(),
        contents::fields(),
        contents::malformed(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns Secrets that the API server refuses.
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

/// Returns a Secret with one entry.
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

/// Returns a Secret of the older type `kubernetes.io/dockercfg`.
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
