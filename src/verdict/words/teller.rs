//! Puts one finding into words: field, fault, reason, advice.

use super::secrets::{PullSecret, by};
use crate::kubelet::image::ImageError;
use crate::objects::kind::Kind;
use crate::objects::names::SecretName;
use crate::objects::subject::{ContainerList, ObjectSource, Place, Subject};
use crate::policy::selector::Match;
use crate::policy::{Ban, Exception};
use crate::text::excerpt::shorten;
use crate::verdict::finding::{Fault, Finding, Grounds, Origin, WhyNotDenied};
use crate::verdict::world::World;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;

/// The most patterns of a rule that a message names.
const MAX_PATTERNS: usize = 3;

/// A finding in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Field, fault and reason, without a full stop.
    pub message: String,
    /// The advice, the contact, and the page to read.
    pub help: Option<String>,
}

/// The level of detail about a ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything.
    Full,
    /// Without the reason, the contact and the page, because an earlier line has them.
    Brief,
}

/// Puts findings of one subject into words.
pub(super) struct Teller<'s> {
    pub(super) subject: &'s Subject<'s>,
    /// The most characters of a foreign text.
    most: usize,
    /// For each pull secret, the number of injected entries before it.
    injected_before: OnceCell<Vec<usize>>,
}

impl<'s> Teller<'s> {
    pub(super) fn new(subject: &'s Subject<'_>, most: usize) -> Self {
        Self {
            subject,
            most,
            injected_before: OnceCell::new(),
        }
    }

    /// Returns the whole sentence: field, fault, reason, advice, contact, page.
    pub(super) fn sentence(
        &self,
        world: &World<'_>,
        finding: &Finding<'_>,
        detail: Detail,
    ) -> String {
        let Told { message, help } = self.told(world, finding, detail);
        match help {
            Some(help) => format!("{message}. {help}"),
            None => message,
        }
    }

    pub(super) fn told(&self, world: &World<'_>, finding: &Finding<'_>, detail: Detail) -> Told {
        let what = self.short(finding);
        let (message, help) = match &finding.fault {
            Fault::Banned {
                ban,
                is_pull_secret,
                origin,
                ..
            } => {
                let fix = self.fix(world, ban, *is_pull_secret, *origin);
                by_ban(&what, &fix, ban, detail)
            }
            Fault::BannedSecret {
                ban,
                grounds: Grounds::Credential { .. },
            } => {
                let fix = match &ban.instead {
                    Some(instead) => format!("Use \"{instead}\" instead."),
                    None => "Use a separate credential that can only pull.".to_owned(),
                };
                by_ban(&what, &fix, ban, detail)
            }
            Fault::BannedSecret {
                ban,
                grounds: Grounds::TooManyEntries,
            } => {
                let fix =
                    "Split it into several Secrets, or keep only the entries that are needed.";
                by_ban(&what, fix, ban, detail)
            }
            Fault::Uncovered { .. } => {
                let help = "Use an image from a registry that the policy covers, or ask the owners of the policy for a rule.";
                (what, Some(help.to_owned()))
            }
            Fault::NoImage { .. } => (what, Some("Correct the image.".to_owned())),
            Fault::BannedSecret {
                grounds: Grounds::Name,
                ..
            }
            | Fault::TooLate { .. }
            | Fault::NotMountable { .. }
            | Fault::PullSecret { .. }
            | Fault::Lifted { .. } => (what, None),
        };
        Told { message, help }
    }

