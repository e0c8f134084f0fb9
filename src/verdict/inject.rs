//! Which secrets a pod gets.

use super::coverage::Coverage;
use super::distinct::{Distinct, NameList};
use super::pull_secrets::{self, Listed, Wanted};
use super::{Injection, PodPreview};
use crate::objects::kind::Kind;
use crate::objects::subject::{ObjectSource, Operation, Place, PodSpec, Subject};
use crate::policy::selector::Match;
use crate::verdict::finding::{Effect, Fault, Finding, WhyNotDenied};
use crate::verdict::patch;
use crate::verdict::world::World;
use json_patch::Patch;
use std::collections::HashSet;

/// The result of an injection.
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
    let mut findings = plan.findings(world, subject, pod, coverage);
    let Plan {
        uses,
        wanted,
        refused,
        ..
    } = plan;
    let refused = refused.as_slice().iter();
    findings.extend(refused.map(|secret| not_mountable(world, subject, pod, secret)));
    let injection = patch::put_first(pod, &subject.object.metadata, wanted.as_slice());
    let added = injection.iter().flat_map(|injection| &injection.added);
    let added: Distinct<&str> = added.copied().collect();
    InjectedPod {
        injections: injections(uses.as_slice(), |name| added.contains(&name)),
        findings,
        patch: injection.map(|injection| injection.patch),
    }
}

/// Returns the secrets that the pods of a subject (a Pod or a template) get beyond those that it lists.
pub(super) fn preview<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
) -> PodPreview<'a> {
    let pod = subject.object.pod.as_ref();
    let Some(pod) = pod.filter(|_| is_wanted(world, subject)) else {
        return PodPreview::default();
    };
    let plan = plan(world, subject, pod, coverage);
    let mut findings = if subject.source == ObjectSource::Manifest {
        plan.findings(world, subject, pod, coverage)
    } else {
        Vec::new()
    };
    let Plan {
        uses,
        wanted,
        refused,
        own,
        ..
    } = plan;
    let is_added = |name: &str| wanted.contains(&name) && !own.contains(name);
    let refused = refused.as_slice().iter();
    findings.extend(refused.map(|secret| not_mountable(world, subject, pod, secret)));
    PodPreview {
        injections: injections(uses.as_slice(), is_added),
        findings,
    }
}

/// Returns the faults of the pull secrets that the pods of a template will have.
pub(super) fn predict_findings<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
) -> Vec<Finding<'a>> {
    let Some((pod, plan)) = predicted(world, subject, coverage) else {
        return Vec::new();
    };
    plan.findings(world, subject, pod, coverage)
}

/// The pull secrets that the pods of a subject will have and that are not there.
pub(super) fn absent_secrets<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
) -> HashSet<&'a str> {
    let Some((pod, plan)) = predicted(world, subject, coverage) else {
        return HashSet::new();
    };
    pull_secrets::absent(world, subject, plan.listed(world, subject, pod))
}

/// Returns the secrets that the pods of a subject will get, or `None` if Secrets are not known or the subject is left
/// alone.
fn predicted<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
) -> Option<(&'a PodSpec<'a>, Plan<'a>)> {
    let pod = subject.object.pod.as_ref()?;
    let is_asked = world.facts.inventory().is_some() && is_left_to_us(world, subject);
    let plan = || {
        if world.injection_is_off(subject) {
            Plan {
                own: NameList::of(&pod.pull_secrets),
                ..Plan::default()
            }
        } else {
            plan(world, subject, pod, coverage)
        }
    };
    is_asked.then(|| (pod, plan()))
}

fn injections<'a>(uses: &[Wanted<'a>], is_added: impl Fn(&str) -> bool) -> Vec<Injection<'a>> {
    let of = |wanted: &Wanted<'a>| {
        let rule = wanted.rule;
        let secrets: Vec<_> = rule.secret_names().filter(|name| is_added(name)).collect();
        (!secrets.is_empty()).then_some(Injection { rule, secrets })
    };
    uses.iter().filter_map(of).collect()
}

/// The secrets that a pod should get.
#[derive(Default)]
struct Plan<'a> {
    /// The rules that cover its images, each with the first one, in the order of first use.
    uses: Distinct<Wanted<'a>>,
    /// The secrets that it lists itself.
    own: NameList<'a>,
    /// Their secrets that it may have.
    wanted: Distinct<&'a str>,
    /// Those that its `ServiceAccount` does not allow.
    refused: Distinct<&'a str>,
    /// Those that would do more harm than good.
    withheld: Distinct<&'a str>,
}

