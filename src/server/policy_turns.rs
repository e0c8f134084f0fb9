//! The order in which edits of the policy are judged: one at a time.
//!
//! Any client that reaches the port can send a review of a policy, and judging a policy of 1 MiB takes a moment. With a
//! plain queue, a client that floods the port would delay the edits of the policy's owners until they time out. So
//! three rules hold:
//!
//! - A source has at most one review in the queue.
//! - The source that was served last goes behind the others.
//! - An edit with the uid of the ConfigMap in force goes first: only the API server and readers of the
//!   ConfigMap know it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The most edits in the queue.
const MOST: usize = 16;
/// The longest wait of an edit for its turn. The API server waits 10 s for this webhook.
const PATIENCE: Duration = Duration::from_secs(4);

/// The queue of edits.
#[derive(Debug, Default)]
pub(super) struct PolicyTurns(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// The source of the edit that is judged now.
    running: Option<IpAddr>,
    /// In order of arrival.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    edit: Edit,
    turn: oneshot::Sender<PolicyTurn>,
}

/// An edit, reduced to the properties that decide its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    /// The client that sent it.
    pub(super) source: IpAddr,
    /// Whether it names the uid of the ConfigMap in force.
    pub(super) is_known: bool,
}

/// The right to judge an edit, until it is dropped.
#[derive(Debug)]
pub(super) struct PolicyTurn(Arc<PolicyTurns>);

impl PolicyTurns {
    /// Waits for the turn of an edit. Returns `None` if the queue is full, or if the turn does not come in time.
    pub(super) async fn take(self: &Arc<Self>, edit: Edit) -> Option<PolicyTurn> {
        let turn = {
            let mut queue = self.queue();
            if queue.running.is_none() {
                queue.running = Some(edit.source);
                return Some(PolicyTurn(self.clone()));
            }
            queue.enter(edit)?
        };
        timeout(PATIENCE, turn).await.ok()?.ok()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Appends an edit. If the queue is full, an edit of the known ConfigMap replaces the last of the other edits.
    fn enter(&mut self, edit: Edit) -> Option<oneshot::Receiver<PolicyTurn>> {
        self.waiting.retain(|waiting| !waiting.turn.is_closed());
        let is_rival = |waiting: &Waiting| !waiting.edit.is_known;
        let has_one = |waiting: &Waiting| waiting.edit.source == edit.source;
        if !edit.is_known && self.waiting.iter().any(has_one) {
            return None;
        }
        if self.waiting.len() >= MOST {
            let last = self.waiting.iter().rposition(is_rival);
            self.waiting.remove(last.filter(|_| edit.is_known)?);
        }
        let (turn, waited) = oneshot::channel();
        self.waiting.push(Waiting { edit, turn });
        Some(waited)
    }

    /// Removes the next edit from the queue, after an edit of `served` was judged.
    fn next(&mut self, served: Option<IpAddr>) -> Option<Waiting> {
        let order = |(_, waiting): &(usize, &Waiting)| {
            (!waiting.edit.is_known, Some(waiting.edit.source) == served)
        };
        // `min_by_key` returns the first of equal elements.
        let (first, _) = self.waiting.iter().enumerate().min_by_key(order)?;
        Some(self.waiting.remove(first))
    }
}

impl Drop for PolicyTurn {
    fn drop(&mut self) {
        let next = {
            let mut queue = self.0.queue();
            let served = queue.running.take();
            let next = queue.next(served);
            queue.running = next.as_ref().map(|next| next.edit.source);
            next
        };
        if let Some(next) = next {
            // An edit that no longer waits drops its turn, which passes it on to the next one.
            let _ = next.turn.send(Self(self.0.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::future::BoxFuture;

    fn edit(last: u8, is_known: bool) -> Edit {
        Edit {
            source: IpAddr::from([10, 0, 0, last]),
            is_known,
        }
    }

    type Wait = BoxFuture<'static, Option<PolicyTurn>>;

    /// Begins to wait for a turn.
    fn wait(turns: &Arc<PolicyTurns>, edit: Edit) -> Wait {
        let turns = turns.clone();
        let mut waiting = async move { turns.take(edit).await }.boxed();
        assert!((&mut waiting).now_or_never().flatten().is_none());
        waiting
    }

    #[tokio::test(start_paused = true)]
    async fn the_known_edit_goes_first_and_no_source_twice_in_a_row() {
        let turns = Arc::new(PolicyTurns::default());
        let first = turns
            .take(edit(1, false))
            .await
            .expect("no edit is before it");
        let mut again = wait(&turns, edit(1, false));
        let mut other = wait(&turns, edit(2, false));
        let known = wait(&turns, edit(3, true));
        assert!(
            turns.take(edit(2, false)).await.is_none(),
            "one waits already"
        );
        drop(first);
        let known = known.await.expect("its turn");
        assert!((&mut again).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        drop(known);
        // In the order in which they came, as neither was served last.
        let again = again.await.expect("its turn");
        drop(again);
        drop(other.await.expect("its turn"));
        assert!(turns.queue().running.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_full_has_room_for_the_known_edit() {
        let turns = Arc::new(PolicyTurns::default());
        let running = turns
            .take(edit(0, false))
            .await
            .expect("no edit is before it");
        let most = u8::try_from(MOST).expect("small");
        let mut waiting: Vec<Wait> = (1..=most).map(|i| wait(&turns, edit(i, false))).collect();
        assert!(turns.take(edit(99, false)).await.is_none());
        let known = wait(&turns, edit(100, true));
        let last = waiting.pop().expect("the last one");
        assert!(last.await.is_none(), "it gave up its place");
        drop(running);
        drop(known.await.expect("its turn"));
        assert!(waiting.remove(0).await.is_some());
    }

    /// An edit of a client that is gone, or an edit that waited for too long, does not delay the others.
    #[tokio::test(start_paused = true)]
    async fn an_edit_that_no_longer_waits_is_passed_over() {
        let turns = Arc::new(PolicyTurns::default());
        let running = turns
            .take(edit(0, false))
            .await
            .expect("no edit is before it");
        let gone = wait(&turns, edit(1, false));
        let waiting = wait(&turns, edit(2, false));
        drop(gone);
        drop(running);
        let running = waiting.await.expect("its turn");
        assert!(
            wait(&turns, edit(3, false)).await.is_none(),
            "it waits for {PATIENCE:?}"
        );
        drop(running);
        assert!(turns.take(edit(4, false)).await.is_some());
    }
}
