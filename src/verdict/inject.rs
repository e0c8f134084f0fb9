//! Which secrets a pod gets.

use super::coverage::Coverage;
use super::pull_secrets::{self, Listed};
use super::{Injection, PodPreview};
use crate::objects::kind::Kind;
use crate::objects::subject::{ObjectSource, Operation, Place, PodSpec, Subject};
use crate::policy::RegistryRule;
use crate::policy::selector::Match;
use crate::verdict::finding::{Effect, Fault, Finding, WhyNotDenied};
use crate::verdict::patch;
use crate::verdict::world::World;
use json_patch::Patch;

/// What injection comes to.
#[derive(Default)]
pub(super) struct InjectedPod<'a> {
    pub(super) patch: Option<Patch>,
    pub(super) findings: Vec<Finding<'a>>,
    pub(super) injections: Vec<Injection<'a>>,
}

/// Pods that are created get the secrets of the rules that cover their images, first and in the order of first use.
pub(super) fn inject<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
) -> InjectedPod<'a> {
    let Some(pod) = subject
        .object
        .pod
        .as_ref()
        .filter(|_| subject.kind == Kind::Pod && is_wanted(world, subject))
    else {
        return InjectedPod::default();
    };
    let plan = plan(world, subject, pod, coverage);
    let mut findings =
        pull_secrets::findings(world, subject, pod, plan.listed(world, subject, pod));
    let Plan {
        rules,
        wanted,
        refused,
        ..
    } = plan;
    findings.extend(refused.into_iter().map(|secret| not_mountable(pod, secret)));
    let injection = patch::put_first(pod, &subject.object.metadata, &wanted);
    let added = injection
        .as_ref()
        .map_or(&[][..], |injection| &injection.added);
    InjectedPod {
        injections: injections(&rules, |name| added.contains(&name)),
        findings,
        patch: injection.map(|injection| injection.patch),
    }
}

/// What the pods of a subject get that is not listed in it, be it a Pod or the template of some.
pub(super) fn preview<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
) -> PodPreview<'a> {
    let pod = subject.object.pod.as_ref();
    let Some(pod) = pod.filter(|_| is_wanted(world, subject)) else {
        return PodPreview::default();
    };
    let Plan {
        rules,
        wanted,
        refused,
        ..
    } = plan(world, subject, pod, coverage);
    let is_added = |name: &str| wanted.contains(&name) && !pod.lists(name);
    let refused = refused.into_iter();
    PodPreview {
        injections: injections(&rules, is_added),
        findings: refused.map(|secret| not_mountable(pod, secret)).collect(),
    }
}

/// What is wrong with the pull secrets that the pods of a template will have.
pub(super) fn predict_findings<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
) -> Vec<Finding<'a>> {
    let pod = subject.object.pod.as_ref();
    let Some(pod) =
        pod.filter(|_| world.facts.inventory().is_some() && is_left_to_us(world, subject))
    else {
        return Vec::new();
    };
    let plan = if world.injection_is_off(subject) {
        Plan::default()
    } else {
        plan(world, subject, pod, coverage)
    };
    pull_secrets::findings(world, subject, pod, plan.listed(world, subject, pod))
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
#[derive(Default)]
struct Plan<'a> {
    /// The rules that cover its images, in the order of first use.
    rules: Vec<&'a RegistryRule>,
    /// Their secrets that it may have.
    wanted: Vec<&'a str>,
    /// Those that its `ServiceAccount` does not allow.
    refused: Vec<&'a str>,
    /// Those that would do more harm than good.
    withheld: Vec<&'a str>,
}

impl<'a> Plan<'a> {
    /// The pull secrets that the pod will have in the end, and those that are withheld, each once.
    fn listed<'p>(
        &'p self,
        world: &'p World<'a>,
        subject: &'p Subject<'_>,
        pod: &'a PodSpec<'_>,
    ) -> impl Iterator<Item = Listed<'a>> + 'p {
        let given = self.wanted.iter().map(|name| (*name, false));
        let given = given.chain(self.withheld.iter().map(|name| (*name, true)));
        let given = given.map(|(secret, is_withheld)| Listed {
            secret,
            place: None,
            is_withheld,
        });
        let own = pod.pull_secrets.iter().enumerate();
        let own = own.map(|(i, name)| (&**name, Place::PullSecret(i)));
        // What the API server copies into a Pod that lists nothing.
        let is_template = subject.kind != Kind::Pod || subject.source == ObjectSource::Manifest;
        let account = world
            .facts
            .service_account(&subject.namespace, pod.service_account())
            .filter(|_| is_template && pod.pull_secrets.is_empty());
        let inherited = account
            .into_iter()
            .flat_map(|account| &account.image_pull_secrets);
        let inherited = inherited.map(|name| (&**name, Place::ServiceAccountName));
        let is_other = |(name, _): &(&str, Place)| !name.is_empty() && !self.wanted.contains(name);
        let others = own.chain(inherited).filter(is_other);
        given.chain(others.map(|(secret, place)| Listed {
            secret,
            place: Some(place),
            is_withheld: false,
        }))
    }
}

fn plan<'a>(
    world: &World<'a>,
    subject: &Subject<'_>,
    pod: &PodSpec<'_>,
    coverage: &Coverage<'a>,
) -> Plan<'a> {
    let rules = rules(coverage);
    let account = world
        .facts
        .service_account(&subject.namespace, pod.service_account());
    let is_allowed = |name: &str| {
        let listed = |list: &[Box<str>]| list.iter().any(|listed| **listed == *name);
        account.is_none_or(|account| {
            !account.enforce_mountable_secrets || listed(&account.image_pull_secrets)
        })
    };
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    for name in rules.iter().flat_map(|rule| rule.secret_names()) {
        let is_wanted = pod.lists(name) || is_allowed(name);
        let names = if is_wanted { &mut wanted } else { &mut refused };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let (withheld, wanted) = pull_secrets::harmful(world, subject, pod, wanted);
    Plan {
        rules,
        wanted,
        refused,
        withheld,
    }
}

fn is_wanted(world: &World<'_>, subject: &Subject<'_>) -> bool {
    subject.operation == Operation::Create
        && is_left_to_us(world, subject)
        && !world.injection_is_off(subject)
}

fn is_left_to_us(world: &World<'_>, subject: &Subject<'_>) -> bool {
    !subject.object.metadata.is_mirror_pod
        && !subject.is_deleting()
        && world.policy.exempt(world.namespace(subject)) != Match::Yes
}

/// The rules that cover the images of a pod, in the order of first use.
fn rules<'a>(coverage: &Coverage<'a>) -> Vec<&'a RegistryRule> {
    let mut rules: Vec<&RegistryRule> = Vec::new();
    for (_, rule) in coverage
        .rules()
        .filter(|(used, _)| used.is_pulled_at_start())
    {
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
        effect: Effect::Warn(WhyNotDenied::NotAsked),
    }
}
