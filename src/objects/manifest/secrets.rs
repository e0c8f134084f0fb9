//! The content of a Secret among manifests.

use super::Manifest;
use crate::kubelet::docker_config::{self, Bytes, CONFIG_KEY, Form};
use crate::objects::kind::Kind;
use crate::secrets::document::Filling;
use crate::text::base64;
use crate::text::yaml::Node;
use zeroize::Zeroizing;

/// A `data` that the API server would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the data of Secret {0:?} is not base64: the API server would refuse it")]
pub struct NoBase64(String);

impl Manifest {
    /// Whether it is a Secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// The type of a Secret, as the API server fills it in.
    #[must_use]
    pub fn secret_type(&self) -> &str {
        let given = self.node.get("type").and_then(Node::some_text);
        given.filter(|text| !text.is_empty()).unwrap_or("Opaque")
    }

    /// The keys of its `data` and `stringData`.
    pub fn data_keys(&self) -> impl Iterator<Item = &str> {
        let maps = ["data", "stringData"]
            .into_iter()
            .filter_map(|map| self.node.get(map));
        maps.flat_map(Node::entries)
            .filter_map(|(key, _)| key.text())
    }

    /// Returns the content that the kubelet reads of a docker-type Secret, or `None` if it ignores the Secret because
    /// of its type, or because the key is missing or empty. `stringData` wins, as in the API server.
    ///
    /// # Errors
    /// Its `data` is not base64.
    pub fn docker_content(&self) -> Result<Option<(Form, Bytes)>, NoBase64> {
        let form = self
            .node
            .get("type")
            .and_then(Node::text)
            .and_then(Form::of);
        let Some(form) = form.filter(|_| self.is_secret()) else {
            return Ok(None);
        };
        let text = |map| self.node.get(map)?.get(form.key())?.some_text();
        let content = match text("stringData") {
            Some(text) => Zeroizing::new(text.as_bytes().to_vec()),
            None => base64::decode(text("data").unwrap_or_default())
                .ok_or_else(|| NoBase64(self.name().unwrap_or_default().to_owned()))?,
        };
        Ok((!content.is_empty()).then_some((form, content)))
    }

    /// Returns the part of a registry credential that anyone can read in the file, and its field; `None` if there is
    /// none.
    ///
    /// Every value counts, not only the one that the kubelet reads: a credential is as public in a Secret of another
    /// type, under another key, or in `data` that `stringData` overrides. A value that SOPS has encrypted is not a
    /// credential to the readers of the file.
    #[must_use]
    pub fn held_credential(&self) -> Option<(Filling, String)> {
        if !self.is_secret() || self.node.get("sops").is_some() {
            return None;
        }
        let form = self
            .node
            .get("type")
            .and_then(Node::text)
            .and_then(Form::of);
        let maps = ["stringData", "data"]
            .into_iter()
            .filter_map(|map| Some((map, self.node.get(map)?)));
        let values =
            maps.flat_map(|(map, node)| node.entries().iter().map(move |entry| (map, entry)));
        let held = values.filter_map(|(map, (key, value))| {
            let (key, text) = (key.text()?, value.some_text()?);
            let is_meant = form.is_some_and(|form| form.key() == key);
            let may_be_bare =
                is_meant || key.trim_start_matches('.') == CONFIG_KEY.trim_start_matches('.');
            let filling = if map == "data" {
                filling_of_data(text, may_be_bare)
            } else {
                Filling::of(text.as_bytes(), may_be_bare)
            };
            // A text of another type or key is a placeholder of anything.
            let counts =
                filling == Filling::Credential || (is_meant && filling == Filling::Placeholder);
            counts.then(|| (filling, is_meant, format!("{map}[{key:?}]")))
        });
        let (filling, is_meant, field) =
            held.max_by_key(|(filling, is_meant, _)| (*filling, *is_meant))?;
        let is_of_type = form.is_some() && is_meant;
        Some((filling, if is_of_type { "type".to_owned() } else { field }))
    }

    /// Reads the credentials of the Secret, in the order of the text; none if the kubelet ignores it.
    ///
    /// # Errors
    /// The API server or the kubelet refuses the Secret. The text repeats no part of its value.
    pub fn credentials(&self) -> Result<Vec<docker_config::Entry>, CredentialsError> {
        Ok(match self.docker_content()? {
            Some((form, content)) => docker_config::read(form, &content)?,
            None => Vec::new(),
        })
    }
}

/// Returns the part of a credential that a value of `data` holds. In a template the value may be anything but base64,
/// and a credential that is not encoded is as public as one that is.
fn filling_of_data(text: &str, may_be_bare: bool) -> Filling {
    let plain = Filling::of(text.as_bytes(), may_be_bare);
    let encoded: String = text.split_ascii_whitespace().collect();
    match base64::decode(&encoded) {
        Some(decoded) if plain != Filling::Credential => Filling::of(&decoded, may_be_bare),
        Some(_) | None => plain,
    }
}

/// Why a Secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The API server refuses it.
    #[error(transparent)]
    Refused(#[from] NoBase64),
    /// The kubelet fails every pull.
    #[error(transparent)]
    Malformed(#[from] docker_config::Malformed),
}
