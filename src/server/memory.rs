//! Accounts for the memory of the bodies and answers under way.
//!
//! Any client in the pod network can open connections and send bodies of several MiB. Without a limit, a few dozen
//! large bodies would exceed the memory limit of the container, and the process would be killed with all its reviews.
//! Counting requests instead is no substitute, because a request may hold 1 KiB or 7 MiB. So the account counts bytes,
//! as they arrive.
//!
//! When no memory is left, a body waits for a moment while the slowest bodies give way, and is refused with 503 after
//! that.

use super::connections::Peer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The most bytes of all bodies and answers together.
///
/// Together with the cost of each connection (TLS, a head, and its task: about 80 KiB at most) and the facts about the
/// cluster, this stays below the memory limit of the chart, as a test of the release binary shows.
const ALL: usize = 128 * 1024 * 1024;
/// The most bytes of all large bodies and answers together. The rest of [`ALL`] is reserved for small ones, so large
/// ones never delay a small one, however many they are.
const ALL_LARGE: usize = 96 * 1024 * 1024;
/// A body or answer of more bytes than this is large.
pub(super) const LARGE: usize = 256 * 1024;
/// The least number of bytes that a body counts for, because a request costs more than its bytes.
const LEAST: usize = 16 * 1024;
/// The longest wait of a body for memory. The API server waits 3 s for the webhook of pods.
const PATIENCE: Duration = Duration::from_millis(500);
/// The time that one slow body gets to give way before the next one has to.
const STEP: Duration = Duration::from_millis(20);

/// The account.
#[derive(Debug)]
pub(super) struct Memory {
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A part of the account, taken until it is dropped.
#[derive(Debug)]
pub(super) struct MemoryLease {
    all: OwnedSemaphorePermit,
    large: OwnedSemaphorePermit,
}

/// No memory is left in the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfMemory;

impl Default for Memory {
    fn default() -> Self {
        Self::new(ALL, ALL_LARGE)
    }
}

impl Memory {
    fn new(all: usize, large: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(kib(all))),
            large: Arc::new(Semaphore::new(kib(large))),
        }
    }

    /// Takes the memory of a small body.
    ///
    /// # Errors
    /// Fails if no memory is left and no slow body gives way in time.
    pub(super) async fn lease(&self, peer: &Peer) -> Result<MemoryLease, OutOfMemory> {
        let nothing = |part: &Arc<Semaphore>| part.clone().try_acquire_many_owned(0);
        let (Ok(all), Ok(large)) = (nothing(&self.all), nothing(&self.large)) else {
            return Err(OutOfMemory);
        };
        let mut lease = MemoryLease { all, large };
        lease.grow_to(LEAST, peer).await?;
        Ok(lease)
    }
}

impl MemoryLease {
    /// Grows the lease to this size if it is smaller. The slowest bodies give way.
    ///
    /// # Errors
    /// As for [`Memory::lease`]. The lease keeps its size.
    pub(super) async fn grow_to(&mut self, bytes: usize, peer: &Peer) -> Result<(), OutOfMemory> {
        let end = Instant::now() + PATIENCE;
        for (permit, wanted) in self.parts(bytes) {
            let more = more(permit, wanted);
            if take(permit, more).is_ok() {
                continue;
            }
            let memory = permit.semaphore().clone();
            let waited = memory.acquire_many_owned(more);
            tokio::pin!(waited);
            let taken = loop {
                peer.make_room();
                let step = end.min(Instant::now() + STEP);
                match timeout_at(step, &mut waited).await {
                    Ok(taken) => break taken.map_err(|_| OutOfMemory)?,
                    Err(_) if step == end => return Err(OutOfMemory),
                    Err(_) => {}
                }
            };
            permit.merge(taken);
        }
        Ok(())
    }

    /// Grows the lease to this size if it is smaller and the memory is free.
    ///
    /// # Errors
    /// Fails if the memory is not free. The lease keeps its size.
    pub(super) fn try_grow_to(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        for (permit, wanted) in self.parts(bytes) {
            let more = more(permit, wanted);
            take(permit, more)?;
        }
        Ok(())
    }

    /// Returns the parts of the account, each with the KiB that `bytes` take of it.
    fn parts(&mut self, bytes: usize) -> [(&mut OwnedSemaphorePermit, usize); 2] {
        let large = if bytes > LARGE { kib(bytes) } else { 0 };
        [(&mut self.large, large), (&mut self.all, kib(bytes))]
    }
}

/// Returns the KiB that a permit lacks.
fn more(permit: &OwnedSemaphorePermit, wanted: usize) -> u32 {
    let more = wanted.saturating_sub(permit.num_permits());
    u32::try_from(more).unwrap_or(u32::MAX)
}

fn take(permit: &mut OwnedSemaphorePermit, more: u32) -> Result<(), OutOfMemory> {
    if more > 0 {
        let memory = permit.semaphore().clone();
        permit.merge(
            memory
                .try_acquire_many_owned(more)
                .map_err(|_| OutOfMemory)?,
        );
    }
    Ok(())
}

/// Converts to KiB, the unit of the account: semaphores count no further than 32 bits.
fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: usize = LEAST;

    #[tokio::test(start_paused = true)]
    async fn large_bodies_leave_room_for_small_ones() {
        let memory = Memory::new(8 * LARGE, 4 * LARGE);
        let peer = Peer::default();
        let mut large = memory.lease(&peer).await.expect("memory");
        assert_eq!(large.grow_to(3 * LARGE, &peer).await, Ok(()));
        let mut second = memory.lease(&peer).await.expect("memory");
        let before = Instant::now();
        assert_eq!(second.grow_to(2 * LARGE, &peer).await, Err(OutOfMemory));
        assert_eq!(before.elapsed(), PATIENCE);
        assert_eq!(second.grow_to(LARGE, &peer).await, Ok(()), "that is small");
        assert_eq!(second.try_grow_to(2 * LARGE), Err(OutOfMemory));
        let mut small = Vec::new();
        while let Ok(lease) = memory.lease(&peer).await {
            small.push(lease);
        }
        assert_eq!(small.len(), 4 * LARGE / SMALL);
        drop((large, second, small));
        assert_eq!(memory.all.available_permits(), kib(8 * LARGE));
        assert_eq!(memory.large.available_permits(), kib(4 * LARGE));
    }
}
