//! The kinds of objects that are judged: each is defined here once.

use std::fmt;

/// The kinds that are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "these are the kinds of Kubernetes")]
pub enum Kind {
    Pod,
    PodTemplate,
    ReplicationController,
    ReplicaSet,
    Deployment,
    StatefulSet,
    DaemonSet,
    ControllerRevision,
    Job,
    CronJob,
    ServiceAccount,
    Secret,
    ConfigMap,
    /// Anything else: always admitted.
    Other,
}

/// Everything that is said of a kind, in one place.
#[derive(Clone, Copy)]
struct KindDefinition {
    name: &'static str,
    /// Empty for the core group. The version is always `v1`.
    group: &'static str,
    /// The resource in URLs, in webhook rules and in roles.
    plural: &'static str,
    /// The path of the pod spec, with a dot at its end; empty where the object has none.
    path: &'static str,
    /// The controller of kube-controller-manager that creates objects for it: the ServiceAccount
    /// `kube-system/NAME-controller` (`cmd/kube-controller-manager/names/controller_names.go`).
    controller: Option<&'static str>,
}

/// The definitions by number, [`Kind::Other`] last: every review asks for the kind of an object by its name.
static DEFINITIONS: [KindDefinition; Kind::ALL.len() + 1] = {
    let mut definitions = [Kind::Other.define(); Kind::ALL.len() + 1];
    let mut number = 0;
    while number < Kind::ALL.len() {
        definitions[Kind::ALL[number] as usize] = Kind::ALL[number].define();
        number += 1;
    }
    definitions
};

impl Kind {
    /// All kinds but [`Kind::Other`].
    pub const ALL: [Self; 13] = [
        Self::Pod,
        Self::PodTemplate,
        Self::ReplicationController,
        Self::ReplicaSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ControllerRevision,
        Self::Job,
        Self::CronJob,
        Self::ServiceAccount,
        Self::Secret,
        Self::ConfigMap,
    ];

    const fn define(self) -> KindDefinition {
        match self {
            Self::Pod => KindDefinition {
                path: "spec.",
                ..KindDefinition::core("Pod", "pods")
            },
            Self::PodTemplate => KindDefinition {
                path: "template.spec.",
                ..KindDefinition::core("PodTemplate", "podtemplates")
            },
            Self::ReplicationController => KindDefinition {
                path: "spec.template.spec.",
                controller: Some("replication"),
                ..KindDefinition::core("ReplicationController", "replicationcontrollers")
            },
            Self::ReplicaSet => KindDefinition::app("ReplicaSet", "replicasets", "replicaset"),
            Self::Deployment => KindDefinition::app("Deployment", "deployments", "deployment"),
            Self::StatefulSet => KindDefinition::app("StatefulSet", "statefulsets", "statefulset"),
            Self::DaemonSet => KindDefinition::app("DaemonSet", "daemonsets", "daemon-set"),
            // StatefulSets and DaemonSets keep their earlier templates in it, and pods of StatefulSets are made from
            // it.
            Self::ControllerRevision => KindDefinition {
                path: "data.spec.template.spec.",
                controller: None,
                ..KindDefinition::app("ControllerRevision", "controllerrevisions", "")
            },
            Self::Job => KindDefinition {
                group: "batch",
                ..KindDefinition::app("Job", "jobs", "job")
            },
            Self::CronJob => KindDefinition {
                group: "batch",
                path: "spec.jobTemplate.spec.template.spec.",
                ..KindDefinition::app("CronJob", "cronjobs", "cronjob")
            },
            Self::ServiceAccount => KindDefinition::core("ServiceAccount", "serviceaccounts"),
            Self::Secret => KindDefinition::core("Secret", "secrets"),
            Self::ConfigMap => KindDefinition::core("ConfigMap", "configmaps"),
            Self::Other => KindDefinition::core("Other", ""),
        }
    }

    /// The kind of an object by its group and kind.
    #[must_use]
    pub fn of(group: &str, kind: &str) -> Self {
        let is_it = |known: &KindDefinition| known.name == kind && known.group == group;
        let number = DEFINITIONS.iter().position(is_it);
        let known = number.and_then(|number| Self::ALL.get(number));
        known.copied().unwrap_or(Self::Other)
    }

    /// The kind of an object by its `apiVersion` and `kind`. The version does not matter.
    #[must_use]
    pub fn of_object(api_version: &str, kind: &str) -> Self {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        Self::of(group, kind)
    }

    /// Its name, as `kind` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        DEFINITIONS[self as usize].name
    }

    /// Its group, empty for the core group.
    #[must_use]
    pub fn group(self) -> &'static str {
        DEFINITIONS[self as usize].group
    }

    /// Its resource, in the plural.
    #[must_use]
    pub fn plural(self) -> &'static str {
        DEFINITIONS[self as usize].plural
    }

    /// The path of its pod spec, with a dot at its end; empty where it has none.
    #[must_use]
    pub fn path(self) -> &'static str {
        DEFINITIONS[self as usize].path
    }

    /// The name of the built-in controller that creates objects for it: `deployment` creates replica sets.
    #[must_use]
    pub fn controller(self) -> Option<&'static str> {
        DEFINITIONS[self as usize].controller
    }
}

impl KindDefinition {
    /// A kind of the core group without pods.
    const fn core(name: &'static str, plural: &'static str) -> Self {
        Self {
            name,
            group: "",
            plural,
            path: "",
            controller: None,
        }
    }

    /// A workload of the group `apps`.
    const fn app(name: &'static str, plural: &'static str, controller: &'static str) -> Self {
        Self {
            group: "apps",
            path: "spec.template.spec.",
            controller: Some(controller),
            ..Self::core(name, plural)
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn kinds_are_found_by_group_and_name() {
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number, "{kind}");
            assert_eq!(Kind::of(kind.group(), kind.name()), kind);
            assert_eq!(Kind::of("example.com", kind.name()), Kind::Other);
        }
        assert_eq!(Kind::of("", "Other"), Kind::Other);
        assert_eq!(Kind::of_object("apps/v1", "ReplicaSet"), Kind::ReplicaSet);
        assert_eq!(Kind::of_object("v1", "Pod"), Kind::Pod);
        assert_eq!(Kind::of_object("", "Pod"), Kind::Pod);
        assert_eq!(Kind::of_object("v1", "ReplicaSet"), Kind::Other);
        assert_eq!(Kind::of("apps", "Pod"), Kind::Other);
    }
}
