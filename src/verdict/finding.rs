//! Findings: the faults of an object.

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
    /// The fault.
    pub fault: Fault<'a>,
    /// The consequence.
    pub effect: Effect,
}

/// The denial of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The message for the client.
    pub message: String,
    /// The field and the sentence of each finding that denies.
    pub causes: Vec<(String, String)>,
}

/// The kinds of faults.
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
        /// The way by which the reference came into the object.
        origin: Origin<'a>,
        /// The grounds of the ban.
        grounds: Grounds,
    },
    /// An image that no registry rule covers.
    Uncovered {
        /// The image.
        image: &'a str,
    },
    /// An image reference that is not valid, so that no rule covers it.
    NoImage {
        /// The image.
        image: &'a str,
        /// The reason.
        error: crate::kubelet::image::ImageError,
    },
    /// An image that an UPDATE added. The pod lacks its secret and cannot get it any more.
    TooLate {
        /// The rule.
        rule: &'a RegistryRule,
        /// The first of its secrets that the pod lacks.
        secret: &'a str,
    },
    /// A secret that was not injected, because the `ServiceAccount` allows only the secrets that it lists.
    NotMountable {
        /// The secret.
        secret: &'a str,
        /// The `ServiceAccount`.
        service_account: &'a str,
        /// The account is known. An unknown account may restrict its pods, as far as its past is known.
        is_known: bool,
    },
    /// A docker-type Secret that is created or changed, and that a ban covers.
    BannedSecret {
        /// The ban.
        ban: &'a Ban,
        /// The grounds of the ban.
        grounds: Grounds,
    },
    /// A pull secret that the pods will have, but that cannot serve its purpose.
    PullSecret {
        /// The secret.
        secret: &'a str,
        /// The rule that injects it, and the registry that it is for; `None` if the object lists the secret itself.
        wanted_for: Option<(&'a RegistryRule, String)>,
        /// The trouble with the secret.
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
    /// A ban that an exception lifts, or `unmatched` if `ban` is `None`. Without the exception there would be a
    /// finding.
    Lifted {
        /// The ban.
        ban: Option<&'a Ban>,
        /// The exception that lifts it.
        exception: &'a Exception,
    },
}

/// The property of a Secret that a ban covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grounds {
    /// Its name.
    Name,
    /// A credential that it holds.
    Credential {
        /// The registry of the credential.
        registry: String,
        /// The account, if the ban covers a class of accounts.
        account: Option<Account>,
        /// The limit of namespaces that the credential exceeds, if the ban sets one.
        shared_beyond: Option<u32>,
    },
    /// It has more entries than Pullgate reads, so the accounts of its credentials are unknown.
    TooManyEntries,
}

impl Grounds {
    /// Returns whether the grounds rest on a guess about an account. A guess never denies.
    #[must_use]
    pub fn is_guess(&self) -> bool {
        matches!(self, Self::Credential { account: Some(account), .. } if account.confidence == Confidence::Low)
    }
}

/// The ways in which a pull secret fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// The kubelet ignores Secrets of its type.
    WrongType {
        /// The type.
        of_type: &'a str,
    },
    /// The namespace has no Secret of a docker type of this name. It may have one of another type: these are not read.
    Missing {
        /// Another namespace with a Secret of this name, and the number of further ones.
        elsewhere: Option<(&'a str, usize)>,
    },
    /// The kubelet fails every pull of a pod that lists the secret.
    Malformed {
        /// The reason.
        error: Malformed,
        /// Whether it is not injected, because other images of the pod can be pulled without it.
        is_withheld: bool,
    },
    /// A credential in it has expired.
    Expired {
        /// The registry of the credential.
        registry: &'a str,
        /// The time of expiry, in seconds of Unix time.
        at: i64,
    },
}

/// The way by which a reference came into an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// The author of the object wrote it.
    Own,
    /// The template lists no secret, so its pods get those of this `ServiceAccount`.
    PassedOn(&'a str),
    /// The pod got it from this `ServiceAccount`.
    Inherited(&'a str),
    /// The pod may have got it from this `ServiceAccount`, which is unknown.
    PossiblyInherited(&'a str),
}

/// The consequence of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The object is refused.
    Deny,
    /// The object is admitted with a warning.
    Warn(WhyNotDenied),
    /// The finding is noted in the audit log only.
    Audit(WhyNotDenied),
}

/// The reason why a finding does not deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNotDenied {
    /// Nothing demands a denial: the mode of the ban, `unmatched`, or the kind of the fault.
    NotAsked,
    /// The old object had it already.
    AlreadyThere,
    /// The object is a part of a workload that was admitted earlier.
    AdmittedEarlier,
    /// The namespace may be exempt; that depends on its labels, which are unknown.
    LabelsUnknown,
    /// The policy itself injects the secret here.
    InjectedByPolicy,
    /// The class of the account is a guess.
    Uncertain,
}

impl<'a> Fault<'a> {
    /// Returns the code of the finding, for programs.
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

    /// Returns the ban of the finding.
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
    /// Turns a denial into a warning, and leaves other effects as they are.
    #[must_use]
    pub fn downgrade(self, why: WhyNotDenied) -> Self {
        if self == Self::Deny {
            Self::Warn(why)
        } else {
            self
        }
    }
}
