//! Tests of the watches of docker-type Secrets.

use super::{Cluster, KEY_SECRET};
use crate::api_server::Resource::{Namespaces, Secrets, ServiceAccounts};
use crate::api_server::{Fault, Verb};
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::facts::inventory::{InventoryMode, SecretFacts};
use pullgate::runtime::lifecycle::Part;
use pullgate::secrets::credentials::{Content, FingerprintKey, SecretContent};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Returns a Secret of type `dockerconfigjson` with one credential.
fn secret(namespace: &str, name: &str, user: &str) -> Value {
    let auth = BASE64_STANDARD.encode(format!("{user}:hidden-password"));
    let content = json!({"auths": {"reg.io": {"auth": auth}}}).to_string();
    json!({
        "metadata": {"namespace": namespace, "name": name}, "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": BASE64_STANDARD.encode(content)},
    })
}

fn other_secret(namespace: &str, name: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": name}, "type": "Opaque",
        "data": {"key": BASE64_STANDARD.encode([7; FingerprintKey::LENGTH])},
    })
}

impl Cluster {
    fn secret<T>(&self, place: &str, read: impl FnOnce(&SecretFacts) -> T) -> Option<T> {
        let (namespace, name) = place.split_once('/').expect("NAMESPACE/NAME");
        self.facts(|facts| facts.inventory()?.get(namespace, name).map(read))
    }

    /// Returns the user names in a Secret, or `None` if the Secret is not known.
    fn users(&self, place: &str) -> Option<String> {
        self.secret(place, |secret| {
            let credentials = secret.content.credentials().iter();
            credentials.map(|one| &*one.username).collect()
        })
    }
}

#[tokio::test(start_paused = true)]
async fn contents_of_secrets_are_reduced_and_a_deleted_secret_is_forgotten() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let api = cluster.api.clone();
    api.put(Secrets, secret("a", "pull", "jane"));
    api.put(Secrets, other_secret("a", "opaque"));
    cluster.watch_facts(InventoryMode::Contents);
    cluster.ready().await;
    assert_eq!(cluster.users("a/pull").as_deref(), Some("jane"));
    assert_eq!(cluster.users("a/opaque"), None);
    assert_eq!(
        cluster.facts(pullgate::facts::Facts::inventory_mode),
        InventoryMode::Contents
    );
    let has_print = |secret: &SecretFacts| secret.content.credentials()[0].fingerprint.is_some();
    assert_eq!(cluster.secret("a/pull", has_print), Some(true));
    api.put(Secrets, secret("b", "pull", "john"));
    let arrived = || cluster.users("b/pull").as_deref() == Some("john");
    api.until("a new Secret is known", arrived).await;
    api.delete(Secrets, "a/pull");
    let is_gone = || cluster.users("a/pull").is_none();
    api.until("the deleted Secret is forgotten", is_gone).await;
    let all = cluster.facts(|facts| format!("{facts:?}"));
    assert!(!all.contains("hidden-password"), "{all}");
    // Both types are listed once each, and no other type.
    let mut types: Vec<_> = api
        .requests(Verb::List, Secrets)
        .into_iter()
        .map(|mut request| request.query.remove("fieldSelector"))
        .collect();
    types.sort();
    assert_eq!(
        types,
        [
            Some("type=kubernetes.io/dockercfg".to_owned()),
            Some("type=kubernetes.io/dockerconfigjson".to_owned())
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_deleted_without_an_event_is_forgotten_at_the_next_list() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let api = cluster.api.clone();
    api.put(Secrets, secret("a", "pull", "jane"));
    api.put(Secrets, secret("b", "pull", "john"));
    cluster.watch_facts(InventoryMode::Names);
    cluster.ready().await;
    api.until("both watches are open", || {
        api.count(Verb::Watch, Secrets) == 2
    })
    .await;
    api.expire_watches(Secrets, &["a/pull"], vec![secret("c", "pull", "mary")]);
    let is_known = || cluster.users("c/pull").is_some() && cluster.users("a/pull").is_none();
    api.until("the new list is known", is_known).await;
    assert!(cluster.users("b/pull").is_some());
    assert_eq!(cluster.watch_errors("pullsecrets"), 2);
}

#[tokio::test(start_paused = true)]
async fn names_mode_never_asks_for_the_content_of_a_secret() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let api = cluster.api.clone();
    api.put(Secrets, secret("a", "pull", "jane"));
    cluster.watch_facts(InventoryMode::Names);
    cluster.ready().await;
    assert_eq!(
        cluster.facts(pullgate::facts::Facts::inventory_mode),
        InventoryMode::Names
    );
    let is_unread = |secret: &SecretFacts| secret.content == Content::Unread;
    assert_eq!(cluster.secret("a/pull", is_unread), Some(true));
    api.put(Secrets, secret("b", "pull", "john"));
    let arrived = || cluster.secret("b/pull", is_unread) == Some(true);
    api.until("a new Secret is known", arrived).await;
    let lists = api.requests(Verb::List, Secrets);
    let list = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    assert_eq!(lists.len(), 2);
    assert!(lists.iter().all(|request| request.accept == list));
    let watches = api.requests(Verb::Watch, Secrets);
    let watch = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    assert_eq!(watches.len(), 2);
    assert!(watches.iter().all(|request| request.accept == watch));
    assert_eq!(api.count(Verb::Get, Secrets), 0);
    assert_eq!(api.count(Verb::Create, Secrets), 0);
}

