//! The log of verdicts, with a limit for the lines about refusals.
//!
//! Anyone who reaches the port can have as many reviews refused as they like, with any name of a user. The record of
//! refusals is the audit log of the API server; these lines help to read it.

use super::connections::Peer;
use crate::admission::Review;
use crate::objects::names::MAX_SUBDOMAIN;
use crate::text::excerpt::beginning;
use crate::verdict::{Injection, Mutation, Outcome};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, info};

/// The most lines about refusals in one [`PERIOD`].
const MOST: u32 = 100;
/// How long lines are counted together.
const PERIOD: Duration = Duration::from_secs(10);

/// The log of verdicts.
#[derive(Debug, Default)]
pub(super) struct ReviewLog(Mutex<Counted>);

/// The lines about refusals since the beginning of a period.
#[derive(Debug, Default)]
struct Counted {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl ReviewLog {
    /// Logs a verdict. Names are written by others: given as values, and not shown by `Display`, they are quoted and cannot
    /// forge a line.
    pub(super) fn verdict(&self, review: &Review<'_>, mutation: &Mutation<'_>, peer: &Peer) {
        let user = beginning(&review.subject.user, MAX_SUBDOMAIN);
        let subject = || review.subject.to_string();
        let (dry_run, peer) = (review.dry_run, peer.source);
        match &mutation.outcome {
            Outcome::Admit => debug!(
                subject = subject(),
                user,
                %peer,
                dry_run,
                findings = ?found(mutation),
                "admitted"
            ),
            Outcome::Inject(_) => debug!(
                subject = subject(),
                user,
                %peer,
                dry_run,
                findings = ?found(mutation),
                rules = ?injected(&mutation.injections),
                "injected"
            ),
            Outcome::Reject(denial) => {
                let Some(left_out) = self.admits_refusal(Instant::now()) else {
                    return;
                };
                info!(
                    subject = subject(),
                    user,
                    %peer,
                    dry_run,
                    findings = ?found(mutation),
                    denial = denial.message,
                    "denied"
                );
                if left_out > 0 {
                    info!(
                        lines = left_out,
                        "lines about earlier refusals were left out: no more than {MOST} are logged in {} s; the audit log of the API server has all",
                        PERIOD.as_secs()
                    );
                }
            }
        }
    }

    /// Returns whether there may be one more line about a refusal, and with it how many were left out since the last one.
    fn admits_refusal(&self, now: Instant) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |began: Instant| now.saturating_duration_since(began) >= PERIOD;
        if counted.began.is_none_or(is_over) {
            counted.began = Some(now);
            counted.lines = 0;
        }
        if counted.lines == MOST {
            counted.left_out += 1;
            return None;
        }
        counted.lines += 1;
        Some(std::mem::take(&mut counted.left_out))
    }
}

/// The kinds of what was found, and the bans.
fn found<'a>(mutation: &'a Mutation<'_>) -> Vec<(&'static str, Option<&'a str>)> {
    let mut found: Vec<_> = mutation
        .findings
        .iter()
        .map(|finding| {
            (
                finding.fault.code().name(),
                finding.fault.ban().map(|ban| &*ban.name),
            )
        })
        .collect();
    // An object of 3 MiB may have tens of thousands.
    found.dedup();
    found.truncate(16);
    found
}

fn injected<'a>(injections: &'a [Injection<'_>]) -> Vec<&'a str> {
    injections
        .iter()
        .map(|injection| &*injection.rule.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_above_the_limit_are_left_out_and_told() {
        let (log, began) = (ReviewLog::default(), Instant::now());
        for _ in 0..MOST {
            assert_eq!(log.admits_refusal(began), Some(0));
        }
        assert_eq!(log.admits_refusal(began), None);
        assert_eq!(log.admits_refusal(began + PERIOD / 2), None);
        assert_eq!(log.admits_refusal(began + PERIOD), Some(2));
        assert_eq!(log.admits_refusal(began + PERIOD), Some(0));
    }
}
