//! What people are told: one sentence a finding, within the limits of what carries it.

use crate::finding::{Denial, Effect, Fault, Finding, Mercy, Origin};
use crate::policy::{Ban, Exception};
use crate::selector::Match;
use crate::subject::{Kind, Place, Subject};
use crate::world::World;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many findings a denial tells before it only counts them.
const MAX_LINES: usize = 10;
/// How many findings a program is told of; an object of 3 MiB could have tens of thousands.
const MAX_CAUSES: usize = 100;
/// What the documentation of Kubernetes asks of a warning, in characters.
const WANTED: usize = 120;
/// What the API server cuts a warning to when there are many (`pkg/endpoints/filters/warning.go`).
const MAX_WARNING: usize = 256;
/// The API server shows 4096 characters of warnings a request, of all webhooks and its own; half of it is ours.
const MAX_WARNINGS: usize = 2048;
/// More findings than fit into that are not even put into words.
const MAX_WARNED: usize = 64;
/// The longest name of a qualified name, which the key of an audit annotation has to be.
const MAX_KEY: usize = 63;
/// Longer than any list that a person reads; the audit log is not the place for 3 MiB.
const MAX_AUDIT: usize = 1024;
/// How many patterns of a rule are named before it gets too long.
const MAX_PATTERNS: usize = 3;

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
    let sentence = |finding: &Finding<'_>, detail| sentence(world, subject, finding, detail);
    let mut told: Vec<&Ban> = Vec::new();
    let lines = denying.iter().map(|finding| match finding.fault {
        Fault::Banned { ban, .. } if told.iter().any(|known| std::ptr::eq(*known, ban)) => {
            sentence(finding, Detail::Brief)
        }
        Fault::Banned { ban, .. } => {
            told.push(ban);
            sentence(finding, Detail::Full)
        }
        _ => sentence(finding, Detail::Full),
    });
    let message = list(subject, denying.len(), lines);
    let cause = |finding: &&Finding<'_>| {
        (
            field(subject, finding.place),
            sentence(finding, Detail::Full),
        )
    };
    Some(Denial {
        message,
        causes: causes(denying.iter().map(cause)),
    })
}

/// `Deployment payments/api: SENTENCE`, or a short first line and one line each, of which no more are made than told.
#[must_use]
pub fn list(
    subject: &Subject<'_>,
    count: usize,
    sentences: impl Iterator<Item = String>,
) -> String {
    let subject = clean(&subject.to_string());
    let mut sentences = sentences.take(MAX_LINES).map(|sentence| clean(&sentence));
    if count == 1 {
        return format!("{subject}: {}", sentences.next().unwrap_or_default());
    }
    let mut text = format!("{subject}: {count} findings");
    for sentence in sentences {
        text.push_str("\n- ");
        text.push_str(&sentence);
    }
    if count > MAX_LINES {
        let _ = write!(text, "\nand {} more", count - MAX_LINES);
    }
    text
}

/// As many causes as a program needs.
#[must_use]
pub fn causes(causes: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    causes.take(MAX_CAUSES).collect()
}

/// The path of a field as whoever wrote the object knows it: of the list of a pod, what was injected before does not count.
fn field(subject: &Subject<'_>, place: Place) -> String {
    let object = &subject.object;
    let place = match (place, &object.pod, &object.metadata.injected) {
        (Place::PullSecret(i), Some(pod), Some(injected)) if subject.kind == Kind::Pod => {
            let is_injected =
                |name: &&Cow<'_, str>| injected.split(',').any(|known| known == **name);
            Place::PullSecret(i - pod.pull_secrets.iter().take(i).filter(is_injected).count())
        }
        (place, ..) => place,
    };
    format!("{}{place}", subject.kind.path())
}

/// How much of a ban is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// All of it.
    Full,
    /// Not again why, whom to ask and where to read.
    Brief,
}

