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
    Job,
    CronJob,
    ServiceAccount,
    Secret,
    ConfigMap,
    /// Anything else: always admitted.
    Other,
}

/// Everything that is said of a kind, in one place.
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

impl Kind {
    /// All kinds but [`Kind::Other`].
    pub const ALL: [Self; 12] = [
        Self::Pod,
        Self::PodTemplate,
        Self::ReplicationController,
        Self::ReplicaSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::ServiceAccount,
        Self::Secret,
        Self::ConfigMap,
    ];

    const fn definition(self) -> KindDefinition {
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
        let is_it = |known: &Self| known.name() == kind && known.group() == group;
        Self::ALL.into_iter().find(is_it).unwrap_or(Self::Other)
    }

    /// Its name, as `kind` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// Its group, empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        self.definition().group
    }

    /// Its resource, in the plural.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.definition().plural
    }

    /// The path of its pod spec, with a dot at its end; empty where it has none.
    #[must_use]
    pub const fn path(self) -> &'static str {
        self.definition().path
    }

    /// The name of the built-in controller that creates objects for it: `deployment` creates replica sets.
    #[must_use]
    pub const fn controller(self) -> Option<&'static str> {
        self.definition().controller
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
