//! What a judgement depends on beside its subject.

use crate::facts::Facts;
use crate::objects::kind::Kind;
use crate::objects::subject::{INJECT, Operation, PodSpec, Subject};
use crate::policy::Policy;
use crate::policy::selector::Namespace;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// All that a judgement depends on beside its subject.
#[derive(Debug, Clone, Copy)]
pub struct World<'w> {
    /// The policy.
    pub policy: &'w Policy,
    /// What is known about the cluster.
    pub facts: &'w Facts,
    /// Whose creations are part of workloads that were judged before.
    pub controllers: &'w Controllers,
    /// Now.
    pub now: Timestamp,
}

/// The users as which built-in controllers create objects.
#[derive(Debug, Clone)]
pub struct Controllers {
    extra: Vec<String>,
}

impl<'w> World<'w> {
    /// The namespace of a subject, with what is known of its labels.
    #[must_use]
    pub fn namespace(&self, subject: &'w Subject<'_>) -> Namespace<'w> {
        Namespace {
            name: &subject.namespace,
            labels: self.facts.labels(&subject.namespace),
        }
    }
}

impl World<'_> {
    /// The day (UTC), by which exceptions end.
    #[must_use]
    pub fn today(&self) -> Date {
        self.now.to_zoned(TimeZone::UTC).date()
    }

    /// Whether injection is switched off for a subject, by its annotation or by the label of its namespace.
    #[must_use]
    pub fn injection_is_off(&self, subject: &Subject<'_>) -> bool {
        let label = self
            .facts
            .labels(&subject.namespace)
            .and_then(|labels| labels.get(INJECT));
        let is_off = |pod: &PodSpec<'_>| pod.inject_disabled;
        subject.object.pod.as_ref().is_some_and(is_off)
            || label.is_some_and(|value| **value == *"disabled")
    }
}

impl Controllers {
    /// The identity of kube-controller-manager without `--use-service-account-credentials`, which every distribution
    /// sets; with it each controller has a ServiceAccount of its own ([`Kind::controller`]).
    const MANAGER: &'static str = "system:kube-controller-manager";

    /// The built-in controllers, and these users.
    #[must_use]
    pub fn new(extra: Vec<String>) -> Self {
        Self { extra }
    }

    /// Whether one of these controllers creates the subject for a workload that it controls, so that the workload was
    /// judged when a person applied it.
    ///
    /// The identity of the caller decides, because anyone can write an ownerReference. The owner has to be a workload
    /// of a kind that this webhook judges, too: Argo Rollouts, say, makes `ReplicaSets` for Rollouts, and no Rollout was
    /// judged, so to trust Argo would lift the bans for every user who may create a Rollout.
    #[must_use]
    pub fn created(&self, subject: &Subject<'_>) -> bool {
        let owner = subject.object.metadata.controller.as_ref();
        subject.operation == Operation::Create
            && owner.is_some_and(|owner| owner.judged_kind().controller().is_some())
            && (is_built_in(&subject.user) || self.extra.iter().any(|user| *user == subject.user))
    }
}

fn is_built_in(user: &str) -> bool {
    let controller = user
        .strip_prefix("system:serviceaccount:kube-system:")
        .and_then(|user| user.strip_suffix("-controller"));
    user == Controllers::MANAGER
        || controller
            .is_some_and(|name| Kind::ALL.iter().any(|kind| kind.controller() == Some(name)))
}
