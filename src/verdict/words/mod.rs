//! What people are told: one sentence a finding.

mod limits;
mod secrets;

use crate::kubelet::image::ImageError;
use crate::objects::subject::{ContainerList, Kind, Place, Source, Subject};
use crate::policy::selector::Match;
use crate::policy::{Ban, Exception};
use crate::text::excerpt::{clean, shorten};
use crate::verdict::finding::{Denial, Effect, Fault, Finding, Grounds, Mercy, Origin, Trouble};
use crate::verdict::world::World;
use limits::{MAX_WARNING, WANTED};
use secrets::{LOGIN, PullSecret, by};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

pub use limits::{audit_key, note, within_limits};

/// How many findings a denial tells before it only counts them.
const MAX_LINES: usize = 10;
/// How many faults of a policy are told: whoever edits it is to mend them all.
const MAX_FAULTS: usize = 100;
/// How many findings a program is told of; an object of 3 MiB could have tens of thousands.
const MAX_CAUSES: usize = 100;
/// More findings than fit into warnings are not even put into words.
const MAX_WARNED: usize = 64;
/// How many patterns of a rule are named before it gets too long.
const MAX_PATTERNS: usize = 3;
/// How much of a name or an image is told. No name of an object is longer.
const MAX_QUOTED: usize = 253;
/// How much of an image is told in a warning, so that there is room to say what is wrong with it.
const MAX_QUOTED_IN_WARNING: usize = 100;

/// A finding in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Field, fault and reason, without a full stop.
    pub message: String,
    /// What to do, whom to ask, where to read.
    pub help: Option<String>,
}

/// Each finding in words, in all detail.
pub fn tell<'f>(
    world: &World<'f>,
    subject: &'f Subject<'f>,
    findings: &'f [Finding<'f>],
) -> impl Iterator<Item = Told> + 'f {
    let (teller, world) = (Teller::new(subject, MAX_QUOTED), *world);
    findings.iter().map(move |finding| {
        let mut told = teller.told(&world, finding, Detail::Full);
        if let Effect::Warn(mercy) = finding.effect {
            told.message
                .extend(why_not_denied(mercy).map(|why| format!("; {why}")));
            if mercy == Mercy::UnknownLabels {
                told.help = Some(format!(
                    "what comes of it depends on labels: add what `kubectl get namespace {} -o yaml` prints to the files",
                    subject.namespace
                ));
            }
        }
        Told {
            message: clean(&told.message),
            help: told.help.as_deref().map(clean),
        }
    })
}

/// The refusal that findings amount to, if they do.
#[must_use]
pub fn denial(
    world: &World<'_>,
    subject: &Subject<'_>,
    findings: &[Finding<'_>],
) -> Option<Denial> {
    let denying: Vec<_> = findings
        .iter()
        .filter(|finding| finding.effect == Effect::Deny)
        .collect();
    if denying.is_empty() {
        return None;
    }
    let teller = Teller::new(subject, MAX_QUOTED);
    let mut told: Vec<&Ban> = Vec::new();
    let lines = denying.iter().map(|finding| match finding.fault {
        Fault::Banned { ban, .. } if told.iter().any(|known| std::ptr::eq(*known, ban)) => {
            teller.sentence(world, finding, Detail::Brief)
        }
        Fault::Banned { ban, .. } => {
            told.push(ban);
            teller.sentence(world, finding, Detail::Full)
        }
        _ => teller.sentence(world, finding, Detail::Full),
    });
    let message = list(subject, denying.len(), MAX_LINES, lines);
    let cause = |finding: &&Finding<'_>| {
        (
            teller.field(finding.place),
            teller.sentence(world, finding, Detail::Full),
        )
    };
    Some(Denial {
        message,
        causes: denying.iter().take(MAX_CAUSES).map(cause).collect(),
    })
}

/// The refusal of a policy: where, and what, for each of its faults.
#[must_use]
pub fn policy_denial(subject: &Subject<'_>, faults: &[(String, String)]) -> Option<Denial> {
    let lines = faults.iter().map(|(_, line)| line.clone());
    (!faults.is_empty()).then(|| Denial {
        message: list(subject, faults.len(), MAX_FAULTS, lines),
        causes: faults.iter().take(MAX_FAULTS).cloned().collect(),
    })
}

