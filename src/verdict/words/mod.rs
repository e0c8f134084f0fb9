//! What people are told: one sentence a finding.

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

/// How many findings a denial tells before it only counts them.
const MAX_LINES: usize = 10;
/// How many faults of a policy are told: whoever edits it is to mend them all.
const MAX_FAULTS: usize = 100;
/// How many findings a program is told of; an object of 3 MiB could have tens of thousands.
const MAX_CAUSES: usize = 100;
/// More findings than fit into warnings are not even put into words.
const MAX_WARNED: usize = 64;
/// How much of a name or an image is told. No name of an object is longer.
const MAX_QUOTED: usize = 253;
/// How much of an image is told in a warning, so that there is room to say what is wrong with it.
const MAX_QUOTED_IN_WARNING: usize = 100;

/// Each finding in words, in all detail.
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
            Effect::Warn(why) if told.len() < MAX_WARNED => {
                told.push(teller.warning(finding, why));
            }
            Effect::Warn(_) => untold += 1,
            Effect::Deny | Effect::Audit(_) => {}
        }
    }
    within_limits(told.into_iter(), untold)
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
