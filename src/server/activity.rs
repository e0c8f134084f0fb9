//! The state of one connection, and since when it is in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The limit for a review, from the end of its body until the client has taken the answer. The API server gives up after
/// 30 s at most.
const REVIEW: Duration = Duration::from_secs(30);
/// The limit for an idle connection. The API server pools connections for 90 s and does not retry a POST, so the server
/// must not be the first to close one.
const IDLE: Duration = Duration::from_secs(100);
/// The limit for the head of a request from its first byte on, and then for its body, which has a closer limit of its own
/// (`body.rs`).
const RECEIVE: Duration = Duration::from_secs(10);
/// The least average rate of an honest client, in bytes a second. The API server sends a request at once.
const LEAST_RATE: usize = 1024 * 1024;
/// A head or a body that took no longer than this is not slow, at any rate. Only a slow one gives way where places or memory
/// are scarce.
const GRACE: Duration = Duration::from_millis(250);
/// A connection without a whole review counts as one that never asks after this time, handshake included.
const NEWCOMER: Duration = Duration::from_secs(2);
/// A connection that was idle for no longer than this is in use: its client may be about to send.
const IN_USE: Duration = Duration::from_secs(5);
/// A client that takes longer than this to read an answer is slow.
const READING: Duration = Duration::from_secs(2);

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    state: Mutex<State>,
    /// Notified when the connection has to give way.
    evicted: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The beginning of the phase.
    since: Instant,
    /// A review has come whole.
    has_asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No request is under way. The handshake is in this phase too.
    Idle,
    /// A head comes; so many bytes of it are there.
    Head(usize),
    /// A body comes; so many bytes of it are there.
    Body(usize),
    /// A review is judged.
    Judging,
    /// The client has yet to take the answer.
    Answering,
}

/// The loss if a connection is closed: the least first, and of equals the one that began first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    /// It never sent a whole review, though it had the time.
    Silent(Instant),
    /// It has been idle for some time.
    Idle(Instant),
    /// It sends, or reads, more slowly than the API server does.
    Slow(Instant),
    /// It is new, and has not sent a whole review yet.
    New(Instant),
    /// It is idle between two reviews.
    InUse(Instant),
    /// A review would be lost.
    Review(Instant),
}

/// A request that is under way until its answer is taken.
#[derive(Debug)]
pub(super) struct RequestInFlight(Arc<Activity>);

impl Default for Activity {
    fn default() -> Self {
        let state = State {
            phase: Phase::Idle,
            since: Instant::now(),
            has_asked: false,
        };
        Self {
            opened: state.since,
            state: Mutex::new(state),
            evicted: Notify::new(),
        }
    }
}

impl Activity {
    /// Notes that bytes have come.
    pub(super) fn read(&self, bytes: usize) {
        let mut state = self.state();
        match &mut state.phase {
            Phase::Idle => state.enter(Phase::Head(bytes)),
            Phase::Head(received) | Phase::Body(received) => *received += bytes,
            // The next request, which begins when this one ends.
            Phase::Judging | Phase::Answering => {}
        }
    }

    /// Notes that the head of a request is there.
    pub(super) fn begin(self: &Arc<Self>) -> RequestInFlight {
        self.state().enter(Phase::Body(0));
        RequestInFlight(self.clone())
    }

    /// Notes that a body has come whole.
    pub(super) fn received(&self) {
        let mut state = self.state();
        state.enter(Phase::Judging);
        state.has_asked = true;
    }

    /// Whether a review has come whole.
    pub(super) fn has_asked(&self) -> bool {
        self.state().has_asked
    }

    /// Completes when the connection has to end: a deadline of its phase is over, or it has to give way.
    pub(super) async fn over(&self) {
        let late = async {
            loop {
                let at = self.deadline();
                if at <= Instant::now() {
                    return;
                }
                // A phase that begins meanwhile may have an earlier deadline than this, by no more than the shortest.
                tokio::time::sleep_until(at.min(Instant::now() + RECEIVE / 2)).await;
            }
        };
        tokio::select! {
            () = late => {}
            () = self.evicted.notified() => {}
        }
    }

    /// Asks the connection to end.
    pub(super) fn give_way(&self) {
        self.evicted.notify_one();
    }

