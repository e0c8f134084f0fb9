//! What is found wrong with an object.

use crate::kubelet::docker_config::Malformed;
use crate::objects::subject::Place;
use crate::policy::{Ban, Exception, RegistryRule};
use crate::secrets::account::{Account, Confidence};
use crate::verdict::code::FindingCode;

/// One fault in one object.
#[derive(Debug)]
pub struct Finding<'a> {
    /// The offending field.
    pub place: Place,
    /// What is wrong.
    pub fault: Fault<'a>,
    /// What comes of it.
    pub effect: Effect,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What whoever asked is told.
    pub message: String,
    /// Field and sentence of each finding that denies.
    pub causes: Vec<(String, String)>,
}

/// What is wrong.
#[derive(Debug)]
pub enum Fault<'a> {
    /// A reference to a banned secret.
    Banned {
        /// The secret.
        secret: &'a str,
        /// The ban.
        ban: &'a Ban,
        /// Whether it is a pull secret, which may be injected instead.
        is_pull_secret: bool,
        /// Who put it there.
        origin: Origin<'a>,
        /// What about it is banned.
        grounds: Grounds,
    },
    /// An image that no registry rule covers.
    Uncovered {
        /// The image.
        image: &'a str,
    },
    /// A text that is not an image reference, so that no rule covers it.
    NoImage {
        /// The image.
        image: &'a str,
        /// Why not.
        error: crate::kubelet::image::ImageError,
    },
    /// An image that came by an UPDATE, whose secret the pod lacks and cannot get any more.
    TooLate {
        /// The rule.
        rule: &'a RegistryRule,
        /// The first of its secrets that the pod lacks.
        secret: &'a str,
    },
    /// A secret that was not injected, because the `ServiceAccount` allows only what it lists.
    NotMountable {
        /// The secret.
        secret: &'a str,
        /// The `ServiceAccount`.
        service_account: &'a str,
        /// Whether the account is known. Otherwise it may allow only what it lists, by what was known before.
        is_known: bool,
    },
    /// A docker-type Secret that is created or changed.
    BannedSecret {
        /// The ban.
        ban: &'a Ban,
        /// What about it is banned.
        grounds: Grounds,
    },
    /// A pull secret that pods will have and that will not do what it is for.
    PullSecret {
        /// The secret.
        secret: &'a str,
        /// The rule that injects it, and the registry that it is for; `None` where somebody listed it.
        wanted_for: Option<(&'a RegistryRule, String)>,
        /// What is wrong.
        trouble: Trouble<'a>,
    },
    /// An image for which no pull secret that pods will have holds a credential.
    NoKey {
        /// The rule that says that the image needs one.
        rule: &'a RegistryRule,
        /// The registry of the image.
        registry: String,
        /// The first secret of the rule.
        secret: &'a str,
        /// The key of a credential that this secret has.
        other: Option<&'a str>,
    },
    /// A ban, or `unmatched` where none is given, that would have had something to say and is lifted.
    Lifted {
        /// The ban.
        ban: Option<&'a Ban>,
        /// The exception that lifts it.
        exception: &'a Exception,
    },
}

/// What about a Secret is banned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grounds {
    /// Its name.
    Name,
    /// A credential that it holds.
    Credential {
        /// Of which registry.
        registry: String,
        /// Whose it is, where that is banned.
        account: Option<Account>,
        /// In more than how many namespaces it is, where that is banned.
        shared_beyond: Option<u32>,
    },
    /// It has more entries than are read, so the accounts of its credentials are not known.
    TooManyEntries,
}

impl Grounds {
    /// Whether they rest on a guess about the account of a credential, which is not reason enough to refuse anything.
    #[must_use]
    pub fn is_guess(&self) -> bool {
        matches!(self, Self::Credential { account: Some(account), .. } if account.confidence == Confidence::Low)
    }
}

