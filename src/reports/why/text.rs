//! The answer for a person: one screen for a pod.

use super::{Answer, ExplainedImage, ExplainedPod};
use crate::text::excerpt::clean;
use std::fmt::Write as _;

impl Answer {
    /// Writes the answer as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for pod in &self.pods {
            pod.write(&mut text);
        }
        for missing in &self.missing {
            let place = missing
                .namespace
                .as_ref()
                .map_or_else(String::new, |name| format!(" -n {name}"));
            let right = missing.right;
            let _ = writeln!(
                text,
                "your rights do not include {right}{place}, which would narrow the cause: kubectl auth can-i {right}{place}"
            );
        }
        text
    }
}

impl ExplainedPod {
    fn write(&self, text: &mut String) {
        let node = self
            .node
            .as_ref()
            .map_or_else(String::new, |node| format!(" on node {node}"));
        let _ = writeln!(text, "pod {}/{}{node}", self.namespace, self.pod);
        for image in &self.images {
            image.write(text);
        }
    }
}

impl ExplainedImage {
    fn write(&self, text: &mut String) {
        if let (Some(container), Some(image)) = (&self.container, &self.image) {
            let _ = writeln!(
                text,
                "  container {} waits for {}",
                clean(container),
                clean(image)
            );
        }
        let _ = writeln!(text, "  cause: {} ({})", self.message, word(&self.cause));
        if !self.candidates.is_empty() {
            let candidates: Vec<_> = self.candidates.iter().map(word).collect();
            let _ = writeln!(text, "    or: {}", candidates.join(", "));
        }
        if !self.evidence.message.is_empty() {
            let _ = writeln!(
                text,
                "  the node says: {}: {}",
                clean(&self.evidence.reason),
                clean(&self.evidence.message)
            );
        }
        for (number, tried) in self.credentials.iter().enumerate() {
            let _ = writeln!(
                text,
                "  {} {}: key {}, user {}",
                if number == 0 {
                    "the kubelet tries"
                } else {
                    "             then"
                },
                clean(&tried.secret),
                clean(&tried.key),
                clean(&tried.username)
            );
        }
        for command in &self.fix {
            let _ = writeln!(text, "  run: {command}");
        }
        if let Some(seconds) = self.heals {
            let _ = writeln!(
                text,
                "  it heals by itself: the next attempt is at most {seconds} s away"
            );
        }
    }
}

/// Returns the word for a value in JSON.
fn word(value: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(value).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}