/// What findings that only warn have to say.
#[must_use]
pub fn warnings(subject: &Subject<'_>, findings: &[Finding<'_>]) -> Vec<String> {
    let teller = Teller::new(subject, MAX_QUOTED_IN_WARNING);
    let (mut told, mut untold) = (Vec::new(), 0);
    for finding in findings {
        match finding.effect {
            Effect::Warn(mercy) if told.len() < MAX_WARNED => {
                told.push(teller.warning(finding, mercy));
            }
            Effect::Warn(_) => untold += 1,
            Effect::Deny | Effect::Audit(_) => {}
        }
    }
    within_limits(told.into_iter(), untold)
}

/// Notes for the audit log: of each ban the secrets that were named, and what came of it. Fields are left out: another
/// webhook can shift them between two calls for the same request, and the API server keeps the first value.
pub fn audit(notes: &mut BTreeMap<String, String>, findings: &[Finding<'_>]) {
    for finding in findings {
        let outcome = outcome(finding.effect);
        let (key, value) = match &finding.fault {
            Fault::Banned { ban, secret, .. } => (
                audit_key("ban", &ban.name),
                format!("{outcome} \"{secret}\""),
            ),
            Fault::BannedSecret { ban, grounds } => {
                let what = match grounds {
                    Grounds::Name => "the name",
                    Grounds::Credential { .. } => "the content",
                };
                (audit_key("ban", &ban.name), format!("{outcome} {what}"))
            }
            Fault::PullSecret {
                secret, trouble, ..
            } => {
                let what = match trouble {
                    Trouble::Missing { .. } => "missing",
                    Trouble::Malformed { .. } => "malformed",
                    Trouble::Expired { .. } => "expired",
                };
                ("pull-secret".to_owned(), format!("{what} \"{secret}\""))
            }
            Fault::Uncovered { image } | Fault::NoImage { image, .. } => {
                let image = credentials(image).unwrap_or(image);
                ("unmatched".to_owned(), format!("{outcome} \"{image}\""))
            }
            Fault::TooLate { rule, secret } => {
                (audit_key("missing", &rule.name), (*secret).to_owned())
            }
            Fault::NotMountable { secret, .. } => {
                ("not-mountable".to_owned(), (*secret).to_owned())
            }
            Fault::Lifted {
                ban: Some(ban),
                exception,
            } => (audit_key("lifted", &ban.name), lifted(Some(ban), exception)),
            Fault::Lifted {
                ban: None,
                exception,
            } => ("lifted".to_owned(), lifted(None, exception)),
        };
        note(notes, key, &value);
    }
}

/// `Deployment payments/api: SENTENCE`, or a short first line and one line each, of which no more are made than told.
fn list(
    subject: &Subject<'_>,
    count: usize,
    most: usize,
    sentences: impl Iterator<Item = String>,
) -> String {
    let subject = clean(&subject.to_string());
    let mut sentences = sentences.take(most).map(|sentence| clean(&sentence));
    if count == 1 {
        return format!("{subject}: {}", sentences.next().unwrap_or_default());
    }
    let mut text = format!("{subject}: {count} findings");
    for sentence in sentences {
        text.push_str("\n- ");
        text.push_str(&sentence);
    }
    if count > most {
        let _ = write!(text, "\nand {} more", count - most);
    }
    text
}

/// How much of a ban is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// All of it.
    Full,
    /// Not again why, whom to ask and where to read.
    Brief,
}

/// Puts findings of one subject into words.
struct Teller<'s> {
    subject: &'s Subject<'s>,
    /// How much is told of what others wrote.
    most: usize,
    /// How many entries before each pull secret were injected.
    injected_before: OnceCell<Vec<usize>>,
}

impl<'s> Teller<'s> {
    fn new(subject: &'s Subject<'_>, most: usize) -> Self {
        Self {
            subject,
            most,
            injected_before: OnceCell::new(),
        }
    }

