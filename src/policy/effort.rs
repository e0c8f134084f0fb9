//! Limits the work for one policy, and lets the caller stop it.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Counts the bytes that checks compare. Work that is not proven to grow in proportion to the document ends when the
/// count reaches a limit, or when the caller sets a flag.
#[derive(Debug)]
pub(super) struct Effort<'s> {
    limit: usize,
    spent: Cell<usize>,
    stop: Option<&'s AtomicBool>,
}

/// The reason why a check ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It reached the limit.
    Exhausted,
    /// The caller set the flag.
    Stopped,
}

impl<'s> Effort<'s> {
    /// Starts with a count of zero.
    pub(super) fn new(limit: usize, stop: Option<&'s AtomicBool>) -> Self {
        Self {
            limit,
            spent: Cell::new(0),
            stop,
        }
    }

    /// Counts a comparison of texts with `bytes` bytes.
    ///
    /// # Errors
    /// Fails if the check has to end.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), Ended> {
        /// The cost of a comparison in addition to its bytes.
        const ONE: usize = 16;
        self.spent.set(self.spent.get() + ONE + bytes);
        if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(Ended::Stopped);
        }
        if self.spent.get() > self.limit {
            return Err(Ended::Exhausted);
        }
        Ok(())
    }

    /// Returns the count.
    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        self.spent.get()
    }
}
