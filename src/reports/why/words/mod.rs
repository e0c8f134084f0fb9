//! The sentence that names a cause, and the commands that fix it.

mod advice;
mod commands;
mod node;
mod secrets;

use super::cause::{Cause, Decision, Evidence};
use crate::kubelet::image::Image;
use crate::kubelet::mistake::Mistake;
use advice::{Advice, host_of, name, shown};

pub(super) use advice::without_credentials;

/// Returns the sentence and the commands for a decision.
pub(super) fn advise(evidence: &Evidence<'_>, decision: &Decision) -> Advice {
    let host = &*host_of(&evidence.image.image);
    match decision.cause {
        Cause::Harmless => secrets::harmless(evidence),
        Cause::SecretUnreadable => secrets::unreadable(evidence),
        Cause::RateLimited => node::rate_limited(evidence, host),
        Cause::SecretCameLater => secrets::came_later(evidence, host),
        Cause::InjectionMissed => secrets::injection_missed(evidence),
        Cause::SecretMissing => secrets::secret_missing(evidence, host),
        Cause::SecretWrongType => secrets::wrong_type(evidence, host),
        Cause::NoKeyForRegistry => secrets::no_key(evidence, host),
        Cause::NoSecret => secrets::no_secret(evidence, host),
        Cause::CredentialExpired => secrets::expired(evidence, host),
        Cause::CredentialRefused => secrets::credential_refused(evidence, host),
        Cause::NoRightOrNoRepository => secrets::no_right(evidence, host).into(),
        Cause::IdentityRefused => secrets::identity_refused(evidence, host).into(),
        Cause::InvalidName => invalid_name(&evidence.image.image).into(),
        Cause::Network => node::network(evidence, host).into(),
        Cause::None => node::pulling(evidence).into(),
        Cause::NeverPullAbsent => node::never_absent(evidence).into(),
        Cause::NeverPullNoAccess => node::never_no_access(evidence).into(),
        Cause::Tls => node::tls(evidence, host).into(),
        Cause::NoPlatform => node::no_platform(evidence).into(),
        Cause::Disk => node::disk(evidence).into(),
        Cause::NoProgress => node::no_progress(evidence, host).into(),
        Cause::Runtime => node::runtime(evidence).into(),
        Cause::MountFailed => node::mount_failed(evidence).into(),
        Cause::NodePolicy => node::policy(evidence).into(),
        Cause::NodeSide => node::node_side(evidence).into(),
        Cause::NotFound => not_found(evidence, host).into(),
        Cause::Unscheduled => "the pod has no node yet: this is not about images"
            .to_owned()
            .into(),
        Cause::Unknown => {
            let text = "Pullgate does not know this text of the node; it is shown below";
            text.to_owned().into()
        }
    }
}

fn invalid_name(image: &str) -> String {
    let shown = name(without_credentials(image));
    match Image::parse(image) {
        Ok(_) => format!("{shown:?} is not a valid image reference"),
        Err(error) => {
            let Mistake { what, meant } = Mistake::of(image, &error);
            let hidden = without_credentials(image) != image;
            let meant = meant.filter(|_| !hidden);
            let meant = meant.map_or_else(String::new, |meant| format!("; write {meant:?}"));
            format!("{shown:?} is not a valid image reference: {what}{meant}")
        }
    }
}

fn not_found(evidence: &Evidence<'_>, host: &str) -> String {
    let image = shown(evidence);
    format!("{host} has no such image: {image}; check repository, tag and digest")
}
