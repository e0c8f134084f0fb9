//! The rules of the policy for the images of a pod, as admission applies them to a pod that is created now.

use super::evidence::{PodView, RuleView};
use crate::kubelet::image::Image;
use crate::objects::subject::Subject;
use crate::policy::Access;
use crate::policy::selector::Match;
use crate::verdict;
use crate::verdict::world::World;

/// Returns the rule for each image that the pod waits for.
#[must_use]
pub fn rules(world: &World<'_>, subject: &Subject<'_>, pod: &PodView) -> Vec<RuleView> {
    let namespace = world.namespace(subject);
    if world.policy.exempt(namespace) == Match::Yes {
        return vec![RuleView::None; pod.waiting.len()];
    }
    let injections = verdict::preview(world, subject).injections;
    let rule_of = |image: &str| {
        let Ok(image) = Image::parse(image) else {
            return RuleView::None;
        };
        let Some(found) = world.policy.rule_for(&image, namespace) else {
            return RuleView::None;
        };
        let rule = found.name.clone();
        match &found.access {
            Access::Node => RuleView::Node { rule },
            Access::Public => RuleView::Public { rule },
            Access::Secrets(names) => {
                let is_injected = injections
                    .iter()
                    .any(|injection| injection.rule.name == rule);
                let all: Vec<_> = names.iter().map(ToString::to_string).collect();
                let is_missing = |name: &&String| is_injected && !pod.listed.contains(name);
                let missing = all.iter().filter(is_missing).cloned().collect();
                RuleView::Secrets { rule, all, missing }
            }
        }
    };
    let images = pod.waiting.iter();
    images.map(|waiting| rule_of(&waiting.image)).collect()
}
