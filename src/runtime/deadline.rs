//! Deadlines for work that is mostly complete at once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A flag that is set after a time, to stop work without await points. The timer ends when the flag is dropped.
#[derive(Debug)]
pub(crate) struct StopFlag {
    flag: Arc<AtomicBool>,
    _timer: JoinSet<()>,
}

impl StopFlag {
    /// Starts the timer.
    pub(crate) fn after(time: Duration) -> Self {
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        let mut timer = JoinSet::new();
        timer.spawn(async move {
            sleep(time).await;
            set.store(true, Ordering::Relaxed);
        });
        Self {
            flag,
            _timer: timer,
        }
    }

    /// Returns the flag.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.flag
    }
}

/// Awaits a future for a limited time. Starts no timer if the future is already complete.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match futures::poll!(future.as_mut()) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => timeout(time, future).await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flag_is_set_when_its_time_is_up() {
        let stop = StopFlag::after(Duration::from_secs(5));
        let is_set = || stop.flag().load(Ordering::Relaxed);
        sleep(Duration::from_secs(4)).await;
        assert!(!is_set());
        sleep(Duration::from_secs(2)).await;
        assert!(is_set());
    }
}
