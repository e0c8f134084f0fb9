//! The causes why a pod waits for its images: evidence in, causes out.
//!
//! The kubelet reports a failed pull as a text, and the same text can have several causes: a node says "no basic auth
//! credentials" if the pod lists no secret, a missing secret, a secret of the wrong type, or a secret for another
//! registry. So this module combines three things: the text of the node ([`texts`]), the credentials that the kubelet
//! would try with the Secrets of the pod ([`evidence::Simulation`]), and the rule of the policy. [`cause::decide`] is
//! the table that maps them to one cause.

pub mod cause;
pub mod evidence;
pub mod pod;
pub mod rules;
mod text;
pub mod texts;
mod words;

use crate::kubelet::image::Image;
use crate::text::excerpt::clean;
use crate::text::foreign::Confidential;
use cause::{Cause, Decision, Evidence};
use evidence::{
    ListedSecret, PodEvent, PodView, RuleView, SecretState, Simulation, TriedCredential,
    WaitingImage,
};
use serde::Serialize;

/// The answer about some pods. The keys are fixed: other programs read them.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    /// The pods, in the order in which they were read.
    pub pods: Vec<ExplainedPod>,
    /// Rights that the caller lacks.
    pub missing: Vec<MissingRight>,
}

/// A right that the caller lacks. With it, the answer could name a narrower cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MissingRight {
    /// The verb and the resource, as `kubectl auth can-i` takes them: `get secrets`.
    pub right: &'static str,
    /// The namespace, or `None` for a right in the whole cluster.
    pub namespace: Option<String>,
}

/// The answer about one pod.
#[derive(Debug, Serialize)]
pub struct ExplainedPod {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub pod: String,
    /// The node, if the pod has one.
    #[serde(skip)]
    pub node: Option<String>,
    /// The images that containers wait for; one entry with the cause `none`, `harmless` or `unscheduled` if no
    /// container waits.
    pub images: Vec<ExplainedImage>,
}

/// The answer about one image of a pod.
#[derive(Debug, Serialize)]
pub struct ExplainedImage {
    /// The container.
    pub container: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// The cause.
    pub cause: Cause,
    /// Causes that the evidence does not rule out.
    pub candidates: Vec<Cause>,
    /// The cause in one sentence.
    pub message: String,
    /// Commands that fix it.
    pub fix: Vec<String>,
    /// The seconds after which the pull works without a change; `None` if it needs a change.
    pub heals: Option<u32>,
    /// The texts of the node.
    pub evidence: NodeTexts,
    /// The credentials that the kubelet would try now, in its order.
    pub credentials: Vec<TriedCredential>,
    /// The answer of the registry: null, because no registry is asked.
    pub probe: (),
}

/// The texts of a node about an image.
#[derive(Debug, Default, Serialize)]
pub struct NodeTexts {
    /// The reason in the state of the container.
    pub reason: String,
    /// The message.
    pub message: String,
    /// The reason of the event that the message comes from, if it comes from an event.
    pub event: Option<String>,
}

/// Everything that is known about one pod.
#[derive(Debug)]
pub struct Known<'k> {
    /// The pod.
    pub pod: &'k PodView,
    /// Its events, the oldest first.
    pub events: &'k [PodEvent],
    /// The Secrets that it lists.
    pub secrets: &'k [ListedSecret],
    /// The rules for its images, in the order of [`PodView::waiting`].
    pub rules: &'k [RuleView],
    /// The names of the images on its node; `None` if the node could not be read.
    pub node_images: Option<&'k [String]>,
    /// The current time, in seconds of Unix time.
    pub now: i64,
}