/// Field, fault, reason, what to do, whom to ask, where to read: the whole of it.
fn sentence(
    world: &World<'_>,
    subject: &Subject<'_>,
    finding: &Finding<'_>,
    detail: Detail,
) -> String {
    let what = short(subject, finding);
    match &finding.fault {
        Fault::Banned {
            ban,
            is_pull_secret,
            origin,
            ..
        } => {
            let told = |text: &Option<String>| text.clone().filter(|_| detail == Detail::Full);
            let reason = told(&ban.reason)
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            let fix = fix(world, subject, ban, *is_pull_secret, *origin);
            let ask = told(&ban.contact)
                .map(|contact| format!(" Ask {contact}."))
                .unwrap_or_default();
            let docs = told(&ban.docs)
                .map(|docs| format!(" See {docs}"))
                .unwrap_or_default();
            format!("{what}{reason}. {fix}{ask}{docs}")
        }
        Fault::Uncovered { .. } => {
            format!(
                "{what}. Use an image from a registry that the policy knows, or ask its owners for a rule."
            )
        }
        Fault::NoImage { .. } => format!("{what}. Correct the image."),
        _ => what,
    }
}

/// Field and fault.
fn short(subject: &Subject<'_>, finding: &Finding<'_>) -> String {
    let field = field(subject, finding.place);
    match &finding.fault {
        Fault::Banned {
            secret,
            ban,
            origin,
            ..
        } => {
            let by = format!("banned by \"{}\"", ban.name);
            match origin {
                Origin::Own => format!("{field} names \"{secret}\", {by}"),
                Origin::Inherited(account) => {
                    format!(
                        "{field} names \"{secret}\", inherited from ServiceAccount \"{account}\", {by}"
                    )
                }
                Origin::PossiblyInherited(account) => {
                    format!(
                        "{field} names \"{secret}\", possibly inherited from ServiceAccount \"{account}\", {by}"
                    )
                }
                Origin::PassedOn(account) => {
                    format!("{field} \"{account}\" passes \"{secret}\" on to the pods, {by}")
                }
            }
        }
        Fault::Uncovered { image } => format!("{field} \"{image}\" is covered by no registry rule"),
        Fault::NoImage { image, error } => {
            format!("{field} \"{image}\" is no image reference ({error})")
        }
        Fault::TooLate { rule, secret } => {
            format!(
                "{field} needs \"{secret}\" (rule \"{}\"), too late for this pod: recreate it",
                rule.name
            )
        }
        Fault::NotMountable {
            secret,
            service_account,
        } => format!(
            "\"{secret}\" is not injected: ServiceAccount \"{service_account}\" allows only what it lists; list it there"
        ),
        Fault::BannedName { ban } => {
            format!(
                "the name is banned by \"{}\": workloads that use it may be refused",
                ban.name
            )
        }
        Fault::Lifted { ban, exception } => lifted(*ban, exception),
    }
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

fn fix(
    world: &World<'_>,
    subject: &Subject<'_>,
    ban: &Ban,
    is_pull_secret: bool,
    origin: Origin<'_>,
) -> String {
    let remove = match origin {
        Origin::Own => "Remove it".to_owned(),
        Origin::PassedOn(account) | Origin::Inherited(account) => {
            format!(
                "Remove it there (kubectl edit serviceaccount {account} -n {})",
                subject.namespace
            )
        }
        Origin::PossiblyInherited(account) => {
            format!(
                "Remove it here or there (kubectl edit serviceaccount {account} -n {})",
                subject.namespace
            )
        }
    };
    let Some(instead) = &ban.instead else {
        return format!("{remove}.");
    };
    let namespace = world.namespace(subject);
    let here = world.policy.rules_injecting(instead).filter(|rule| {
        rule.namespaces
            .as_ref()
            .is_none_or(|selector| selector.matches(namespace) != Match::No)
    });
    let patterns: Vec<_> = here
        .flat_map(|rule| &rule.images)
        .map(ToString::to_string)
        .collect();
    if patterns.is_empty()
        || !is_pull_secret
        || subject.kind == Kind::ServiceAccount && origin != Origin::Own
    {
        return format!("{remove}. Use \"{instead}\" instead.");
    }
    let whose = if subject.kind == Kind::Pod {
        "the pod"
    } else {
        "the pods"
    };
    let more = if patterns.len() > MAX_PATTERNS {
        ", …"
    } else {
        ""
    };
    let images = patterns
        .iter()
        .take(MAX_PATTERNS)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    format!("{remove}: \"{instead}\" is added to {whose} by itself for {images}{more}.")
}

/// A finding in the 120 characters that a warning should have, where it fits: what it is, and what can still be said.
fn warning(subject: &Subject<'_>, finding: &Finding<'_>) -> String {
    let mut text = match &finding.fault {
        Fault::Lifted { .. } => short(subject, finding),
        _ => format!("{subject}: {}", short(subject, finding)),
    };
    if let Effect::Warn(mercy) = finding.effect {
        text.extend(why_not_denied(mercy).map(|why| format!("; {why}")));
    }
    let mut parts: Vec<String> = Vec::new();
    if let Fault::Banned { ban, .. } = &finding.fault {
        parts.extend(
            ban.instead
                .as_ref()
                .map(|instead| format!("; use \"{instead}\"")),
        );
        parts.extend(ban.reason.as_ref().map(|reason| format!(" ({reason})")));
    }
    for part in parts {
        if text.chars().count() + part.chars().count() <= WANTED {
            text.push_str(&part);
        }
    }
    text
}

fn why_not_denied(mercy: Mercy) -> Option<&'static str> {
    match mercy {
        Mercy::None | Mercy::Running => None,
        Mercy::Old => Some("it was there before"),
        Mercy::UnknownLabels => Some("labels of the namespace unknown"),
        Mercy::InjectedHere => Some("injected by the policy"),
    }
}