/// What is wrong with a pull secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// Its type is one that the kubelet ignores.
    WrongType {
        /// The type.
        of_type: &'a str,
    },
    /// The namespace has no Secret of a docker type of this name. It may have one of another type, which is not asked for.
    Missing {
        /// A namespace in which there is one of this name, and in how many more.
        elsewhere: Option<(&'a str, usize)>,
    },
    /// The kubelet fails every pull of a pod that lists it.
    Malformed {
        /// Why.
        error: Malformed,
        /// Whether it is not injected, because other images of the pod can be pulled without it.
        is_withheld: bool,
    },
    /// A credential in it has expired.
    Expired {
        /// Of which registry.
        registry: &'a str,
        /// When, in seconds of Unix time.
        at: i64,
    },
}

/// How a reference came into an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// Somebody wrote it there.
    Own,
    /// The template has none, so its pods get those of this `ServiceAccount`.
    PassedOn(&'a str),
    /// The pod got it from this `ServiceAccount`.
    Inherited(&'a str),
    /// The pod may have got it from this `ServiceAccount`, of which nothing is known.
    PossiblyInherited(&'a str),
}

/// What comes of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The object is refused.
    Deny,
    /// The object is admitted with a warning.
    Warn(WhyNotDenied),
    /// It is noted in the audit log.
    Audit(WhyNotDenied),
}

/// Why a finding does not deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNotDenied {
    /// Nothing asks for more: the mode of the ban, `unmatched`, or the kind of the fault.
    NotAsked,
    /// The old object had it already.
    AlreadyThere,
    /// It is a part of a workload that was admitted earlier.
    AdmittedEarlier,
    /// It may be exempt: that depends on labels of the namespace that are not known.
    LabelsUnknown,
    /// The policy itself injects the secret here.
    InjectedByPolicy,
    /// What kind of account it is, is a guess.
    Uncertain,
}

impl<'a> Fault<'a> {
    /// The code of the finding, for programs.
    #[must_use]
    pub fn code(&self) -> FindingCode {
        match self {
            Self::Banned { .. } | Self::Lifted { ban: Some(_), .. } => FindingCode::BannedSecret,
            Self::Uncovered { .. } | Self::Lifted { ban: None, .. } => FindingCode::UncoveredImage,
            Self::NoImage { .. } => FindingCode::InvalidImage,
            Self::TooLate { .. } => FindingCode::SecretMissing,
            Self::NotMountable { .. } => FindingCode::SecretNotMountable,
            Self::NoKey { .. } => FindingCode::NoKeyForRegistry,
            Self::BannedSecret { grounds, .. } => match grounds {
                Grounds::Name => FindingCode::BannedName,
                Grounds::Credential { .. } | Grounds::TooManyEntries => {
                    FindingCode::BannedCredential
                }
            },
            Self::PullSecret { trouble, .. } => match trouble {
                Trouble::WrongType { .. } => FindingCode::SecretWrongType,
                Trouble::Missing { .. } => FindingCode::SecretNotFound,
                Trouble::Malformed { .. } => FindingCode::SecretMalformed,
                Trouble::Expired { .. } => FindingCode::SecretExpired,
            },
        }
    }

    /// The ban that it is about.
    #[must_use]
    pub fn ban(&self) -> Option<&'a Ban> {
        match self {
            Self::Banned { ban, .. } | Self::BannedSecret { ban, .. } => Some(ban),
            Self::Lifted { ban, .. } => *ban,
            Self::Uncovered { .. }
            | Self::NoImage { .. }
            | Self::TooLate { .. }
            | Self::NotMountable { .. }
            | Self::PullSecret { .. }
            | Self::NoKey { .. } => None,
        }
    }
}

impl Effect {
    /// A warning in place of a denial.
    #[must_use]
    pub fn downgrade(self, why: WhyNotDenied) -> Self {
        if self == Self::Deny {
            Self::Warn(why)
        } else {
            self
        }
    }
}
