//! The connections that are open: how many there may be, and which one gives way.

use super::quota::{Full, Lease, Quota};
use crate::metrics::ConnectionMetrics;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

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
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    pub(super) activity: Arc<Activity>,
}

/// What a connection does.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Told when the connection has to give way.
    evicted: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests that are not answered yet.
    in_flight: usize,
    /// Since when there is none.
    idle_since: Instant,
    /// Since when bytes are there that are no whole request yet.
    reading_since: Option<Instant>,
    /// Whether bytes between two requests are the beginning of the next one. With HTTP/2 they need not be.
    reads_are_requests: bool,
}

/// A request that is not answered yet.
pub(super) struct InFlight(Arc<Activity>);

impl Connections {
    pub(super) fn new(most: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            quota: Quota::new(most),
            open: Mutex::default(),
            metrics,
        })
    }

    /// A place for a new connection, for which the one gives way that was idle for longest: of the same source where that
    /// has its share, of all where the whole is used up. `None` where all are busy.
    pub(super) fn admit(self: &Arc<Self>, number: u64, source: IpAddr) -> Option<Place> {
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
        Some(Place {
            connections: self.clone(),
            number,
            activity,
        })
    }

    fn evict(&self, of: Option<IpAddr>) -> bool {
        let mut all = self.open();
        let idle = all
            .iter()
            .filter(|(_, open)| of.is_none_or(|source| open.source == source))
            .filter_map(|(number, open)| Some((open.activity.idle_since()?, *number)));
        let Some((_, longest)) = idle.min() else {
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

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.metrics.open.dec();
    }
}

impl Activity {
    fn new() -> Self {
        let state = State {
            in_flight: 0,
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
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.reading_since = None;
        InFlight(self.clone())
    }

    /// Bytes have come.
    pub(super) fn read(&self) {
        let mut state = self.state();
        if state.in_flight == 0 && state.reads_are_requests {
            state.reading_since.get_or_insert_with(Instant::now);
        }
    }

    /// From the first request on, bytes between requests need not belong to one.
    pub(super) fn is_http2(&self) {
        self.state().reads_are_requests = false;
        // The first request has its deadline all the same.
        self.state().reading_since = Some(Instant::now());
    }

    /// Ends when the connection has to: it was idle for too long, or slow, or has to give way.
    pub(super) async fn over(&self) {
        let late = async {
            loop {
                // What begins meanwhile has a later deadline than this.
                let at = self.deadline().unwrap_or_else(|| Instant::now() + HEAD);
                if at <= Instant::now() {
                    return;
                }
                tokio::time::sleep_until(at.min(Instant::now() + HEAD / 2)).await;
            }
        };
        tokio::select! {
            () = late => {}
            () = self.evicted.notified() => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        (state.in_flight == 0).then(|| {
            state
                .reading_since
                .map_or(state.idle_since + IDLE, |since| since + HEAD)
        })
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.in_flight == 0).then_some(state.idle_since)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        state.idle_since = Instant::now();
    }
}
