//! The table of open connections: their number is limited, and where all places are taken one connection gives way.

use super::activity::{Activity, Loss};
use super::network::network;
use crate::runtime::metrics::ConnectionMetrics;
use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Connections of one network that have not sent a whole review yet may hold one part in this many of all places.
const NETWORK_SHARE: usize = 4;
/// The fair share of a source is never smaller than this. The API server keeps 25 idle connections, and opens more for the
/// reviews that are under way.
const ALWAYS_FAIR: usize = 64;

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    places: usize,
    open: Mutex<HashMap<u64, Open>>,
    metrics: ConnectionMetrics,
}

#[derive(Debug)]
struct Open {
    source: IpAddr,
    activity: Arc<Activity>,
}

/// The place of one connection, free again when it is dropped.
pub(super) struct ConnectionPlace {
    connections: Arc<Connections>,
    number: u64,
    pub(super) peer: Peer,
}

/// The other end of a connection, as a request knows it. The default is for a request without a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// Its address.
    pub(super) source: IpAddr,
    /// The state of its connection.
    pub(super) activity: Arc<Activity>,
    connections: Option<Arc<Connections>>,
}

/// The connections of one source.
#[derive(Debug, Default, Clone, Copy)]
struct Share {
    open: usize,
    unproven: usize,
}

impl Connections {
    pub(super) fn new(places: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            places: places.max(1),
            open: Mutex::default(),
            metrics,
        })
    }

    /// Returns a place for a new connection. Where all places are taken another connection gives way, in this order:
    ///
    /// 1. one that never sent a whole review, although it had the time;
    /// 2. one that has been idle for some time;
    /// 3. one that sends or reads more slowly than the API server does;
    /// 4. one that is new: first of a source that has more than [`ALWAYS_FAIR`] without a whole review;
    /// 5. one that is idle between two reviews;
    /// 6. one with a review, if its source has more than its fair share of the places and more than [`ALWAYS_FAIR`].
    ///
    /// Of equals, the connection that has been so for longest gives way.
    ///
    /// Where the connections of a network without a whole review fill their share of the places, one of them gives way to the
    /// new one. Returns `None` where all places are taken and no connection has to give way.
    pub(super) fn admit(self: &Arc<Self>, number: u64, source: IpAddr) -> Option<ConnectionPlace> {
        let source = source.to_canonical();
        let mut open = self.open();
        let crowded = self.unproven_of_a_crowded_network(&open, source);
        if let Some(victim) = crowded {
            self.close(&mut open, victim, "network");
        }
        if open.len() >= self.places {
            let Some(victim) = self.victim(&open) else {
                self.metrics.refused("total");
                return None;
            };
            self.close(&mut open, victim, "total");
        }
        let activity = Arc::new(Activity::default());
        let known = activity.clone();
        open.insert(
            number,
            Open {
                source,
                activity: known,
            },
        );
        drop(open);
        self.metrics.open.inc();
        Some(ConnectionPlace {
            connections: self.clone(),
            number,
            peer: Peer {
                source,
                activity,
                connections: Some(self.clone()),
            },
        })
    }

    fn close(&self, open: &mut HashMap<u64, Open>, number: u64, reason: &'static str) {
        if let Some(closed) = open.remove(&number) {
            closed.activity.give_way();
            self.metrics.closed(reason);
        }
    }

    fn victim(&self, open: &HashMap<u64, Open>) -> Option<u64> {
        let now = Instant::now();
        let shares = shares(open.values());
        let fair = ALWAYS_FAIR.max(self.places / shares.len().max(1));
        let candidates = open.iter().filter_map(|(number, open)| {
            let loss = open.activity.loss(now);
            let share = shares.get(&open.source)?;
            let (order, most) = match loss {
                Loss::Silent(_) => (0, 0),
                Loss::Idle(_) => (1, 0),
                Loss::Slow(_) => (2, 0),
                Loss::New(_) => (3, above_fair(share.unproven)),
                Loss::InUse(_) => (4, 0),
                Loss::Review(_) if share.open > fair => (5, share.open),
                Loss::Review(_) => return None,
            };
            Some(((order, Reverse(most), loss), *number))
        });
        candidates.min().map(|(_, number)| number)
    }

    /// Returns the connection that gives way to a new one of the same network, if connections without a whole review fill
    /// the share of that network.
    fn unproven_of_a_crowded_network(
        &self,
        open: &HashMap<u64, Open>,
        source: IpAddr,
    ) -> Option<u64> {
        let share = (self.places / NETWORK_SHARE).max(1);
        if open.len() < share {
            return None;
        }
        let crowd = network(source);
        let unproven: Vec<(&u64, &Open)> = open
            .iter()
            .filter(|(_, open)| network(open.source) == crowd && !open.activity.has_asked())
            .collect();
        if unproven.len() < share {
            return None;
        }
        let now = Instant::now();
        let shares = shares(unproven.iter().map(|(_, open)| *open));
        let order = |(number, open): &(&u64, &Open)| {
            let share = shares.get(&open.source).map_or(0, |share| share.open);
            (
                Reverse(above_fair(share)),
                open.activity.loss(now),
                **number,
            )
        };
        let first = unproven.iter().min_by_key(|connection| order(connection));
        first.map(|(number, _)| **number)
    }

    /// Closes the connection with the slowest body, so that others get its memory.
    fn make_room(&self) {
        let now = Instant::now();
        let mut open = self.open();
        let slow = open
            .iter()
            .filter_map(|(number, open)| Some((open.activity.slow_body_since(now)?, *number)));
        if let Some((_, number)) = slow.min() {
            self.close(&mut open, number, "memory");
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shares<'o>(open: impl Iterator<Item = &'o Open>) -> HashMap<IpAddr, Share> {
    let mut shares: HashMap<IpAddr, Share> = HashMap::new();
    for open in open {
        let share = shares.entry(open.source).or_default();
        share.open += 1;
        share.unproven += usize::from(!open.activity.has_asked());
    }
    shares
}

/// Returns the number of connections of a source, or 0 where that number is always fair.
fn above_fair(connections: usize) -> usize {
    if connections > ALWAYS_FAIR {
        connections
    } else {
        0
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.metrics.open.dec();
    }
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            source: Ipv4Addr::UNSPECIFIED.into(),
            activity: Arc::default(),
            connections: None,
        }
    }
}