    /// Returns field and fault.
    pub(super) fn short(&self, finding: &Finding<'_>) -> String {
        let field = self.field(finding.place);
        match &finding.fault {
            Fault::Banned {
                secret,
                ban,
                origin,
                grounds,
                ..
            } => self.banned(&field, secret, *origin, &by(ban, grounds)),
            Fault::Uncovered { image } => format!(
                "{field} {} is not covered by a registry rule",
                self.quote(image)
            ),
            Fault::NoImage { image, error } => self.no_image(&field, image, error),
            Fault::TooLate { rule, secret } => {
                Self::too_late(&field, finding.place, &rule.name, secret)
            }
            Fault::NotMountable {
                secret,
                service_account,
                is_known,
            } => {
                let account = self.quote(service_account);
                let why = if *is_known {
                    "allows only the secrets that it lists; list it there"
                } else {
                    "is not known here, and may allow only the secrets that it lists; list it there"
                };
                format!("\"{secret}\" is not injected: ServiceAccount {account} {why}")
            }
            Fault::BannedSecret {
                ban,
                grounds: Grounds::Name,
            } => {
                format!(
                    "the name is banned by \"{}\": workloads that use it may be refused",
                    ban.name
                )
            }
            Fault::BannedSecret { ban, grounds } => format!("{field} holds {}", by(ban, grounds)),
            Fault::PullSecret {
                secret,
                wanted_for,
                trouble,
            } => {
                let registry = wanted_for.as_ref().map(|(_, registry)| registry.as_str());
                let namespace = &self.subject.namespace;
                PullSecret {
                    field: &field,
                    secret,
                    namespace,
                    registry,
                }
                .trouble(trouble, self.most)
            }
            Fault::Lifted { ban, exception } => lifted(*ban, exception),
        }
    }

    fn too_late(field: &str, place: Place, rule: &str, secret: &str) -> String {
        let advice = if matches!(place, Place::Image(ContainerList::Ephemeral, _)) {
            "use an image that it can pull"
        } else {
            "recreate it"
        };
        format!("{field} needs \"{secret}\" (rule \"{rule}\"), too late for this pod: {advice}")
    }

    fn no_image(&self, field: &str, image: &str, error: &ImageError) -> String {
        if let Some(rest) = credentials(image) {
            let rest = self.quote(rest);
            return format!(
                "{field} has a user and a password before {rest}, and is not a valid image reference"
            );
        }
        let error = shorten(&error.to_string(), self.most);
        format!(
            "{field} {} is not a valid image reference ({error})",
            self.quote(image)
        )
    }

    fn banned(&self, field: &str, secret: &str, origin: Origin<'_>, by: &str) -> String {
        let secret = self.quote(secret);
        match origin {
            Origin::Own => format!("{field} names {secret}, {by}"),
            Origin::Inherited(account) => {
                format!(
                    "{field} names {secret}, inherited from ServiceAccount {}, {by}",
                    self.quote(account)
                )
            }
            Origin::PossiblyInherited(account) => {
                let account = self.quote(account);
                format!(
                    "{field} names {secret}, possibly inherited from ServiceAccount {account}, {by}"
                )
            }
            Origin::PassedOn(account) => {
                format!(
                    "{field} {} passes {secret} on to the pods, {by}",
                    self.quote(account)
                )
            }
        }
    }

    fn quote(&self, text: &str) -> String {
        format!("\"{}\"", shorten(text, self.most))
    }

    /// Returns the path of a field as the author of the object knows it: injected entries before a pull secret do not
    /// count.
    pub(super) fn field(&self, place: Place) -> String {
        let mut place = place;
        if let Place::PullSecret(i) = &mut place
            && self.subject.source == ObjectSource::Request
        {
            *i -= self.injected_before().get(*i).copied().unwrap_or_default();
        }
        format!("{}{place}", self.subject.kind.path())
    }

