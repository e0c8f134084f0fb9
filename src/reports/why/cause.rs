//! The decision: evidence in, cause out. Each row of the table maps to one cause.

use super::evidence::{
    ListedSecret, PodView, RuleView, SecretState, Simulation, TriedCredential, WaitingImage,
};
use super::texts::{self, PullText};
use serde::Serialize;

/// The cause of a pull that fails, or the absence of one. The words in JSON are fixed: other programs read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Nothing failed: no container waits, or the first pull is still under way.
    None,
    /// A listed Secret is missing beside the right one.
    Harmless,
    /// The image is not a valid reference.
    InvalidName,
    /// A listed Secret cannot be decoded.
    SecretUnreadable,
    /// The pull policy is `Never`, and the image is not on the node.
    NeverPullAbsent,
    /// The pull policy is `Never`, and no credential of this pod ever pulled the image that is on the node.
    NeverPullNoAccess,
    /// The node cannot reach the registry.
    Network,
    /// The registry's certificate is not accepted, or the registry speaks no TLS.
    Tls,
    /// The registry or the kubelet limits the rate of pulls.
    RateLimited,
    /// The image has no variant for the platform of the node.
    NoPlatform,
    /// The disk of the node is full, or fails.
    Disk,
    /// The pull was ended because no data came.
    NoProgress,
    /// The container runtime fails for another reason.
    Runtime,
    /// The image was pulled and cannot be mounted as a volume.
    MountFailed,
    /// The registry has no such repository, tag or digest.
    NotFound,
    /// No pull secret serves the image.
    NoSecret,
    /// The pod was created without the secrets that the policy gives it.
    InjectionMissed,
    /// A listed Secret does not exist.
    SecretMissing,
    /// A listed Secret is of a type that the kubelet ignores.
    SecretWrongType,
    /// No listed Secret has a key for the registry and path of the image.
    NoKeyForRegistry,
    /// The right Secret appeared after the last attempt.
    SecretCameLater,
    /// The credential has expired.
    CredentialExpired,
    /// The registry refuses the credential.
    CredentialRefused,
    /// The account has no right to the repository, or the repository does not exist; the registry does not say which.
    NoRightOrNoRepository,
    /// The node's own identity has no right.
    IdentityRefused,
    /// A policy of the node refuses the image.
    NodePolicy,
    /// The credential is there, and the node does not use it: the fault is on the node.
    NodeSide,
    /// The pod has no node yet.
    Unscheduled,
    /// The text of the node is not in the table.
    Unknown,
}

/// A cause, and the other causes that the evidence does not rule out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The narrowest cause that holds.
    pub cause: Cause,
    /// Causes that more evidence could show instead.
    pub candidates: Vec<Cause>,
}

/// Everything that the decision about one image depends on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'e> {
    /// The pod.
    pub pod: &'e PodView,
    /// The image and the texts of the node about it.
    pub image: &'e WaitingImage,
    /// The Secrets that the pod lists.
    pub secrets: &'e [ListedSecret],
    /// The credentials that the kubelet would try now.
    pub simulation: &'e Simulation,
    /// The rule of the policy for the image.
    pub rule: &'e RuleView,
    /// Whether the image is on the node; `None` if the node could not be read.
    pub is_on_node: Option<bool>,
    /// The time of the decision, in seconds of Unix time.
    pub now: i64,
}

impl From<Cause> for Decision {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            candidates: Vec::new(),
        }
    }
}

impl Decision {
    fn or(self, candidates: &[Cause]) -> Self {
        Self {
            candidates: candidates.to_vec(),
            ..self
        }
    }
}

/// Decides by the first row that applies.
#[must_use]
pub fn decide(evidence: &Evidence<'_>) -> Decision {
    let WaitingImage {
        reason, message, ..
    } = evidence.image;
    let meaning = texts::meaning(reason, message);
    if meaning == Some(PullText::InvalidName) {
        return Cause::InvalidName.into();
    }
    if meaning == Some(PullText::SecretUnreadable) || evidence.simulation.unreadable.is_some() {
        return Cause::SecretUnreadable.into();
    }
    match meaning {
        None if message.is_empty() => still_pulling(reason),
        None => Cause::Unknown.into(),
        Some(PullText::InvalidName) => Cause::InvalidName.into(),
        Some(PullText::SecretUnreadable) => Cause::SecretUnreadable.into(),
        Some(PullText::NeverPull) => never_pull(evidence.is_on_node),
        Some(PullText::Network | PullText::RegistryFails) => Cause::Network.into(),
        Some(PullText::Tls) => Cause::Tls.into(),
        Some(PullText::RateLimited | PullText::Throttled) => Cause::RateLimited.into(),
        Some(PullText::NoPlatform) => Cause::NoPlatform.into(),
        Some(PullText::Disk) => Cause::Disk.into(),
        Some(PullText::NoProgress) => Cause::NoProgress.into(),
        Some(PullText::Runtime) => Cause::Runtime.into(),
        Some(PullText::MountFailed) => Cause::MountFailed.into(),
        Some(PullText::NodePolicy) => Cause::NodePolicy.into(),
        Some(PullText::NotFound) => not_found(evidence),
        Some(PullText::NoCredentialSent) => none_sent(evidence),
        Some(PullText::CredentialRefused) => refused(evidence, Cause::CredentialRefused),
        // The text is the same with and without a credential.
        Some(PullText::ScopeRefused) if sent_none(evidence) => none_sent(evidence),
        Some(PullText::Forbidden | PullText::ScopeRefused) => {
            refused(evidence, Cause::NoRightOrNoRepository)
        }
    }
}