impl<'a> Plan<'a> {
    /// Returns the faults of the pull secrets that the pod will have.
    fn findings(
        &self,
        world: &World<'a>,
        subject: &Subject<'_>,
        pod: &'a PodSpec<'_>,
        coverage: &Coverage<'a>,
    ) -> Vec<Finding<'a>> {
        let listed = self.listed(world, subject, pod);
        let mut findings = pull_secrets::findings(world, subject, self.uses.as_slice(), listed);
        // Pods of a template without a list get that of a ServiceAccount, which may not be known.
        let account = world
            .facts
            .service_account(&subject.namespace, pod.service_account());
        let knows_list = !gets_list(subject, pod) || account.is_some();
        let is_complete = knows_list && self.refused.as_slice().is_empty();
        if is_complete && !self.uses.as_slice().is_empty() {
            let listed = || self.listed(world, subject, pod);
            let rules = coverage.rules();
            findings.extend(pull_secrets::without_key(world, subject, rules, listed));
        }
        findings
    }

    /// The pull secrets that the pod will have in the end, and those that are withheld, each once.
    fn listed<'p>(
        &'p self,
        world: &'p World<'a>,
        subject: &'p Subject<'_>,
        pod: &'a PodSpec<'_>,
    ) -> impl Iterator<Item = Listed<'a>> + 'p {
        let given = self.wanted.as_slice().iter().map(|name| (*name, false));
        let given = given.chain(self.withheld.as_slice().iter().map(|name| (*name, true)));
        let given = given.map(|(secret, is_withheld)| Listed {
            secret,
            place: None,
            is_withheld,
        });
        let own = pod.pull_secrets.iter().enumerate();
        let own = own.map(|(i, name)| (&**name, Place::PullSecret(i)));
        let account = world
            .facts
            .service_account(&subject.namespace, pod.service_account())
            .filter(|_| gets_list(subject, pod));
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

/// Whether the API server will copy the list of a `ServiceAccount` into the pods of a subject, because they list
/// nothing. It has already done so for a Pod of a request.
fn gets_list(subject: &Subject<'_>, pod: &PodSpec<'_>) -> bool {
    let is_template = subject.kind != Kind::Pod || subject.source == ObjectSource::Manifest;
    is_template && pod.pull_secrets.is_empty()
}

fn plan<'a>(
    world: &World<'a>,
    subject: &Subject<'_>,
    pod: &'a PodSpec<'_>,
    coverage: &Coverage<'a>,
) -> Plan<'a> {
    let own = NameList::of(&pod.pull_secrets);
    let uses = first_uses(coverage);
    let account = world
        .facts
        .service_account(&subject.namespace, pod.service_account());
    let mountable = account
        .filter(|account| account.enforce_mountable_secrets)
        .map(|account| account.image_pull_secrets.iter().map(AsRef::as_ref));
    let mountable: Option<Distinct<&str>> = mountable.map(Iterator::collect);
    let may_be_restricted = account.is_none()
        && world
            .facts
            .may_enforce_mountable_secrets(&subject.namespace, pod.service_account());
    let is_allowed = |name: &str| {
        !may_be_restricted && mountable.as_ref().is_none_or(|names| names.contains(&name))
    };
    let (mut wanted, mut refused) = (Distinct::default(), Distinct::default());
    for name in uses
        .as_slice()
        .iter()
        .flat_map(|used| used.rule.secret_names())
    {
        if own.contains(name) || is_allowed(name) {
            wanted.add(name);
        } else {
            refused.add(name);
        }
    }
    let withheld = pull_secrets::harmful(world, subject, pod, &own, uses.as_slice(), &wanted);
    if !withheld.as_slice().is_empty() {
        let all = wanted.as_slice().iter().copied();
        wanted = all.filter(|name| !withheld.contains(name)).collect();
    }
    Plan {
        uses,
        own,
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

/// The rules that cover the images of a pod, each with its first image, in the order of first use.
fn first_uses<'a>(coverage: &Coverage<'a>) -> Distinct<Wanted<'a>> {
    let pulled = coverage.rules();
    let pulled = pulled.filter(|(used, _)| used.is_pulled_at_start());
    pulled.map(|(used, rule)| Wanted { used, rule }).collect()
}

fn not_mountable<'a>(
    world: &World<'a>,
    subject: &Subject<'_>,
    pod: &'a PodSpec<'_>,
    secret: &'a str,
) -> Finding<'a> {
    let service_account = pod.service_account();
    let account = world
        .facts
        .service_account(&subject.namespace, service_account);
    Finding {
        place: Place::ServiceAccountName,
        fault: Fault::NotMountable {
            secret,
            service_account,
            is_known: account.is_some(),
        },
        effect: Effect::Warn(WhyNotDenied::NotAsked),
    }
}
