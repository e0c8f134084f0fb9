//! Which secrets a pod gets.

use crate::finding::{Effect, Fault, Finding, Mercy};
use crate::image::Image;
use crate::patch;
use crate::policy::RegistryRule;
use crate::selector::{Match, Namespace};
use crate::subject::{ContainerList, Kind, Operation, Place, PodSpec, Subject};
use crate::words;
use crate::world::World;
use json_patch::Patch;

/// What injection comes to.
#[derive(Default)]
pub(super) struct Injected<'a> {
    pub(super) patch: Option<Patch>,
    pub(super) findings: Vec<Finding<'a>>,
    pub(super) audit: Vec<(String, String)>,
}

/// Pods that are created get the secrets of the rules that cover their images, first and in the order of first use.
pub(super) fn inject<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Injected<'a> {
    let namespace = world.namespace(subject);
    let Some(pod) = subject
        .object
        .pod
        .as_ref()
        .filter(|_| is_wanted(world, subject, namespace))
    else {
        return Injected::default();
    };
    let rules = rules(world, pod, namespace);
    let mut wanted: Vec<&str> = Vec::new();
    for name in rules.iter().flat_map(|rule| rule.secret_names()) {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    let account = world
        .facts
        .service_account(&subject.namespace, pod.service_account());
    let is_allowed = |name: &str| {
        let listed = |list: &[Box<str>]| list.iter().any(|listed| **listed == *name);
        account.is_none_or(|account| {
            !account.enforce_mountable_secrets || listed(&account.image_pull_secrets)
        })
    };
    let is_listed = |name: &str| pod.pull_secrets.iter().any(|listed| listed == name);
    let (wanted, refused): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .partition(|name| is_listed(name) || is_allowed(name));
    let injection = patch::put_first(pod, &subject.object.metadata, &wanted);
    let added = injection
        .as_ref()
        .map_or(&[][..], |injection| &injection.added);
    let audit = rules.iter().filter_map(|rule| {
        let names = rule.secret_names().filter(|name| added.contains(name));
        let names: Vec<_> = names.collect();
        (!names.is_empty()).then(|| (words::audit_key("injected", &rule.name), names.join(",")))
    });
    Injected {
        audit: audit.collect(),
        findings: refused
            .into_iter()
            .map(|secret| not_mountable(pod, secret))
            .collect(),
        patch: injection.map(|injection| injection.patch),
    }
}

fn is_wanted(world: &World<'_>, subject: &Subject<'_>, namespace: Namespace<'_>) -> bool {
    subject.kind == Kind::Pod
        && subject.operation == Operation::Create
        && !subject.object.metadata.is_mirror_pod
        && !world.injection_is_off(subject)
        && world.policy.exempt(namespace) != Match::Yes
}

/// The rules that cover the images of a pod, in the order of first use.
fn rules<'a>(
    world: &World<'a>,
    pod: &PodSpec<'_>,
    namespace: Namespace<'_>,
) -> Vec<&'a RegistryRule> {
    let mut rules: Vec<&RegistryRule> = Vec::new();
    let pulled_at_start = |place| !matches!(place, Place::Image(ContainerList::Ephemeral, _));
    for used in pod.images.iter().filter(|used| pulled_at_start(used.place)) {
        let Ok(image) = Image::parse(&used.image) else {
            continue;
        };
        let Some(rule) = world.policy.rule_for(&image, namespace) else {
            continue;
        };
        if !rules.iter().any(|known| std::ptr::eq(*known, rule)) {
            rules.push(rule);
        }
    }
    rules
}

fn not_mountable<'a>(pod: &'a PodSpec<'_>, secret: &'a str) -> Finding<'a> {
    Finding {
        place: Place::ServiceAccountName,
        fault: Fault::NotMountable {
            secret,
            service_account: pod.service_account(),
        },
        effect: Effect::Warn(Mercy::None),
    }
}
