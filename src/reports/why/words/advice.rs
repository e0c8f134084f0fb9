//! The advice about a cause: one sentence, and commands.

use super::super::cause::Evidence;
use crate::kubelet::image::Image;
use crate::kubelet::userinfo::behind_credentials;
use crate::text::excerpt::{clean, shorten};

/// The longest pause between two attempts of the kubelet, in seconds (`MaxContainerBackOff` in
/// `pkg/kubelet/kubelet.go`).
pub(super) const LONGEST_BACK_OFF: u32 = 300;

/// The most characters of a name that are shown.
const MAX_NAME: usize = 200;
/// The most names that one sentence has.
const MAX_NAMES: usize = 5;

/// The advice about a cause.
#[derive(Debug, Default)]
pub(in super::super) struct Advice {
    /// One sentence.
    pub(in super::super) message: String,
    /// Commands to paste.
    pub(in super::super) fix: Vec<String>,
    /// The seconds after which the pull works without a change; `None` if it needs a change.
    pub(in super::super) heals: Option<u32>,
}

impl From<String> for Advice {
    fn from(message: String) -> Self {
        Self {
            message,
            ..Self::default()
        }
    }
}

/// Returns the registry of an image.
pub(super) fn host_of(image: &str) -> String {
    match Image::parse(image) {
        Ok(image) if !image.registry().is_empty() => image.registry().to_owned(),
        Ok(_) | Err(_) => "the registry".to_owned(),
    }
}

/// Returns the image in a form that can be shown.
pub(super) fn shown(evidence: &Evidence<'_>) -> String {
    name(without_credentials(&evidence.image.image))
}

/// Returns an image without a user and a password before it.
pub(in super::super) fn without_credentials(image: &str) -> &str {
    behind_credentials(image).unwrap_or(image)
}

/// Returns a name as it can be shown: a tenant may write any text there.
pub(super) fn name(text: &str) -> String {
    clean(&shorten(text, MAX_NAME))
}

/// Returns some names as they can be shown.
pub(super) fn names(texts: &[impl AsRef<str>]) -> String {
    let mut shown: Vec<_> = texts
        .iter()
        .take(MAX_NAMES)
        .map(|text| name(text.as_ref()))
        .collect();
    if texts.len() > MAX_NAMES {
        shown.push(format!("and {} more", texts.len() - MAX_NAMES));
    }
    shown.join(", ")
}
