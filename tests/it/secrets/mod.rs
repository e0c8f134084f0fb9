//! Tests of the facts about Secrets and their effects.

mod bans;
mod contents;
mod evasions;
mod growth;
mod injection;
mod inventory;
mod statistics;

use crate::support::{Setting, create, create_pod};
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::facts::inventory::{Inventory, InventoryMode, Names, SecretFacts};
use pullgate::kubelet::docker_config::Form;
use pullgate::secrets::credentials::{Content, FingerprintKey, SecretContent};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const POLICY: &str = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}
  - {name: harbor, images: [hub.corp], secrets: [harbor-pull, harbor-spare], product: harbor}
  - {name: public, images: [docker.io/library], public: true}
bans:
  - {name: admin-accounts, credentials: {class: [admin]}, reason: It can push and delete., contact: '#platform'}
  - {name: spread, credentials: {sharedAcrossNamespaces: 2}, instead: contoso-pull}
";

fn key() -> FingerprintKey {
    FingerprintKey::new(&[7; FingerprintKey::LENGTH]).unwrap()
}

/// The content of a Secret with one credential for each registry, user and password.
fn auths(entries: &[(&str, &str, &str)]) -> String {
    let auth = |(_, user, password): &(&str, &str, &str)| {
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    };
    let entries: serde_json::Map<_, _> = entries
        .iter()
        .map(|entry| (entry.0.to_owned(), json!({"auth": auth(entry)})))
        .collect();
    json!({"auths": entries}).to_string()
}

fn reduce(content: &str) -> Content {
    let bytes = Zeroizing::new(content.as_bytes().to_vec());
    let content = SecretContent::new(Form::ConfigJson, bytes).expect("not empty");
    content.reduce(Some(&key()))
}

fn facts(content: &str) -> SecretFacts {
    SecretFacts {
        form: Form::ConfigJson,
        content: reduce(content),
        changed: None,
    }
}

/// A world that knows these Secrets: namespace, name, content.
fn knowing(secrets: &[(&str, &str, String)]) -> Setting {
    let mut setting = Setting::new(POLICY);
    setting
        .facts
        .set_inventory_mode(InventoryMode::Contents, Some(key()));
    let (mut inventory, mut names) = (Inventory::default(), Names::default());
    for (namespace, name, content) in secrets {
        inventory.set(namespace, name, Some(facts(content)), &mut names);
    }
    setting.facts.set_inventory(inventory);
    setting.facts.set_service_accounts_synced();
    setting
}

fn pod(images: &[&str], secrets: &[&str]) -> Value {
    let named = |name: &&str| json!({"name": name});
    create_pod(json!({
        "containers": images.iter().map(|image| json!({"name": "c", "image": image})).collect::<Vec<_>>(),
        "imagePullSecrets": secrets.iter().map(named).collect::<Vec<_>>(),
    }))
}

fn secret(name: &str, content: &str) -> Value {
    create(
        "",
        "Secret",
        json!({
            "metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": BASE64_STANDARD.encode(content)},
        }),
    )
}

fn admin() -> String {
    auths(&[("contoso.azurecr.io", "contoso", "s3cret")])
}

fn token(password: &str) -> String {
    auths(&[("contoso.azurecr.io", "ci-pull", password)])
}
