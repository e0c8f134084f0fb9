//! The connections that are open: how many there may be, and which one gives way.

use super::quota::{Full, Lease, Quota};
use crate::runtime::metrics::ConnectionMetrics;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a request may be under way, until its answer is taken. The API server gives up after 30 s at most.
const REQUEST: Duration = Duration::from_secs(30);
/// How long a request may be under way before its connection may have to give way. Whoever means well is done by then.
const BUSY: Duration = Duration::from_secs(2);
/// How long a connection may be idle. The API server pools connections for 90 s and does not retry a POST, so the server
/// must not be the first to close one.
const IDLE: Duration = Duration::from_secs(100);
/// What the head of a request may take once its first byte is there, and with HTTP/2 the first request.
const HEAD: Duration = Duration::from_secs(10);

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    quota: Arc<Quota>,
    open: Mutex<HashMap<u64, Open>>,
    metrics: ConnectionMetrics,
}

#[derive(Debug)]
struct Open {
    source: IpAddr,
    activity: Arc<Activity>,
    _place: Lease,
}

/// The place of one connection, free again when it is dropped.
pub(super) struct ConnectionPlace {
    connections: Arc<Connections>,
    number: u64,
    pub(super) activity: Arc<Activity>,
}

/// What a connection does.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<ConnectionState>,
    /// Told when the connection has to give way.
    evicted: Notify,
}

#[derive(Debug)]
struct ConnectionState {
    /// Requests whose answers are not taken yet, and when they came, the first one first.
    in_flight: Vec<(u64, Instant)>,
    /// How many requests there were.
    requests: u64,
    /// Since when there is none.
    idle_since: Instant,
    /// Since when bytes are there that are no whole request yet.
    reading_since: Option<Instant>,
    /// Whether bytes between two requests are the beginning of the next one. With HTTP/2 they need not be.
    reads_are_requests: bool,
}

/// How little would be lost with a connection: the least first, and of equal ones the one that is so for longest.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dispensable {
    /// It never asked anything.
    Unused(Instant),
    /// It has nothing to do.
    Idle(Instant),
    /// It has something to do for longer than is good.
    Stuck(Instant),
}

/// A request whose answer is not taken yet.
pub(super) struct RequestInFlight {
    activity: Arc<Activity>,
    number: u64,
}

impl Connections {
    pub(super) fn new(most: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            quota: Quota::new(most),
            open: Mutex::default(),
            metrics,
        })
    }

    /// A place for a new connection, for which another one gives way: of the same source where that has its share, of all
    /// where the whole is used up. First those that never asked anything, then those that are idle, the one that was for
    /// longest first; then one that is busy for too long. `None` where all are at work.
    pub(super) fn admit(self: &Arc<Self>, number: u64, source: IpAddr) -> Option<ConnectionPlace> {
        let source = source.to_canonical();
        let place = loop {
            let (full, reason) = match self.quota.take(source, 1) {
                Ok(place) => break place,
                Err(full @ Full::Source) => (full, "share"),
                Err(full @ Full::Total) => (full, "total"),
            };
            let of = (full == Full::Source).then_some(source);
            if self.evict(of) {
                self.metrics.closed(reason);
            } else {
                self.metrics.refused(reason);
                return None;
            }
        };
        let activity = Arc::new(Activity::new());
        let open = Open {
            source,
            activity: activity.clone(),
            _place: place,
        };
        self.open().insert(number, open);
        self.metrics.open.inc();
        Some(ConnectionPlace {
            connections: self.clone(),
            number,
            activity,
        })
    }

    fn evict(&self, of: Option<IpAddr>) -> bool {
        let mut all = self.open();
        let candidates = all
            .iter()
            .filter(|(_, open)| of.is_none_or(|source| open.source == source))
            .filter_map(|(number, open)| Some((open.activity.dispensable()?, *number)));
        let Some((_, longest)) = candidates.min() else {
            return false;
        };
        if let Some(open) = all.remove(&longest) {
            open.activity.evicted.notify_one();
        }
        true
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.metrics.open.dec();
    }
}

