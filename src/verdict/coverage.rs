//! Which rule covers each image of a subject. Bans and injection both ask, so each image is read and looked up once.

use crate::kubelet::image::{Image, ImageError};
use crate::objects::subject::{ImageUse, Subject};
use crate::policy::RegistryRule;
use crate::verdict::world::World;
use std::cell::OnceCell;

/// The rules for the images of a subject, found when they are asked for.
pub(super) struct Coverage<'a> {
    world: World<'a>,
    subject: &'a Subject<'a>,
    found: OnceCell<Vec<Covering<'a>>>,
}

/// The rule for an image, or why it is none.
pub(super) type Covering<'a> = Result<Option<&'a RegistryRule>, ImageError>;

impl<'a> Coverage<'a> {
    pub(super) fn of(world: &World<'a>, subject: &'a Subject<'_>) -> Self {
        Self {
            world: *world,
            subject,
            found: OnceCell::new(),
        }
    }

    /// The images, in the order of their fields.
    pub(super) fn images(&self) -> impl Iterator<Item = (&'a ImageUse<'a>, &Covering<'a>)> {
        let pod = self.subject.object.pod.as_ref();
        let images = pod.map_or(&[][..], |pod| &pod.images);
        let found = self.found.get_or_init(|| {
            let rules = self
                .world
                .policy
                .rules_in(self.world.namespace(self.subject));
            let find = |image| rules.rule_for(&image);
            let look = |used: &'a ImageUse<'_>| Image::parse(&used.image).map(find);
            images.iter().map(look).collect()
        });
        images.iter().zip(found)
    }

    /// The rules for the images that are covered.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&'a ImageUse<'a>, &'a RegistryRule)> {
        let rule = |covering: &Covering<'a>| covering.as_ref().ok().copied().flatten();
        self.images()
            .filter_map(move |(used, covering)| Some((used, rule(covering)?)))
    }
}
