//! Deadlines for what mostly is done at once.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// What a future comes to within a time. No clock is asked where there is nothing to wait for.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match futures::poll!(future.as_mut()) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => timeout(time, future).await.ok(),
    }
}
