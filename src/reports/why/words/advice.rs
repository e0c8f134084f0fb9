//! The advice about a cause: one sentence, and commands.

use super::super::cause::Evidence;
use crate::kubelet::image::Image;
use crate::text::excerpt::clean;

/// The longest pause between two attempts of the kubelet, in seconds (`MaxContainerBackOff` in
/// `pkg/kubelet/kubelet.go`).
pub(super) const LONGEST_BACK_OFF: u32 = 300;

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
    clean(&evidence.image.image)
}
