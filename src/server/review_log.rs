//! The log of verdicts, with a limit for lines about refusals.
//!
//! Any client that reaches the port can cause any number of refusals, under any user name. So these lines are limited,
//! and they only help to read the real record of refusals, the audit log of the API server.

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
/// The period for which lines are counted.
const PERIOD: Duration = Duration::from_secs(10);

/// The log of verdicts.
#[derive(Debug, Default)]
pub(super) struct ReviewLog(Mutex<Counted>);

/// The lines about refusals since the period began.
#[derive(Debug, Default)]
struct Counted {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl ReviewLog {
    /// Logs a verdict. Other people choose the names in it: as `Debug` values they are quoted, so they cannot forge a
    /// line.
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
                        "left out lines about earlier refusals: at most {MOST} are logged in {} s; the audit log of the API server has all of them",
                        PERIOD.as_secs()
                    );
                }
            }
        }
    }

    /// Returns `None` if no further line about a refusal may be logged, or else the number of lines left out since the
    /// last one.
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

/// Returns the codes of the findings, with their bans.
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
    // An object of 3 MiB may have tens of thousands of findings.
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
    fn lines_above_the_limit_are_left_out_and_counted() {
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