    fn injected_before(&self) -> &[usize] {
        self.injected_before.get_or_init(|| {
            let (kind, object) = (self.subject.kind, &self.subject.object);
            let (Kind::Pod, Some(pod), Some(injected)) =
                (kind, &object.pod, &object.metadata.injected)
            else {
                return Vec::new();
            };
            let injected: HashSet<&str> = injected.split(',').collect();
            let mut count = 0;
            let before = |name: &Cow<'_, str>| {
                let before = count;
                count += usize::from(injected.contains(&**name));
                before
            };
            pod.pull_secrets.iter().map(before).collect()
        })
    }

    fn fix(
        &self,
        world: &World<'_>,
        ban: &Ban,
        is_pull_secret: bool,
        origin: Origin<'_>,
    ) -> String {
        let namespace = world.namespace(self.subject);
        let edit = |account| {
            format!(
                "(kubectl edit serviceaccount {} -n {})",
                shorten(account, self.most),
                shorten(namespace.name, self.most)
            )
        };
        let remove = match origin {
            Origin::Own => "Remove it".to_owned(),
            Origin::PassedOn(account) | Origin::Inherited(account) => {
                format!("Remove it there {}", edit(account))
            }
            Origin::PossiblyInherited(account) => {
                format!("Remove it here or there {}", edit(account))
            }
        };
        let Some(instead) = &ban.instead else {
            return format!("{remove}.");
        };
        match self.added_for(world, instead).filter(|_| is_pull_secret) {
            Some(images) => {
                let is_pod = self.subject.kind == Kind::Pod;
                let pods = if is_pod { "the pod" } else { "the pods" };
                format!("{remove}: \"{instead}\" is added to {pods} automatically for {images}.")
            }
            None => format!("{remove}. Use \"{instead}\" instead."),
        }
    }

    /// Returns the image patterns for which a secret is injected here, or `None` if it is not.
    fn added_for(&self, world: &World<'_>, secret: &SecretName) -> Option<String> {
        let namespace = world.namespace(self.subject);
        let rules = world.policy.rules_injecting(secret.as_str());
        let rules = rules.filter(|rule| rule.applies(namespace) != Match::No);
        let mut patterns = rules
            .flat_map(|rule| &rule.images)
            .map(ToString::to_string)
            .peekable();
        if world.injection_is_off(self.subject) || patterns.peek().is_none() {
            return None;
        }
        let named: Vec<_> = patterns.by_ref().take(MAX_PATTERNS).collect();
        let more = patterns.peek().map_or("", |_| ", …");
        Some(format!("{}{more}", named.join(", ")))
    }
}

/// Returns message and help of a ban: the reason, the fix, the contact and the page to read.
fn by_ban(what: &str, fix: &str, ban: &Ban, detail: Detail) -> (String, Option<String>) {
    let told = |text: &Option<String>| text.clone().filter(|_| detail == Detail::Full);
    let message = format!("{what}{}", reason(told(&ban.reason)));
    let help = format!("{fix}{}", whom(told(&ban.contact), told(&ban.docs)));
    (message, Some(help))
}

fn reason(reason: Option<String>) -> String {
    reason
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default()
}

/// Returns the contact and the page to read.
fn whom(contact: Option<String>, docs: Option<String>) -> String {
    let ask = contact.map(|contact| format!(" Ask {contact}."));
    let docs = docs.map(|docs| format!(" See {docs}"));
    format!("{}{}", ask.unwrap_or_default(), docs.unwrap_or_default())
}

/// Returns the text after a user and a password, or after a token, in a text that was meant as an image. Returns `None`
/// if it holds no such credentials.
pub(super) fn credentials(image: &str) -> Option<&str> {
    let algorithms = ["sha", "md", "blake"];
    let is_digest =
        |text: &str| algorithms.iter().any(|name| text.starts_with(name)) && !text.contains('/');
    let digest = image.rfind('@').filter(|at| is_digest(&image[at + 1..]));
    let at = image[..digest.unwrap_or(image.len())].rfind('@')?;
    Some(&image[at + 1..])
}

pub(super) fn why_not_denied(why: WhyNotDenied) -> Option<&'static str> {
    match why {
        WhyNotDenied::NotAsked | WhyNotDenied::AdmittedEarlier => None,
        WhyNotDenied::AlreadyThere => Some("it was there before"),
        WhyNotDenied::LabelsUnknown => Some("labels of the namespace unknown"),
        WhyNotDenied::InjectedByPolicy => Some("injected by the policy"),
        WhyNotDenied::Uncertain => Some("the account type is only a guess"),
    }
}

pub(super) fn lifted(ban: Option<&Ban>, exception: &Exception) -> String {
    let what = ban.map_or_else(
        || "\"unmatched\"".to_owned(),
        |ban| format!("ban \"{}\"", ban.name),
    );
    format!(
        "{what} is lifted until {} for {} ({})",
        exception.expires, exception.owner, exception.reason
    )
}
