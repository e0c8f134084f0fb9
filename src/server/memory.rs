//! The memory of the bodies and answers that are under way.

use super::connections::Peer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The most bytes that all bodies and answers may have together.
///
/// With what each connection takes besides (TLS, a head, and its task: about 80 KiB at most) and what is known of the
/// cluster this stays below the memory limit of the chart, as a test of the release binary shows.
const ALL: usize = 128 * 1024 * 1024;
/// The most bytes that all large bodies and answers may have together. The rest of [`ALL`] is for small ones alone, so
/// that large ones, however many there are, never keep a small one waiting.
const ALL_LARGE: usize = 96 * 1024 * 1024;
/// A body or answer of more bytes than this is large.
pub(super) const LARGE: usize = 256 * 1024;
/// The bytes that a body counts for at least: a request costs more than its bytes.
const LEAST: usize = 16 * 1024;
/// How long a body waits for memory. The API server waits 3 s for the webhook of pods.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long one slow body that has to give way is waited for before the next one has to.
const STEP: Duration = Duration::from_millis(20);

/// The account.
#[derive(Debug)]
pub(super) struct Memory {
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A part of the account that is in use until it is dropped.
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
    /// None is left, and no slow body gave way in time.
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
    /// Takes more memory, if the lease has less than this; the slowest bodies give way for it.
    ///
    /// # Errors
    /// As for [`Memory::lease`]. The lease keeps what it has.
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

    /// Takes more memory, if the lease has less than this and if it is there.
    ///
    /// # Errors
    /// It is not there. The lease keeps what it has.
    pub(super) fn try_grow_to(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        for (permit, wanted) in self.parts(bytes) {
            let more = more(permit, wanted);
            take(permit, more)?;
        }
        Ok(())
    }

    /// The parts of the account, and the KiB that so many bytes take of each.
    fn parts(&mut self, bytes: usize) -> [(&mut OwnedSemaphorePermit, usize); 2] {
        let large = if bytes > LARGE { kib(bytes) } else { 0 };
        [(&mut self.large, large), (&mut self.all, kib(bytes))]
    }
}

/// The KiB that a permit lacks.
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

/// KiB, the unit of the account: semaphores count no further than 32 bits.
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
