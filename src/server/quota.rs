//! How much of something may be in use, in all and by one source address.

use foldhash::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// No source may hold more than this part of the whole: one pod that goes wild must not stop the others.
const SHARE: usize = 8;

/// An amount that is shared between source addresses.
#[derive(Debug)]
pub struct Quota {
    total: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// What is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The whole.
    Total,
    /// The share of this source.
    Source,
}

/// A part that is in use until it is dropped.
#[derive(Debug)]
pub struct Lease {
    quota: Arc<Quota>,
    source: IpAddr,
    amount: usize,
}

impl Quota {
    /// So much in all, and an eighth of it (at least 1) for each source.
    #[must_use]
    pub fn new(total: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            used: Mutex::default(),
        })
    }

    /// Takes a part for a source.
    ///
    /// # Errors
    /// What is used up.
    pub fn take(self: &Arc<Self>, source: IpAddr, amount: usize) -> Result<Lease, Full> {
        let mut lease = Lease {
            quota: self.clone(),
            source: source.to_canonical(),
            amount: 0,
        };
        lease.grow_to(amount)?;
        Ok(lease)
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Two numbers that are always changed together: a panic elsewhere leaves them as they should be.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Takes more, if the lease is smaller than this.
    ///
    /// # Errors
    /// What is used up; the lease stays as it is.
    pub fn grow_to(&mut self, amount: usize) -> Result<(), Full> {
        let more = amount.saturating_sub(self.amount);
        if more == 0 {
            return Ok(());
        }
        let mut used = self.quota.used();
        let by_source = used
            .by_source
            .get(&self.source)
            .copied()
            .unwrap_or_default();
        if by_source + more > (self.quota.total / SHARE).max(1) {
            return Err(Full::Source);
        }
        if used.total + more > self.quota.total {
            return Err(Full::Total);
        }
        used.total += more;
        used.by_source.insert(self.source, by_source + more);
        self.amount += more;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut used = self.quota.used();
        used.total -= self.amount;
        if let Some(by_source) = used.by_source.get_mut(&self.source) {
            *by_source -= self.amount;
            if *by_source == 0 {
                used.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn nobody_gets_more_than_the_share_and_all_together_no_more_than_the_total() {
        let quota = Quota::new(16);
        let first = quota.take(A, 1).unwrap();
        let mut second = quota.take(A, 1).unwrap();
        assert_eq!(quota.take(A, 1).unwrap_err(), Full::Source);
        assert_eq!(second.grow_to(2), Err(Full::Source));
        drop(first);
        assert_eq!(second.grow_to(2), Ok(()));
        assert_eq!(second.grow_to(1), Ok(()), "it is that large already");
        let others: Vec<_> = (2..9)
            .map(|i| quota.take(IpAddr::from([10, 0, 0, i]), 2).unwrap())
            .collect();
        assert_eq!(
            quota.take(IpAddr::from([10, 0, 0, 9]), 1).unwrap_err(),
            Full::Total
        );
        drop(others);
        drop(second);
        let used = quota.used();
        assert!(used.total == 0 && used.by_source.is_empty());
    }
}