#[tokio::test(start_paused = true)]
async fn a_missing_fingerprint_key_is_created() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let api = cluster.api.clone();
    cluster.watch_facts(InventoryMode::Contents);
    cluster.ready().await;
    let made = api.get(Secrets, KEY_SECRET).expect("the Secret exists");
    assert_eq!(made["type"], "Opaque");
    let value = made["data"]["key"].as_str().expect("a key");
    let value = BASE64_STANDARD.decode(value).expect("base64");
    assert_eq!(value.len(), FingerprintKey::LENGTH);
    assert_eq!(api.count(Verb::Create, Secrets), 1);
}

#[tokio::test(start_paused = true)]
async fn the_fingerprint_key_of_a_faster_replica_is_used() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let api = cluster.api.clone();
    let other = other_secret("pullgate", "fingerprints");
    api.script(Verb::Create, Secrets, Fault::Overtaken(other.clone()));
    cluster.watch_facts(InventoryMode::Contents);
    cluster.ready().await;
    assert_eq!(api.count(Verb::Create, Secrets), 1);
    assert_eq!(api.count(Verb::Get, Secrets), 2);
    let kept = api.get(Secrets, KEY_SECRET).expect("the Secret exists");
    assert_eq!(kept["data"], other["data"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_given_up_and_repeated() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let api = cluster.api.clone();
    api.put(Secrets, other_secret("pullgate", "fingerprints"));
    api.script(Verb::Get, Secrets, Fault::Never);
    api.script(Verb::Get, Secrets, Fault::Garbage);
    api.script(Verb::Get, Secrets, Fault::Status(429));
    cluster.watch_facts(InventoryMode::Contents);
    // The reason why Secrets are not known is counted and reported.
    let counted = || cluster.watch_errors("pullsecrets") == 2;
    api.until("two errors are counted", counted).await;
    let (is_ready, report) = cluster.readiness.report();
    let expected =
        "not ready: no facts about namespaces and service accounts: Secrets are not known yet: ";
    assert!(!is_ready && report.starts_with(expected), "{report}");
    assert!(report.contains("pullgate/fingerprints"), "{report}");
    cluster.ready().await;
    assert_eq!(cluster.watch_errors("pullsecrets"), 3);
    assert_eq!(api.count(Verb::Get, Secrets), 4);
}

/// In both modes. Implausible times are ignored, and the newest of the others counts.
#[tokio::test(start_paused = true)]
async fn the_newest_plausible_time_of_a_secret_is_kept() {
    for mode in [InventoryMode::Names, InventoryMode::Contents] {
        let mut cluster = Cluster::waiting_for(Part::Facts);
        let mut copy = secret("a", "copy", "jane");
        let time = |time: &str| json!({"manager": "m", "time": time});
        copy["metadata"]["managedFields"] = json!([
            time("2026-03-01T00:00:00Z"),
            time("9999-12-31T23:59:59Z"),
            time("2026-02-01T00:00:00+01:00"),
            {"manager": "without a time"},
        ]);
        let mut own = secret("a", "own", "jane");
        own["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z".into();
        cluster.api.put(Secrets, copy);
        cluster.api.put(Secrets, own);
        cluster.watch_facts(mode);
        cluster.ready().await;
        let kept = |place: &str| cluster.secret(place, |known| known.changed);
        let seconds = |text: &str| {
            let time: jiff::Timestamp = text.parse().expect("a time");
            u32::try_from(time.as_second()).ok()
        };
        let march = seconds("2026-03-01T00:00:00Z");
        assert_eq!(kept("a/copy"), Some(march), "{mode:?}");
        let made = seconds("2026-01-02T00:00:00Z");
        assert_eq!(kept("a/own"), Some(made), "{mode:?}");
    }
}

/// A gate before the reduction of contents, and the user names that have passed through it.
static GATE: (Mutex<Gate>, Condvar) = (
    Mutex::new(Gate {
        is_open: false,
        waiting: 0,
        passed: Vec::new(),
    }),
    Condvar::new(),
);

struct Gate {
    is_open: bool,
    waiting: usize,
    passed: Vec<String>,
}

fn gate() -> MutexGuard<'static, Gate> {
    GATE.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the gate on drop, also when the test fails: otherwise the runtime would wait for its threads forever.
struct OpenAtTheEnd;

impl Drop for OpenAtTheEnd {
    fn drop(&mut self) {
        gate().is_open = true;
        GATE.1.notify_all();
    }
}

fn reduce_behind_the_gate(content: &SecretContent, key: Option<&FingerprintKey>) -> Content {
    let reduced = content.reduce(key);
    let mut gate = gate();
    gate.waiting += 1;
    let mut gate = GATE
        .1
        .wait_while(gate, |gate| !gate.is_open)
        .unwrap_or_else(PoisonError::into_inner);
    let users = reduced.credentials().iter();
    gate.passed
        .extend(users.map(|one| one.username.to_string()));
    reduced
}

/// Returns a Secret of more than 100 KiB.
fn large_secret(name: &str, user: &str) -> Value {
    let content = json!({"auths": {"reg.io": {"username": user, "email": "x".repeat(100_000)}}});
    let content = BASE64_STANDARD.encode(content.to_string());
    json!({
        "metadata": {"namespace": "a", "name": name}, "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": content},
    })
}

/// A gate simulates the slow reading of a Secret. While the gate is closed, namespaces and service accounts become
/// known, the rest of the list stays with the API server, and of a Secret that changes only the newest version is kept.
#[tokio::test]
async fn a_secret_that_takes_long_to_read_holds_up_no_other_facts() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let opener = OpenAtTheEnd;
    let api = cluster.api.clone();
    api.put(Secrets, large_secret("large", "first"));
    for number in 0..50 {
        api.put(Secrets, large_secret(&format!("later-{number}"), "other"));
    }
    cluster.watch_facts_with(InventoryMode::Contents, reduce_behind_the_gate);
    let waits = || gate().waiting == 1;
    api.until("the Secret is being read", waits).await;
    api.put(Namespaces, json!({"metadata": {"name": "a"}}));
    let account = json!({"metadata": {"namespace": "a", "name": "web"}});
    api.put(ServiceAccounts, account);
    let learned = |facts: &pullgate::facts::Facts| {
        facts.labels("a").is_some() && facts.service_account("a", "web").is_some()
    };
    api.until("the other facts are known", || cluster.facts(learned))
        .await;
    for user in ["second", "third"] {
        api.put(Secrets, large_secret("large", user));
    }
    assert_eq!(gate().waiting, 1, "one Secret at a time");
    let sent = api.bytes_sent();
    assert!(sent < 300_000, "{sent} of more than 5 MB");
    assert_eq!(cluster.users("a/large"), None);
    drop(opener);
    let is_newest = || cluster.users("a/large").as_deref() == Some("third");
    api.until("the newest version is known", is_newest).await;
    cluster.ready().await;
    let mut passed = gate().passed.clone();
    passed.retain(|user| user != "other");
    assert_eq!(passed, ["first", "second", "third"]);
}

