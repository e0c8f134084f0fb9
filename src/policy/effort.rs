//! A limit of the work that judging one policy may take, and the way to end it from outside.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Counts the bytes that checks compare. Work that is not proven to grow in proportion to the document ends when the
/// count reaches a limit, or when the caller raises a flag.
#[derive(Debug)]
pub(super) struct Effort<'s> {
    limit: usize,
    spent: Cell<usize>,
    stop: Option<&'s AtomicBool>,
}

/// Why a check ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The limit is reached.
    Exhausted,
    /// The caller raised the flag.
    Stopped,
}

impl<'s> Effort<'s> {
    /// Nothing is spent yet.
    pub(super) fn new(limit: usize, stop: Option<&'s AtomicBool>) -> Self {
        Self {
            limit,
            spent: Cell::new(0),
            stop,
        }
    }

    /// Counts the comparison of texts of so many bytes.
    ///
    /// # Errors
    /// The check has to end.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), Ended> {
        /// What a comparison costs beside its bytes.
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

    /// How much is spent.
    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        self.spent.get()
    }
}
