//! Which secrets a pod gets.

use super::{Injection, Preview};
use crate::finding::{Effect, Fault, Finding, Mercy};
use crate::image::Image;
use crate::patch;
use crate::policy::RegistryRule;
use crate::selector::{Match, Namespace};
use crate::subject::{ContainerList, Kind, Operation, Place, PodSpec, Subject};
use crate::world::World;
use json_patch::Patch;

/// What injection comes to.
#[derive(Default)]
pub(super) struct Injected<'a> {
    pub(super) patch: Option<Patch>,
    pub(super) findings: Vec<Finding<'a>>,
    pub(super) injections: Vec<Injection<'a>>,
}

/// Pods that are created get the secrets of the rules that cover their images, first and in the order of first use.
pub(super) fn inject<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Injected<'a> {
    let Some(pod) = subject
        .object
        .pod
        .as_ref()
        .filter(|_| subject.kind == Kind::Pod && is_wanted(world, subject))
    else {
        return Injected::default();
    };
    let Plan {
        rules,
        wanted,
        refused,
    } = plan(world, subject, pod);
    let injection = patch::put_first(pod, &subject.object.metadata, &wanted);
    let added = injection
        .as_ref()
        .map_or(&[][..], |injection| &injection.added);
    Injected {
        injections: injections(&rules, |name| added.contains(&name)),
        findings: refused
            .into_iter()
            .map(|secret| not_mountable(pod, secret))
            .collect(),
        patch: injection.map(|injection| injection.patch),
    }
}

/// What the pods of a subject get that is not listed in it, be it a Pod or the template of some.
pub(super) fn preview<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Preview<'a> {
    let pod = subject.object.pod.as_ref();
    let Some(pod) = pod.filter(|_| is_wanted(world, subject)) else {
        return Preview::default();
    };
    let Plan {
        rules,
        wanted,
        refused,
    } = plan(world, subject, pod);
    let is_added = |name: &str| wanted.contains(&name) && !is_listed(pod, name);
    let refused = refused.into_iter();
    Preview {
        injections: injections(&rules, is_added),
        findings: refused.map(|secret| not_mountable(pod, secret)).collect(),
    }
}

fn injections<'a>(
    rules: &[&'a RegistryRule],
    is_added: impl Fn(&str) -> bool,
) -> Vec<Injection<'a>> {
    let of = |rule: &&'a RegistryRule| {
        let secrets: Vec<_> = rule.secret_names().filter(|name| is_added(name)).collect();
        (!secrets.is_empty()).then_some(Injection { rule, secrets })
    };
    rules.iter().filter_map(of).collect()
}

/// What a pod is to get.
struct Plan<'a> {
    /// The rules that cover its images, in the order of first use.
    rules: Vec<&'a RegistryRule>,
    /// Their secrets that it may have.
    wanted: Vec<&'a str>,
    /// Those that its `ServiceAccount` does not allow.
    refused: Vec<&'a str>,
}

fn plan<'a>(world: &World<'a>, subject: &Subject<'_>, pod: &PodSpec<'_>) -> Plan<'a> {
    let rules = rules(world, pod, world.namespace(subject));
    let mut names: Vec<&str> = Vec::new();
    for name in rules.iter().flat_map(|rule| rule.secret_names()) {
        if !names.contains(&name) {
            names.push(name);
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
    let (wanted, refused) = names
        .into_iter()
        .partition(|name| is_listed(pod, name) || is_allowed(name));
    Plan {
        rules,
        wanted,
        refused,
    }
}

fn is_listed(pod: &PodSpec<'_>, name: &str) -> bool {
    pod.pull_secrets.iter().any(|listed| listed == name)
}

fn is_wanted(world: &World<'_>, subject: &Subject<'_>) -> bool {
    subject.operation == Operation::Create
        && !subject.object.metadata.is_mirror_pod
        && !world.injection_is_off(subject)
        && world.policy.exempt(world.namespace(subject)) != Match::Yes
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