/// The number of calls of [`reduce_and_count`].
static REDUCED: AtomicUsize = AtomicUsize::new(0);

fn reduce_and_count(content: &SecretContent, key: Option<&FingerprintKey>) -> Content {
    REDUCED.fetch_add(1, Ordering::Relaxed);
    content.reduce(key)
}

/// The API server ends a list after a minute, and the large Secrets of a tenant may take longer to read. The first half
/// of this list arrives three times.
#[tokio::test(start_paused = true)]
async fn a_repeated_list_does_not_reduce_the_same_secrets_again() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let api = cluster.api.clone();
    for number in 0..20 {
        api.put(Secrets, large_secret(&format!("large-{number}"), "jane"));
    }
    let number = || REDUCED.load(Ordering::Relaxed);
    api.always(Verb::List, Secrets, Fault::CutOff);
    cluster.watch_facts_with(InventoryMode::Contents, reduce_and_count);
    api.until("the list broke off three times", || {
        cluster.watch_errors("pullsecrets") >= 6
    })
    .await;
    let half = number();
    assert!((5..15).contains(&half), "{half}");
    api.recover(Verb::List, Secrets);
    cluster.ready().await;
    assert_eq!(number(), 20);
    assert_eq!(cluster.users("a/large-0").as_deref(), Some("jane"));
    // A changed Secret is reduced again. After a complete list, no contents are remembered.
    api.put(Secrets, large_secret("large-0", "john"));
    let is_new = || cluster.users("a/large-0").as_deref() == Some("john");
    api.until("the new version is known", is_new).await;
    assert_eq!(number(), 21);
}

