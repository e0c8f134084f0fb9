//! The content of a Secret among manifests.

use super::Manifest;
use crate::kubelet::docker_config::{self, Bytes, Form};
use crate::objects::kind::Kind;
use crate::text::base64;
use crate::text::yaml::Node;
use zeroize::Zeroizing;

/// A `data` that the API server would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the data of Secret {0:?} is no base64: the API server would refuse it")]
pub struct NoBase64(String);

impl Manifest {
    /// Whether it is a Secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// What the kubelet reads of a docker-type Secret; `None` where it ignores it: other types, and those whose key is
    /// missing or empty. `stringData` wins, as in the API server.
    ///
    /// # Errors
    /// Its `data` is no base64.
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

    /// Reads its credentials, in the order of the text; none where the kubelet ignores it.
    ///
    /// # Errors
    /// What the API server or the kubelet has against it, in words that repeat nothing of its value.
    pub fn credentials(&self) -> Result<Vec<docker_config::Entry>, CredentialsError> {
        Ok(match self.docker_content()? {
            Some((form, content)) => docker_config::read(form, &content)?,
            None => Vec::new(),
        })
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
