//! Puts findings into words: one sentence for each.

mod audit;
mod limits;
mod secrets;
mod teller;
mod warning;

use crate::objects::subject::Subject;
use crate::policy::Ban;
use crate::text::excerpt::clean;
use crate::verdict::finding::{Denial, Effect, Fault, Finding, WhyNotDenied};
use crate::verdict::world::World;
use std::fmt::Write as _;
use teller::{Detail, Teller, why_not_denied};

pub use audit::{audit, audit_key, note};
pub use limits::within_limits;
pub use teller::Told;

/// The most findings that a denial writes out. It counts the others.
const MAX_LINES: usize = 10;
/// The most faults of a policy that a denial writes out: its author must correct them all.
const MAX_FAULTS: usize = 100;
/// The most findings in the causes of a denial, which programs read. An object of 3 MiB may have tens of thousands.
const MAX_CAUSES: usize = 100;
/// The most findings that become warnings. More would not fit, so they are not even put into words.
const MAX_WARNED: usize = 64;
/// The most characters of a name or an image in a message. No name of an object is longer.
const MAX_QUOTED: usize = 253;
/// The most characters of an image in a warning, so that there is room for the fault.
const MAX_QUOTED_IN_WARNING: usize = 100;

/// Returns each finding in words, with all details.
pub fn tell<'f>(
    world: &World<'f>,
    subject: &'f Subject<'f>,
    findings: &'f [Finding<'f>],
) -> impl Iterator<Item = Told> + 'f {
    let (teller, world) = (Teller::new(subject, MAX_QUOTED), *world);
    findings.iter().map(move |finding| {
        let mut told = teller.told(&world, finding, Detail::Full);
        if let Effect::Warn(why) = finding.effect {
            told.message
                .extend(why_not_denied(why).map(|why| format!("; {why}")));
            if why == WhyNotDenied::LabelsUnknown {
                told.help = Some(format!(
                    "the effect depends on the labels of the namespace: add the output of `kubectl get namespace {} -o yaml` to the files",
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

/// Returns the denial for these findings, or `None` if none of them denies.
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
    let lines = denying.iter().map(|finding| {
        let mut detail = Detail::Full;
        if let Fault::Banned { ban, .. } = finding.fault {
            if told.iter().any(|known| std::ptr::eq(*known, ban)) {
                detail = Detail::Brief;
            } else {
                told.push(ban);
            }
        }
        teller.sentence(world, finding, detail)
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

/// Returns the denial of a policy: place and text of each fault.
#[must_use]
pub fn policy_denial(subject: &Subject<'_>, faults: &[(String, String)]) -> Option<Denial> {
    let lines = faults.iter().map(|(_, line)| line.clone());
    (!faults.is_empty()).then(|| Denial {
        message: list(subject, faults.len(), MAX_FAULTS, lines),
        causes: faults.iter().take(MAX_FAULTS).cloned().collect(),
    })
}

/// Returns the warnings for these findings.
#[must_use]
pub fn warnings(subject: &Subject<'_>, findings: &[Finding<'_>]) -> Vec<String> {
    let teller = Teller::new(subject, MAX_QUOTED_IN_WARNING);
    let (mut told, mut untold) = (Vec::new(), 0);
    for finding in findings {
        match finding.effect {
            Effect::Warn(why) if told.len() < MAX_WARNED => {
                told.push(teller.warning(finding, why));
            }
            Effect::Warn(_) => untold += 1,
            Effect::Deny | Effect::Audit(_) => {}
        }
    }
    within_limits(told.into_iter(), untold)
}

/// Returns `Deployment payments/api: SENTENCE`, or a short first line and one line for each sentence. No more sentences
/// are made than shown.
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