/// Each of the two types has its own watch, and the watch of the new type may be faster.
#[tokio::test(start_paused = true)]
async fn a_secret_recreated_with_the_other_type_is_known_by_it() {
    for is_late in [false, true] {
        let mut cluster = Cluster::waiting_for(Part::Facts);
        let api = cluster.api.clone();
        api.put(Secrets, secret("a", "pull", "jane"));
        cluster.watch_facts(InventoryMode::Contents);
        cluster.ready().await;
        api.until("both watches are open", || {
            api.count(Verb::Watch, Secrets) == 2
        })
        .await;
        if is_late {
            // The list of the old type arrives after the event of the new type.
            api.script(Verb::Watch, Secrets, Fault::Slow(Duration::from_secs(5)));
            api.end_watches(Secrets);
        }
        api.delete(Secrets, "a/pull");
        let content = json!({"reg.io": {"username": "john", "password": "hidden-password"}});
        let content = BASE64_STANDARD.encode(content.to_string());
        api.put(
            Secrets,
            json!({
                "metadata": {"namespace": "a", "name": "pull"}, "type": "kubernetes.io/dockercfg",
                "data": {".dockercfg": content},
            }),
        );
        let is_known = || cluster.users("a/pull").as_deref() == Some("john");
        api.until("the new Secret is known", is_known).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(is_known(), "{is_late}");
        api.delete(Secrets, "a/pull");
        let is_gone = || cluster.users("a/pull").is_none();
        api.until("the Secret is forgotten", is_gone).await;
    }
}