impl Peer {
    /// Closes the connection with the slowest body of all, so that others get its memory.
    pub(super) fn make_room(&self) {
        if let Some(connections) = &self.connections {
            connections.make_room();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::activity::RequestInFlight;
    use super::*;
    use std::time::Duration;
    use tokio::time::{advance, timeout};

    fn source(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, last, 1).into()
    }

    /// A table with its connections by number.
    struct Table {
        connections: Arc<Connections>,
        places: std::collections::BTreeMap<u64, ConnectionPlace>,
        requests: Vec<RequestInFlight>,
    }

    impl Table {
        fn new(places: usize) -> Self {
            Self {
                connections: Connections::new(places, ConnectionMetrics::default()),
                places: std::collections::BTreeMap::new(),
                requests: Vec::new(),
            }
        }

        fn open(&mut self, number: u64, source: IpAddr) -> bool {
            let place = self.connections.admit(number, source);
            let is_open = place.is_some();
            self.places.extend(place.map(|place| (number, place)));
            is_open
        }

        /// Opens a connection on which a review is judged.
        fn ask(&mut self, number: u64, source: IpAddr) -> bool {
            let is_open = self.open(number, source);
            if is_open {
                let activity = &self.places[&number].peer.activity;
                self.requests.push(activity.begin());
                activity.received();
            }
            is_open
        }

        /// The connections that were asked to end since the last call.
        async fn closed(&mut self) -> Vec<u64> {
            let mut closed = Vec::new();
            for (number, place) in &self.places {
                let evicted = place.peer.activity.over();
                if timeout(Duration::from_nanos(1), evicted).await.is_ok() {
                    closed.push(*number);
                }
            }
            self.places.retain(|number, _| !closed.contains(number));
            closed
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_with_the_least_to_lose_gives_way() {
        let mut table = Table::new(6);
        assert!(table.ask(1, source(1)), "will be idle");
        table.requests.clear();
        assert!(table.open(2, source(2)), "never asks");
        advance(Duration::from_secs(6)).await;
        assert!(table.ask(3, source(3)), "will be idle between two reviews");
        assert!(table.ask(4, source(4)), "will send slowly");
        table.requests.clear();
        let slow = table.places[&4].peer.activity.begin();
        assert!(table.ask(5, source(5)), "judged");
        advance(Duration::from_millis(300)).await;
        assert!(table.open(6, source(6)), "new");
        for (number, expected) in [(7, 2), (8, 1), (9, 4), (10, 6), (11, 3)] {
            assert!(table.ask(number, source(u8::try_from(number).expect("small"))));
            assert_eq!(table.closed().await, [expected]);
        }
        assert!(!table.open(14, source(14)), "reviews are judged on all");
        drop(slow);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_floods_pushes_itself_out() {
        let mut table = Table::new(400);
        let of = |last: u8| IpAddr::from([10, 0, 0, last]);
        assert!(table.open(0, of(1)), "its neighbour, which is slow");
        for number in 1..1000 {
            assert!(table.open(number, of(2)));
        }
        let closed = table.closed().await;
        assert!(
            closed.len() == 900 && !closed.contains(&0),
            "{}",
            closed.len()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_gets_no_more_than_its_share_before_it_asks() {
        let mut table = Table::new(16);
        let of = |last: u8| IpAddr::from([10, 0, 0, last]);
        for number in 0..50 {
            assert!(table.open(number, of(u8::try_from(number).expect("small"))));
        }
        assert_eq!(table.closed().await.len(), 46, "a quarter of 16 is left");
        table.places.clear();
        for number in 100..116 {
            assert!(table.ask(number, of(200)), "reviews are not counted");
        }
        assert!(table.closed().await.is_empty());
    }

    /// The API server is the largest honest source.
    #[tokio::test(start_paused = true)]
    async fn reviews_are_lost_only_above_the_fair_share() {
        let (mut table, api_server) = (Table::new(600), source(200));
        for number in 0..50 {
            assert!(table.ask(number, api_server));
        }
        let sources =
            |number: u64| IpAddr::from([10, 1, u8::try_from(number % 250).expect("small"), 1]);
        for number in 50..600 {
            assert!(table.ask(number, sources(number)));
        }
        assert!(!table.open(600, source(1)), "all have little");
        drop(table);
        let mut table = Table::new(600);
        for number in 0..50 {
            assert!(table.ask(number, api_server));
        }
        for number in 50..600 {
            assert!(table.ask(number, source(1)));
        }
        assert!(table.open(600, source(2)));
        assert_eq!(table.closed().await, [50]);
        table.connections.open().clear();
        drop(table);
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_body_gives_way_for_memory() {
        let mut table = Table::new(8);
        assert!(table.ask(0, source(0)), "judged");
        assert!(table.open(9, source(9)), "a slow head, which holds none");
        table.places[&9].peer.activity.read(1);
        let mut bodies = Vec::new();
        for number in 1..4 {
            assert!(table.open(number, source(u8::try_from(number).expect("small"))));
            bodies.push(table.places[&number].peer.activity.begin());
            advance(Duration::from_millis(1)).await;
        }
        table.places[&0].peer.make_room();
        assert!(table.closed().await.is_empty(), "they have only begun");
        advance(Duration::from_secs(1)).await;
        table.places[&1].peer.activity.read(7 << 20);
        table.places[&0].peer.make_room();
        assert_eq!(table.closed().await, [2]);
    }
}