/// What findings that only warn have to say.
#[must_use]
pub fn warnings(subject: &Subject<'_>, findings: &[Finding<'_>]) -> Vec<String> {
    let warning_ones = || {
        findings
            .iter()
            .filter(|finding| matches!(finding.effect, Effect::Warn(_)))
    };
    let untold = warning_ones().count().saturating_sub(MAX_WARNED);
    within_limits(
        warning_ones()
            .take(MAX_WARNED)
            .map(|finding| warning(subject, finding)),
        untold,
    )
}

/// Warnings as the API server takes them: no control characters, none twice, not too long and not too many. What is
/// left out is counted, with what was `untold` before.
#[must_use]
pub fn within_limits(warnings: impl Iterator<Item = String>, untold: usize) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut left = MAX_WARNINGS;
    let mut dropped = untold;
    for warning in warnings {
        let warning = cut(&clean(&warning), MAX_WARNING);
        let length = warning.chars().count();
        if kept.contains(&warning) {
            continue;
        }
        if length > left {
            dropped += 1;
            continue;
        }
        left -= length;
        kept.push(warning);
    }
    if dropped > 0 {
        kept.push(format!("and {dropped} more"));
    }
    kept
}

/// One line for each ban, with the secrets that were named and what came of it. Fields are left out: another webhook can
/// shift them between two calls for the same request, and the API server keeps the first value.
pub fn audit(notes: &mut BTreeMap<String, String>, findings: &[Finding<'_>]) {
    for finding in findings {
        let (key, value) = match &finding.fault {
            Fault::Banned { ban, secret, .. } => (
                audit_key("ban", &ban.name),
                format!("{} \"{secret}\"", outcome(finding.effect)),
            ),
            Fault::BannedName { ban } => (
                audit_key("ban", &ban.name),
                format!("{} the name", outcome(finding.effect)),
            ),
            Fault::Uncovered { image } | Fault::NoImage { image, .. } => (
                "unmatched".to_owned(),
                format!("{} \"{image}\"", outcome(finding.effect)),
            ),
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
        let text = notes.entry(key).or_default();
        let value = clean(&value);
        let is_known = text.split("; ").any(|known| known == value);
        if !is_known && text.len() + value.len() < MAX_AUDIT {
            let separator = if text.is_empty() { "" } else { "; " };
            text.push_str(separator);
            text.push_str(&value);
        }
    }
}

fn outcome(effect: Effect) -> &'static str {
    match effect {
        Effect::Deny => "denied",
        Effect::Warn(Mercy::Old) => "admitted, was there before:",
        Effect::Warn(Mercy::UnknownLabels) => "admitted, namespace unknown:",
        Effect::Warn(Mercy::InjectedHere) => "admitted, injected by the policy:",
        Effect::Warn(_) => "warned of",
        Effect::Audit(Mercy::Running) => "admitted, workload was admitted earlier:",
        Effect::Audit(_) => "audited",
    }
}

/// A key of an audit annotation, `PREFIX.NAME`: what else a name may have becomes `-`.
#[must_use]
pub fn audit_key(prefix: &str, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let key: String = format!("{prefix}.{name}")
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(MAX_KEY)
        .collect();
    key.trim_end_matches(['-', '_', '.']).to_owned()
}

/// Without control characters: the API server drops a warning that has one without a trace, and a line is a line.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}
