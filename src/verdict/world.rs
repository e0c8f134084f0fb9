//! The input of a judgement apart from its subject.

use crate::facts::Facts;
use crate::objects::kind::Kind;
use crate::objects::subject::{INJECT, Operation, PodSpec, Subject};
use crate::policy::Policy;
use crate::policy::selector::Namespace;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Everything a verdict depends on except the object under review: policy, cluster facts, controllers, time.
#[derive(Debug, Clone, Copy)]
pub struct World<'w> {
    /// The policy.
    pub policy: &'w Policy,
    /// The facts about the cluster.
    pub facts: &'w Facts,
    /// The controllers that create parts of workloads that were judged before.
    pub controllers: &'w Controllers,
    /// The current time.
    pub now: Timestamp,
}

/// The user names of the controllers that create objects for workloads.
#[derive(Debug, Clone)]
pub struct Controllers {
    extra: Vec<String>,
}

impl<'w> World<'w> {
    /// Returns the namespace of a subject, with its labels as far as they are known.
    #[must_use]
    pub fn namespace(&self, subject: &'w Subject<'_>) -> Namespace<'w> {
        Namespace {
            name: &subject.namespace,
            labels: self.facts.labels(&subject.namespace),
        }
    }
}

impl World<'_> {
    /// Returns the day (UTC) that decides whether an exception has expired.
    #[must_use]
    pub fn today(&self) -> Date {
        self.now.to_zoned(TimeZone::UTC).date()
    }

    /// Returns whether injection is switched off for a subject, by its annotation or by the label of its namespace.
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
    /// The identity of kube-controller-manager without `--use-service-account-credentials`. Every distribution sets
    /// that flag; with it, each controller has a ServiceAccount of its own ([`Kind::controller`]).
    const MANAGER: &'static str = "system:kube-controller-manager";

    /// Combines the built-in controllers with these user names.
    #[must_use]
    pub fn new(extra: Vec<String>) -> Self {
        Self { extra }
    }

    /// Returns whether one of these controllers creates the subject for a workload that it controls. Then the workload
    /// was judged when a person applied it.
    ///
    /// The identity of the caller decides, because anyone can write an ownerReference. The owner must also be a
    /// workload of a kind that this webhook judges. Argo Rollouts, for example, creates `ReplicaSets` for Rollouts, and
    /// a Rollout is not judged: trusting Argo would lift the bans for every user who may create a Rollout.
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