    fn deadline(&self) -> Instant {
        let state = self.state();
        let limit = match state.phase {
            Phase::Idle => IDLE,
            Phase::Head(_) | Phase::Body(_) => RECEIVE,
            Phase::Judging | Phase::Answering => REVIEW,
        };
        state.since + limit
    }

    /// Returns the loss if the connection is closed now.
    pub(super) fn loss(&self, now: Instant) -> Loss {
        let state = self.state();
        let since = state.since;
        if !state.has_asked && now.saturating_duration_since(self.opened) > NEWCOMER {
            Loss::Silent(self.opened)
        } else if state.is_slow(now) {
            Loss::Slow(since)
        } else if !state.has_asked {
            Loss::New(self.opened)
        } else if state.phase != Phase::Idle {
            Loss::Review(since)
        } else if now.saturating_duration_since(since) > IN_USE {
            Loss::Idle(since)
        } else {
            Loss::InUse(since)
        }
    }

    /// Returns the beginning of the body if it comes more slowly than [`LEAST_RATE`]. Slow heads do not count: they hold none
    /// of the memory of bodies.
    pub(super) fn slow_body_since(&self, now: Instant) -> Option<Instant> {
        let state = self.state();
        let is_body = matches!(state.phase, Phase::Body(_));
        (is_body && state.is_slow(now)).then_some(state.since)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    fn is_slow(&self, now: Instant) -> bool {
        let took = now.saturating_duration_since(self.since);
        match self.phase {
            Phase::Head(bytes) | Phase::Body(bytes) => took > GRACE && took > at_least_rate(bytes),
            Phase::Answering => took > READING,
            Phase::Idle | Phase::Judging => false,
        }
    }
}

impl RequestInFlight {
    /// Notes that the answer is ready.
    pub(super) fn answered(&self) {
        self.0.state().enter(Phase::Answering);
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.0.state().enter(Phase::Idle);
    }
}

/// Returns the time that these bytes take at [`LEAST_RATE`].
pub(super) fn at_least_rate(bytes: usize) -> Duration {
    let micros = bytes.saturating_mul(1_000_000) / LEAST_RATE;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    const NEARLY: Duration = Duration::from_millis(1);

    async fn is_over(activity: &Activity, after: Duration) -> bool {
        timeout(after, activity.over()).await.is_ok()
    }

    fn nearly(time: Duration) -> Duration {
        time.saturating_sub(NEARLY)
    }

    /// The API server pools connections for 90 s, and a POST on one that was just closed is a failed admission.
    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_outlives_the_pool_of_the_api_server() {
        assert!(IDLE > Duration::from_secs(95));
        let activity = Arc::new(Activity::default());
        assert!(!is_over(&activity, nearly(IDLE)).await);
        drop(activity.begin());
        assert!(
            !is_over(&activity, nearly(IDLE)).await,
            "from the last answer on"
        );
        assert!(is_over(&activity, 2 * NEARLY).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_deadline_from_its_first_byte_on() {
        let activity = Activity::default();
        advance(IDLE / 2).await;
        activity.read(1);
        advance(RECEIVE / 2).await;
        activity.read(1);
        assert!(!is_over(&activity, nearly(RECEIVE / 2)).await);
        assert!(is_over(&activity, 2 * NEARLY).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_the_client_does_not_take_ends_the_connection() {
        let activity = Arc::new(Activity::default());
        let stuck = activity.begin();
        activity.received();
        stuck.answered();
        assert!(matches!(activity.loss(Instant::now()), Loss::Review(_)));
        advance(READING + NEARLY).await;
        assert!(matches!(activity.loss(Instant::now()), Loss::Slow(_)));
        let rest = REVIEW.saturating_sub(READING + 2 * NEARLY);
        assert!(!is_over(&activity, rest).await);
        assert!(is_over(&activity, 2 * NEARLY).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_slow_below_the_least_rate() {
        let activity = Arc::new(Activity::default());
        let request = activity.begin();
        let is_slow = || activity.slow_body_since(Instant::now()).is_some();
        advance(GRACE).await;
        assert!(!is_slow(), "it has only begun");
        advance(NEARLY).await;
        assert!(is_slow());
        activity.read(LEAST_RATE);
        assert!(!is_slow());
        advance(Duration::from_secs(1)).await;
        assert!(is_slow());
        activity.received();
        assert!(!is_slow(), "it is judged");
        drop(request);
    }
}
