//! The reasons why the kubelet finds no credential in a Secret.

use crate::kubelet::docker_config::{self, CONFIG_JSON_TYPE, CONFIG_TYPE, Form};
use crate::objects::manifest::Manifest;
use crate::secrets::document::{DockerDocument, Layout};
use crate::text::excerpt::shorten;

/// The most characters that are shown of a foreign name.
const MAX_NAME: usize = 100;
/// The most keys of a Secret that are named in place of the missing key.
const MAX_KEYS: usize = 3;

/// Returns the reason that does not depend on the content: namespace, type, a missing key.
pub(super) fn by_its_face(secret: &Manifest, namespace: Option<&str>) -> Option<String> {
    if let Some((own, wanted)) = secret.namespace().zip(namespace)
        && own != wanted
    {
        return Some(format!(
            "it is in the namespace {own}, and a pod in {wanted} cannot use it"
        ));
    }
    let of_type = secret.secret_type();
    let Some(form) = Form::of(of_type) else {
        return Some(format!(
            "its type is {}, which the kubelet ignores: delete and recreate it with the type {CONFIG_JSON_TYPE} (a type cannot \
             be changed)",
            shorten(of_type, MAX_NAME)
        ));
    };
    let key = form.key();
    let keys: Vec<_> = secret.data_keys().collect();
    if keys.contains(&key) {
        return None;
    }
    let others: Vec<_> = keys
        .iter()
        .take(MAX_KEYS)
        .map(|key| shorten(key, MAX_NAME))
        .collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!(" (it has {})", others.join(", "))
    };
    Some(format!(
        "it has no key {key}{others}: the API server refuses such a Secret of type {of_type}"
    ))
}

/// Returns the reason for a Secret with an empty value.
pub(super) fn without_content(secret: &Manifest) -> String {
    let key = Form::of(secret.secret_type()).map_or("", Form::key);
    format!("its {key} is empty: the API server refuses it, because it is not JSON")
}

/// Returns the reason that lies in the form of the content.
pub(super) fn of_layout(form: Form, content: &[u8], is_without_entries: bool) -> Option<String> {
    let document = DockerDocument::read(content);
    let layout = document.map_or(Layout::Other, |document| document.layout());
    let reason = match (form, layout) {
        (Form::Config, Layout::InAuths) => format!(
            "its content has `auths`, which only the newer type knows: delete and recreate it with the type {CONFIG_JSON_TYPE}"
        ),
        (Form::ConfigJson, Layout::Bare) => format!(
            "its content has no `auths` around the entries, as the older type {CONFIG_TYPE} has it: put them into `auths`"
        ),
        (_, Layout::Helpers) => "its content only names credential helpers (`credHelpers`, `credsStore`), which the kubelet \
             does not run: it needs `auths` with a credential"
            .to_owned(),
        (Form::ConfigJson, Layout::Other) => {
            "its content has no `auths`: the kubelet finds no credential".to_owned()
        }
        (Form::ConfigJson, Layout::InAuths) | (Form::Config, Layout::Bare | Layout::Other) => {
            "its content has no entry yet".to_owned()
        }
    };
    let is_of_other_form = form == Form::Config && layout == Layout::InAuths;
    (is_without_entries || is_of_other_form).then_some(reason)
}

/// Returns hints about entries that the kubelet ignores, because their name is not a URL.
pub(super) fn ignored_keys(form: Form, content: &[u8]) -> Vec<String> {
    let document = DockerDocument::read(content);
    let names = document
        .iter()
        .flat_map(|document| document.names(form == Form::Config));
    let ignored = names.filter(|name| docker_config::key(name).is_none());
    let hints = ignored.map(|name| {
        // A user and a password may stand before the host.
        let shown = name.rsplit_once('@').map_or(name, |(_, host)| host);
        let shown = shorten(shown, MAX_NAME);
        let why = if name.trim() == name {
            "it is not a host"
        } else {
            "it has a space at one of its ends"
        };
        format!("the kubelet ignores the key {shown:?}: {why}")
    });
    hints.collect()
}

/// Returns the hint to add to a fault if the content was encoded with base64 twice.
pub(super) fn encoded_twice(content: &[u8]) -> Option<&'static str> {
    let is_encoded = DockerDocument::read(content).is_none();
    is_encoded.then(|| DockerDocument::read_encoded(content))??;
    Some(" (it is base64 of a Docker configuration: the content was encoded twice, encode it once)")
}