    /// Field, fault, reason, what to do, whom to ask, where to read: the whole of it.
    fn sentence(&self, world: &World<'_>, finding: &Finding<'_>, detail: Detail) -> String {
        let Told { message, help } = self.told(world, finding, detail);
        match help {
            Some(help) => format!("{message}. {help}"),
            None => message,
        }
    }

    fn told(&self, world: &World<'_>, finding: &Finding<'_>, detail: Detail) -> Told {
        let what = self.short(finding);
        let (message, help) = match &finding.fault {
            Fault::Banned {
                ban,
                is_pull_secret,
                origin,
                ..
            } => {
                let told = |text: &Option<String>| text.clone().filter(|_| detail == Detail::Full);
                let fix = self.fix(world, ban, *is_pull_secret, *origin);
                (
                    format!("{what}{}", reason(told(&ban.reason))),
                    Some(format!(
                        "{fix}{}",
                        whom(told(&ban.contact), told(&ban.docs))
                    )),
                )
            }
            Fault::BannedSecret {
                ban,
                grounds: Grounds::Credential { .. },
            } => {
                let told = |text: &Option<String>| text.clone().filter(|_| detail == Detail::Full);
                let fix = match &ban.instead {
                    Some(instead) => format!("Use \"{instead}\" instead."),
                    None => "Use a credential of its own that can only pull.".to_owned(),
                };
                (
                    format!("{what}{}", reason(told(&ban.reason))),
                    Some(format!(
                        "{fix}{}",
                        whom(told(&ban.contact), told(&ban.docs))
                    )),
                )
            }
            Fault::Uncovered { .. } => {
                let help = "Use an image from a registry that the policy knows, or ask its owners for a rule.";
                (what, Some(help.to_owned()))
            }
            Fault::NoImage { .. } => (what, Some("Correct the image.".to_owned())),
            _ => (what, None),
        };
        Told { message, help }
    }

    /// Field and fault.
    fn short(&self, finding: &Finding<'_>) -> String {
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
                "{field} {} is covered by no registry rule",
                self.quote(image)
            ),
            Fault::NoImage { image, error } => self.no_image(&field, image, error),
            Fault::TooLate { rule, secret } => {
                let advice = match finding.place {
                    Place::Image(ContainerList::Ephemeral, _) => "use an image that it can pull",
                    _ => "recreate it",
                };
                format!(
                    "{field} needs \"{secret}\" (rule \"{}\"), too late for this pod: {advice}",
                    rule.name
                )
            }
            Fault::NotMountable {
                secret,
                service_account,
            } => format!(
                "\"{secret}\" is not injected: ServiceAccount {} allows only what it lists; list it there",
                self.quote(service_account)
            ),
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