impl Activity {
    fn new() -> Self {
        let state = ConnectionState {
            in_flight: Vec::new(),
            requests: 0,
            idle_since: Instant::now(),
            reading_since: None,
            reads_are_requests: true,
        };
        Self {
            state: Mutex::new(state),
            evicted: Notify::new(),
        }
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> RequestInFlight {
        let mut state = self.state();
        let number = state.requests;
        state.requests += 1;
        state.in_flight.push((number, Instant::now()));
        state.reading_since = None;
        RequestInFlight {
            activity: self.clone(),
            number,
        }
    }

    /// Bytes have come.
    pub(super) fn read(&self) {
        let mut state = self.state();
        if state.in_flight.is_empty() && state.reads_are_requests {
            state.reading_since.get_or_insert_with(Instant::now);
        }
    }

    /// From the first request on, bytes between requests need not belong to one.
    pub(super) fn is_http2(&self) {
        let mut state = self.state();
        state.reads_are_requests = false;
        // The first request has its deadline all the same.
        state.reading_since = Some(Instant::now());
    }

    /// Ends when the connection has to: it was idle for too long, or slow, or has to give way.
    pub(super) async fn over(&self) {
        let late = async {
            loop {
                let at = self.deadline();
                if at <= Instant::now() {
                    return;
                }
                // What begins meanwhile may have an earlier deadline than this, by no more than the shortest.
                tokio::time::sleep_until(at.min(Instant::now() + HEAD / 2)).await;
            }
        };
        tokio::select! {
            () = late => {}
            () = self.evicted.notified() => {}
        }
    }

    fn deadline(&self) -> Instant {
        let state = self.state();
        match (state.in_flight.first(), state.reading_since) {
            (Some((_, since)), _) => *since + REQUEST,
            (None, Some(since)) => since + HEAD,
            (None, None) => state.idle_since + IDLE,
        }
    }

    fn dispensable(&self) -> Option<Dispensable> {
        let state = self.state();
        match state.in_flight.first() {
            None if state.requests == 0 => Some(Dispensable::Unused(state.idle_since)),
            None => Some(Dispensable::Idle(state.idle_since)),
            Some((_, since)) if since.elapsed() > BUSY => Some(Dispensable::Stuck(*since)),
            Some(_) => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        let number = self.number;
        state.in_flight.retain(|(known, _)| *known != number);
        state.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::time::{advance, timeout};

    fn source(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    async fn is_over(activity: &Activity, after: Duration) -> bool {
        timeout(after, activity.over()).await.is_ok()
    }

    const NEARLY: Duration = Duration::from_millis(1);

    fn nearly(time: Duration) -> Duration {
        time.saturating_sub(NEARLY)
    }

    /// The API server pools connections for 90 s, and a POST on one that was just closed is a failed admission.
    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_outlives_the_pool_of_the_api_server() {
        assert!(IDLE > Duration::from_secs(95));
        let activity = Arc::new(Activity::new());
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
        let activity = Arc::new(Activity::new());
        advance(IDLE / 2).await;
        activity.read();
        advance(HEAD / 2).await;
        activity.read();
        assert!(!is_over(&activity, nearly(HEAD / 2)).await);
        assert!(is_over(&activity, 2 * NEARLY).await);
        let http2 = Arc::new(Activity::new());
        http2.is_http2();
        assert!(
            is_over(&http2, HEAD + NEARLY).await,
            "the first request of HTTP/2 too"
        );
        let used = Arc::new(Activity::new());
        used.is_http2();
        drop(used.begin());
        used.read();
        assert!(!is_over(&used, nearly(IDLE)).await, "a ping is no request");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_ends_the_connection() {
        let activity = Arc::new(Activity::new());
        let stuck = activity.begin();
        advance(REQUEST / 2).await;
        drop(activity.begin());
        assert!(!is_over(&activity, nearly(REQUEST / 2)).await);
        assert!(
            is_over(&activity, HEAD).await,
            "others do not make up for it"
        );
        drop(stuck);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_lose_least_gives_way() {
        let connections = Connections::new(16, ConnectionMetrics::default());
        let open = |number: u64, last: u8| connections.admit(number, source(last));
        let (first, second) = (open(1, 1).unwrap(), open(2, 1).unwrap());
        let busy = second.activity.begin();
        drop(first.activity.begin());
        let third = open(3, 1).unwrap();
        first.activity.evicted.notified().await;
        assert!(
            timeout(NEARLY, second.activity.evicted.notified())
                .await
                .is_err()
        );
        let at_work = third.activity.begin();
        assert!(open(4, 1).is_none(), "both are at work");
        advance(BUSY + NEARLY).await;
        let fourth = open(4, 1).unwrap();
        second.activity.evicted.notified().await;
        drop((busy, at_work, first, second, third, fourth));
        let mut others: Vec<_> = (10..26).map(|i| open(u64::from(i), i).unwrap()).collect();
        drop(others[0].activity.begin());
        others.push(open(30, 30).unwrap());
        // The oldest one has asked something, the second has not.
        others[1].activity.evicted.notified().await;
        drop(others);
        assert!(connections.open().is_empty());
        assert_eq!(connections.metrics.open.get(), 0);
    }
}
