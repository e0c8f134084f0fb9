//! Classes of registry accounts, and the products that have such accounts: each is defined here once.

use schemars::JsonSchema;
use std::fmt;

/// A registry by the names that its accounts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Product {
    /// Harbor.
    Harbor,
    /// Sonatype Nexus Repository.
    Nexus,
    /// Artifactory.
    Artifactory,
    /// The container registry of GitLab.
    Gitlab,
    /// Quay.
    Quay,
    /// Azure Container Registry, under a domain of one's own.
    Acr,
}

/// The kind of account that a credential belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum AccountClass {
    /// The administrator of the registry.
    Admin,
    /// The account of a person.
    Personal,
    /// A robot account, scoped by the registry.
    Robot,
    /// A service principal of a cloud.
    ServicePrincipal,
    /// A token of limited rights.
    Token,
    /// A short-lived token of a node's own identity.
    NodeIdentity,
    /// Another or an unknown kind.
    Unknown,
}

/// The definition of a class of account: its words and its rank.
struct ClassDefinition {
    /// The word for it in the policy, in metrics and in reports.
    name: &'static str,
    /// The words for it in a message, after "holds ".
    phrase: &'static str,
    /// The order in which classes count if a Secret has several: the gravest has 0.
    rank: u8,
}

const fn define(name: &'static str, phrase: &'static str, rank: u8) -> ClassDefinition {
    ClassDefinition { name, phrase, rank }
}

impl AccountClass {
    /// All classes, in the order in which messages list them.
    pub const ALL: [Self; 7] = [
        Self::Admin,
        Self::Personal,
        Self::Robot,
        Self::ServicePrincipal,
        Self::Token,
        Self::NodeIdentity,
        Self::Unknown,
    ];

    const fn definition(self) -> ClassDefinition {
        match self {
            Self::Admin => define("admin", "an admin account", 0),
            Self::Personal => define("personal", "a personal account", 1),
            Self::ServicePrincipal => define("service-principal", "a service principal", 2),
            Self::NodeIdentity => define("node-identity", "a token of a node identity", 3),
            Self::Token => define("token", "a token", 4),
            Self::Robot => define("robot", "a robot account", 5),
            Self::Unknown => define("unknown", "an account of unknown kind", 6),
        }
    }

    /// Returns the word for the class in the policy, in metrics and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// Returns the words for the class in a message.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        self.definition().phrase
    }

    /// Returns the order in which classes count if a Secret has several: the gravest has 0.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self.definition().rank
    }
}

impl Product {
    /// All products, in the order in which messages list them.
    pub const ALL: [Self; 6] = [
        Self::Harbor,
        Self::Nexus,
        Self::Artifactory,
        Self::Gitlab,
        Self::Quay,
        Self::Acr,
    ];

    /// Returns the word for the product in the policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Harbor => "harbor",
            Self::Nexus => "nexus",
            Self::Artifactory => "artifactory",
            Self::Gitlab => "gitlab",
            Self::Quay => "quay",
            Self::Acr => "acr",
        }
    }
}

impl fmt::Display for AccountClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