/// Decides on a state without a message: every back-off up to Kubernetes 1.31, later only the first attempt.
fn still_pulling(reason: &str) -> Decision {
    match reason {
        "ImagePullBackOff" | "ErrImagePull" => Cause::Unknown.into(),
        _ => Cause::None.into(),
    }
}

fn never_pull(is_on_node: Option<bool>) -> Decision {
    match is_on_node {
        Some(true) => Cause::NeverPullNoAccess.into(),
        // A node lists only its largest images.
        Some(false) | None => {
            Decision::from(Cause::NeverPullAbsent).or(&[Cause::NeverPullNoAccess])
        }
    }
}

/// Decides on "not found". It proves that the credential was accepted only if the node asked the registry itself: the
/// text of a mirror may hide the answer of the registry.
fn not_found(evidence: &Evidence<'_>) -> Decision {
    let decision = Decision::from(Cause::NotFound);
    if evidence.simulation.is_complete && evidence.simulation.tried.is_empty() {
        return decision.or(&[Cause::NoSecret]);
    }
    decision
}

/// Returns whether it is certain that the kubelet had no credential for the image.
fn sent_none(evidence: &Evidence<'_>) -> bool {
    evidence.simulation.is_complete && evidence.simulation.tried.is_empty()
}

/// Decides on a pull for which the node sent no credential.
fn none_sent(evidence: &Evidence<'_>) -> Decision {
    let Evidence {
        pod,
        secrets,
        simulation,
        rule,
        ..
    } = evidence;
    if !simulation.tried.is_empty() {
        let failed = evidence.image.failed;
        let was_there = |tried: &TriedCredential| {
            tried
                .changed
                .zip(failed)
                .is_some_and(|(changed, failed)| changed < failed)
        };
        // The node asks another host, by a mirror or a short name.
        return if simulation.tried.iter().all(was_there) {
            Cause::NodeSide.into()
        } else {
            Cause::SecretCameLater.into()
        };
    }
    if let RuleView::Node { .. } = rule {
        return Cause::IdentityRefused.into();
    }
    if let RuleView::Secrets { missing, .. } = rule
        && !missing.is_empty()
        && !pod.was_injected
    {
        return Cause::InjectionMissed.into();
    }
    let is = |wanted: fn(&SecretState) -> bool| secrets.iter().any(|secret| wanted(&secret.state));
    if pod.listed.is_empty() {
        return Cause::NoSecret.into();
    }
    let others: &[Cause] = if secrets.len() > 1 && simulation.is_complete {
        &[Cause::NoKeyForRegistry]
    } else {
        &[]
    };
    if is(|state| *state == SecretState::Absent) {
        return Decision::from(Cause::SecretMissing).or(others);
    }
    if !simulation.is_complete {
        return Decision::from(Cause::NoSecret).or(&[
            Cause::SecretMissing,
            Cause::SecretWrongType,
            Cause::NoKeyForRegistry,
            Cause::SecretCameLater,
        ]);
    }
    if is(|state| matches!(state, SecretState::OtherType(_) | SecretState::Empty)) {
        return Decision::from(Cause::SecretWrongType).or(others);
    }
    if !simulation.without_password.is_empty() {
        return Cause::NoSecret.into();
    }
    Cause::NoKeyForRegistry.into()
}

/// Decides on a request with a credential that the registry refused.
fn refused(evidence: &Evidence<'_>, cause: Cause) -> Decision {
    let Evidence {
        simulation, now, ..
    } = evidence;
    if sent_none(evidence) {
        // A 401 or 403 to a pull without a credential, or the Secrets of the pod have changed since.
        return none_sent(evidence).or(&[cause]);
    }
    let ends: Vec<_> = simulation.tried.iter().map(|tried| tried.expires).collect();
    let is_over = |end: &Option<i64>| end.is_some_and(|end| end <= *now);
    if !ends.is_empty() && ends.iter().all(is_over) {
        return Cause::CredentialExpired.into();
    }
    let mut candidates = Vec::new();
    if ends.iter().any(is_over) || !simulation.is_complete {
        candidates.push(Cause::CredentialExpired);
    }
    candidates.push(if cause == Cause::CredentialRefused {
        Cause::NoRightOrNoRepository
    } else {
        Cause::CredentialRefused
    });
    Decision::from(cause).or(&candidates)
}
