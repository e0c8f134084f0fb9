//! The rule for each image of a subject. Bans and injection both ask, so each image is parsed and looked up once.

use crate::kubelet::image::{Image, ImageError};
use crate::objects::kind::Kind;
use crate::objects::subject::{ISTIO_NAMESPACE, ISTIO_REVISION, ImageUse, Place, Subject};
use crate::policy::RegistryRule;
use crate::policy::selector::Match;
use crate::verdict::world::World;
use std::cell::OnceCell;

/// The image that stands for another one: Istio's injector replaces it by the image of its proxy (`AutoImage` in
/// `pkg/kube/inject/webhook.go` of Istio).
const AUTO: &str = "auto";

/// The rules for the images of a subject, found at the first request.
pub(super) struct Coverage<'a> {
    world: World<'a>,
    subject: &'a Subject<'a>,
    /// `None` for a placeholder.
    found: OnceCell<Vec<Option<Covering<'a>>>>,
}

/// The rule for an image, if one covers it, or the reason why the reference cannot be parsed.
pub(super) type Covering<'a> = Result<Option<&'a RegistryRule>, ImageError>;

impl<'a> Coverage<'a> {
    pub(super) fn of(world: &World<'a>, subject: &'a Subject<'_>) -> Self {
        Self {
            world: *world,
            subject,
            found: OnceCell::new(),
        }
    }

    /// The images without placeholders, in the order of their fields.
    pub(super) fn images(&self) -> impl Iterator<Item = (&'a ImageUse<'a>, &Covering<'a>)> {
        let pod = self.subject.object.pod.as_ref();
        let images = pod.map_or(&[][..], |pod| &pod.images);
        let found = self.found.get_or_init(|| {
            let rules = self
                .world
                .policy
                .rules_in(self.world.namespace(self.subject));
            let find = |image| rules.rule_for(&image);
            let look = |used: &'a ImageUse<'_>| {
                let is_image = self.is_placeholder(used) != Match::Yes;
                is_image.then(|| Image::parse(&used.image).map(find))
            };
            images.iter().map(look).collect()
        });
        let found = images.iter().zip(found);
        found.filter_map(|(used, covering)| Some((used, covering.as_ref()?)))
    }

    /// The images of which it is certain that they are not placeholders.
    pub(super) fn certain_images(&self) -> impl Iterator<Item = (&'a ImageUse<'a>, &Covering<'a>)> {
        self.images()
            .filter(|(used, _)| self.is_placeholder(used) == Match::No)
    }

    /// Returns the rules for the covered images, without images that may be placeholders: no secret is predicted for
    /// those.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&'a ImageUse<'a>, &'a RegistryRule)> {
        let rule = |covering: &Covering<'a>| covering.as_ref().ok().copied().flatten();
        self.certain_images()
            .filter_map(move |(used, covering)| Some((used, rule(covering)?)))
    }

    /// Whether the image of a template stands for another one, which is put in its place before a Pod is created:
    /// `auto` under Istio's injection, and blanks, which the image triggers of `OpenShift` replace.
    ///
    /// A template only predicts its pods, and `auto` names no image that anyone wants. The image that Istio puts in its
    /// place is one of those that other webhooks add: the Pod of a controller is audited for them and not refused, with
    /// a placeholder in the template or without. In a Pod itself there are no placeholders: the API server refuses
    /// blanks there, and `auto` is `docker.io/library/auto`.
    pub(super) fn is_placeholder(&self, used: &ImageUse<'_>) -> Match {
        let Some(pod) =
            self.subject.object.pod.as_ref().filter(|_| {
                self.subject.kind != Kind::Pod && matches!(used.place, Place::Image(..))
            })
        else {
            return Match::No;
        };
        if used.image.trim().is_empty() {
            return Match::Yes;
        }
        let is_injected = if is_auto(&used.image) {
            pod.istio_injection.or_else(|| self.is_istio_namespace())
        } else {
            Some(false)
        };
        match is_injected {
            Some(true) => Match::Yes,
            Some(false) => Match::No,
            None => Match::Unknown,
        }
    }

    /// Whether Istio injects into all pods of the namespace; `None` where its labels are unknown.
    fn is_istio_namespace(&self) -> Option<bool> {
        let labels = self.world.namespace(self.subject).labels?;
        let is_enabled = labels
            .get(ISTIO_NAMESPACE)
            .is_some_and(|value| **value == *"enabled");
        Some(is_enabled || labels.contains_key(ISTIO_REVISION))
    }
}

/// Whether an image is the placeholder of Istio by its text.
pub(super) fn is_auto(image: &str) -> bool {
    image == AUTO
}
