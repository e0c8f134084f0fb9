//! What people are told: one sentence a finding, within the limits of what carries it.

use crate::finding::{Effect, Fault, Finding, Mercy, Origin};
use crate::policy::{Ban, Exception};
use crate::selector::Match;
use crate::subject::{Kind, Subject};
use crate::verdict::{Denial, World};
use std::collections::BTreeMap;

/// How many findings a denial tells before it only counts them.
const MAX_LINES: usize = 10;
/// What the documentation of Kubernetes asks of a warning, in characters.
const WANTED: usize = 120;
/// What the API server cuts a warning to when there are many (`pkg/endpoints/filters/warning.go`).
const MAX_WARNING: usize = 256;
/// The API server shows 4096 characters of warnings a request, of all webhooks and its own; half of it is ours.
const MAX_WARNINGS: usize = 2048;
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
    let denying = findings
        .iter()
        .filter(|finding| finding.effect == Effect::Deny);
    let causes: Vec<_> = denying
        .map(|finding| (finding.field.clone(), sentence(world, subject, finding)))
        .collect();
    (!causes.is_empty()).then(|| Denial {
        message: list(subject, &causes),
        causes,
    })
}

/// `Deployment payments/api: SENTENCE`, or a short first line and one line each.
#[must_use]
pub fn list(subject: &Subject<'_>, causes: &[(String, String)]) -> String {
    if let [(_, sentence)] = causes {
        return clean(&format!("{subject}: {sentence}"));
    }
    let mut lines = vec![format!("{subject}: {} findings", causes.len())];
    lines.extend(
        causes
            .iter()
            .take(MAX_LINES)
            .map(|(_, sentence)| format!("- {sentence}")),
    );
    if causes.len() > MAX_LINES {
        lines.push(format!("and {} more", causes.len() - MAX_LINES));
    }
    lines
        .iter()
        .map(|line| clean(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Field, fault, reason, what to do, whom to ask, where to read: the whole of it.
fn sentence(world: &World<'_>, subject: &Subject<'_>, finding: &Finding<'_>) -> String {
    let field = &finding.field;
    match &finding.fault {
        Fault::Banned {
            ban,
            is_pull_secret,
            origin,
            ..
        } => {
            let what = short(finding);
            let reason = ban
                .reason
                .as_ref()
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            let fix = fix(world, subject, ban, *is_pull_secret, *origin);
            let ask = ban
                .contact
                .as_ref()
                .map(|contact| format!(" Ask {contact}."))
                .unwrap_or_default();
            let docs = ban
                .docs
                .as_ref()
                .map(|docs| format!(" See {docs}"))
                .unwrap_or_default();
            format!("{what}{reason}. {fix}{ask}{docs}")
        }
        Fault::Uncovered { .. } => format!(
            "{}. Use an image from a registry that the policy knows, or ask its owners for a rule.",
            short(finding)
        ),
        Fault::NoImage { .. } => format!("{}. Correct the image.", short(finding)),
        _ => format!("{field}: {}", short(finding)),
    }
}

/// Field and fault.
fn short(finding: &Finding<'_>) -> String {
    let field = &finding.field;
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
#[must_use]
pub fn warning(subject: &Subject<'_>, finding: &Finding<'_>) -> String {
    let mut text = match &finding.fault {
        Fault::Lifted { .. } => short(finding),
        _ => format!("{subject}: {}", short(finding)),
    };
    let mut parts: Vec<String> = Vec::new();
    if let Effect::Warn(mercy) = finding.effect {
        parts.extend(why_not_denied(mercy).map(|why| format!("; {why}")));
    }
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

/// Warnings as the API server takes them: no control characters, none twice, not too long and not too many.
#[must_use]
pub fn within_limits(warnings: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut left = MAX_WARNINGS;
    let mut dropped = 0;
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
            Fault::Lifted { ban: Some(ban), .. } => {
                (audit_key("lifted", &ban.name), short(finding))
            }
            Fault::Lifted { ban: None, .. } => ("lifted".to_owned(), short(finding)),
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