impl Known<'_> {
    /// Explains the pod.
    #[must_use]
    pub fn explain(&self) -> ExplainedPod {
        let pod = self.pod;
        let secrets = self.secrets_by_events();
        let waiting = pod.waiting.iter().enumerate();
        let mut images: Vec<_> = waiting
            .map(|(number, image)| self.image(image, &secrets, self.rules.get(number)))
            .collect();
        if images.is_empty() {
            images.push(self.nothing_waits(&secrets));
        }
        ExplainedPod {
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            node: pod.node.clone(),
            images,
        }
    }

    fn image(
        &self,
        image: &WaitingImage,
        secrets: &[ListedSecret],
        rule: Option<&RuleView>,
    ) -> ExplainedImage {
        let simulation = Simulation::of(secrets, &image.image);
        let is_there = |images: &[String]| images.iter().any(|name| is_same(name, &image.image));
        let evidence = Evidence {
            pod: self.pod,
            image,
            secrets,
            simulation: &simulation,
            rule: rule.unwrap_or(&RuleView::Unknown),
            is_on_node: self.node_images.map(is_there),
            now: self.now,
        };
        let decision = cause::decide(&evidence);
        ExplainedImage::new(&evidence, decision)
    }

    /// Explains a pod in which no container waits for an image.
    fn nothing_waits(&self, secrets: &[ListedSecret]) -> ExplainedImage {
        let is_absent = |secret: &ListedSecret| secret.state == SecretState::Absent;
        let cause = if self.pod.node.is_none() {
            Cause::Unscheduled
        } else if secrets.iter().any(is_absent) {
            Cause::Harmless
        } else {
            Cause::None
        };
        let evidence = Evidence {
            pod: self.pod,
            image: &WaitingImage::default(),
            secrets,
            simulation: &Simulation::default(),
            rule: &RuleView::Unknown,
            is_on_node: None,
            now: self.now,
        };
        let explained = ExplainedImage::new(&evidence, cause.into());
        let message = if cause == Cause::None {
            "no container waits for an image".to_owned()
        } else {
            explained.message
        };
        ExplainedImage {
            container: None,
            image: None,
            message,
            ..explained
        }
    }

    /// Returns the listed Secrets. A Secret that the caller may not read counts as absent if the kubelet says so.
    fn secrets_by_events(&self) -> Vec<ListedSecret> {
        let absent = pod::not_found(self.events);
        let corrected = self.secrets.iter().map(|secret| {
            let is_absent =
                secret.state == SecretState::Unread && absent.contains(&secret.name.as_str());
            let state = if is_absent {
                SecretState::Absent
            } else {
                secret.state.clone()
            };
            ListedSecret {
                name: secret.name.clone(),
                state,
            }
        });
        corrected.collect()
    }
}

impl ExplainedImage {
    fn new(evidence: &Evidence<'_>, decision: Decision) -> Self {
        let advice = words::advise(evidence, &decision);
        // Only an image can hold a password: the Secrets were reduced when they were read.
        let mut foreign = Confidential::default();
        let shown = words::without_credentials(&evidence.image.image);
        let hidden = evidence.image.image.strip_suffix(shown).unwrap_or_default();
        for part in hidden.trim_end_matches('@').splitn(2, ':') {
            foreign.add(part.as_bytes());
        }
        let WaitingImage {
            container,
            image,
            reason,
            message,
            event,
            ..
        } = evidence.image;
        Self {
            container: Some(container.clone()),
            image: Some(words::without_credentials(image).to_owned()),
            cause: decision.cause,
            candidates: decision.candidates,
            message: clean(&advice.message),
            fix: advice.fix,
            heals: advice.heals,
            evidence: NodeTexts {
                reason: foreign.show(reason),
                message: foreign.show(message),
                event: event.as_ref().map(|event| event.reason.clone()),
            },
            credentials: evidence.simulation.tried.clone(),
            probe: (),
        }
    }
}

/// Returns whether two references name the same image. A node lists its images by their full names.
fn is_same(a: &str, b: &str) -> bool {
    let parts = |text| {
        let image = Image::parse(text).ok()?;
        let end = image
            .digest()
            .or(image.tag())
            .unwrap_or("latest")
            .to_owned();
        Some((
            image.registry().to_owned(),
            image.repository().to_owned(),
            end,
        ))
    };
    parts(a).is_some_and(|a| parts(b) == Some(a))
}

impl ExplainedPod {
    /// Returns the answer about a pod that cannot be explained.
    #[must_use]
    pub fn failed(namespace: &str, pod: &str, error: &str) -> Self {
        let explained = ExplainedImage {
            container: None,
            image: None,
            cause: Cause::Unknown,
            candidates: Vec::new(),
            message: clean(&format!("this pod cannot be explained: {error}")),
            fix: Vec::new(),
            heals: None,
            evidence: NodeTexts::default(),
            credentials: Vec::new(),
            probe: (),
        };
        Self {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            node: None,
            images: vec![explained],
        }
    }

    /// Returns whether a container of the pod waits for an image.
    #[must_use]
    pub fn waits(&self) -> bool {
        let waits =
            |image: &ExplainedImage| image.container.is_some() || image.cause == Cause::Unknown;
        self.images.iter().any(waits)
    }
}

impl Answer {
    /// Returns whether a cause was found that a user has to fix, or has to wait for.
    #[must_use]
    pub fn has_causes(&self) -> bool {
        let mut images = self.pods.iter().flat_map(|pod| &pod.images);
        images.any(|image| !matches!(image.cause, Cause::None | Cause::Harmless))
    }
}