    fn no_image(&self, field: &str, image: &str, error: &ImageError) -> String {
        if let Some(rest) = credentials(image) {
            let rest = self.quote(rest);
            return format!(
                "{field} has a user and a password before {rest}, and is no image reference"
            );
        }
        let error = shorten(&error.to_string(), self.most);
        format!(
            "{field} {} is no image reference ({error})",
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

    /// The path of a field as whoever wrote the object knows it: of the list of a pod, what was injected before it does
    /// not count.
    fn field(&self, place: Place) -> String {
        let place = match place {
            Place::PullSecret(i) if self.subject.source == Source::Request => {
                Place::PullSecret(i - self.injected_before().get(i).copied().unwrap_or_default())
            }
            place => place,
        };
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
        let rules = world
            .policy
            .rules_injecting(instead)
            .filter(|rule| rule.applies(namespace) != Match::No);
        let mut patterns = rules
            .flat_map(|rule| &rule.images)
            .map(ToString::to_string)
            .peekable();
        if !is_pull_secret || world.injection_is_off(self.subject) || patterns.peek().is_none() {
            return format!("{remove}. Use \"{instead}\" instead.");
        }
        let whose = if self.subject.kind == Kind::Pod {
            "the pod"
        } else {
            "the pods"
        };
        let images = patterns
            .by_ref()
            .take(MAX_PATTERNS)
            .collect::<Vec<_>>()
            .join(", ");
        let more = if patterns.peek().is_some() {
            ", …"
        } else {
            ""
        };
        format!("{remove}: \"{instead}\" is added to {whose} by itself for {images}{more}.")
    }

    /// A finding in the 120 characters that a warning should have, where it fits. What to do is worth more than that.
    fn warning(&self, finding: &Finding<'_>, mercy: Mercy) -> String {
        let mut text = match &finding.fault {
            Fault::Lifted { .. } => self.short(finding),
            _ => format!("{}: {}", self.subject, self.short(finding)),
        };
        text.extend(why_not_denied(mercy).map(|why| format!("; {why}")));
        match &finding.fault {
            Fault::PullSecret {
                trouble: Trouble::Missing { elsewhere },
                ..
            } => {
                if text.chars().count() > MAX_WARNING {
                    text = text.replace(LOGIN, " ...");
                }
                append(&mut text, elsewhere.map(secrets::elsewhere), MAX_WARNING);
            }
            Fault::Banned { ban, .. } => {
                let instead = ban.instead.as_ref();
                let instead = instead.map(|instead| format!("; use \"{instead}\""));
                append(&mut text, instead, MAX_WARNING);
                let reason = ban.reason.as_ref().map(|reason| format!(" ({reason})"));
                append(&mut text, reason, WANTED);
            }
            _ => {}
        }
        text
    }
}

/// Adds to a text what it has room for.
fn append(text: &mut String, part: Option<String>, most: usize) {
    let part = part.unwrap_or_default();
    if text.chars().count() + part.chars().count() <= most {
        text.push_str(&part);
    }
}

fn reason(reason: Option<String>) -> String {
    reason
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default()
}

/// Whom to ask and where to read.
fn whom(contact: Option<String>, docs: Option<String>) -> String {
    let ask = contact.map(|contact| format!(" Ask {contact}."));
    let docs = docs.map(|docs| format!(" See {docs}"));
    format!("{}{}", ask.unwrap_or_default(), docs.unwrap_or_default())
}

/// What comes after a user and a password, or a token, in what was meant as an image; `None` where there is none.
fn credentials(image: &str) -> Option<&str> {
    let algorithms = ["sha", "md", "blake"];
    let is_digest =
        |text: &str| algorithms.iter().any(|name| text.starts_with(name)) && !text.contains('/');
    let digest = image.rfind('@').filter(|at| is_digest(&image[at + 1..]));
    let at = image[..digest.unwrap_or(image.len())].rfind('@')?;
    Some(&image[at + 1..])
}

fn lifted(ban: Option<&Ban>, exception: &Exception) -> String {
    let what = ban.map_or_else(
        || "\"unmatched\"".to_owned(),
        |ban| format!("ban \"{}\"", ban.name),
    );
    format!(
        "{what} is lifted until {} for {} ({})",
        exception.expires, exception.owner, exception.reason
    )
}

fn why_not_denied(mercy: Mercy) -> Option<&'static str> {
    match mercy {
        Mercy::None | Mercy::Running => None,
        Mercy::Old => Some("it was there before"),
        Mercy::UnknownLabels => Some("labels of the namespace unknown"),
        Mercy::InjectedHere => Some("injected by the policy"),
        Mercy::Unsure => Some("what it is, is a guess"),
    }
}

fn outcome(effect: Effect) -> &'static str {
    match effect {
        Effect::Deny => "denied",
        Effect::Warn(Mercy::Old) => "admitted, was there before:",
        Effect::Warn(Mercy::UnknownLabels) => "admitted, namespace unknown:",
        Effect::Warn(Mercy::InjectedHere) => "admitted, injected by the policy:",
        Effect::Warn(Mercy::Unsure) => "admitted, what it is being a guess:",
        Effect::Warn(_) => "warned of",
        Effect::Audit(Mercy::Running) => "admitted, workload was admitted earlier:",
        Effect::Audit(_) => "audited",
    }
}
