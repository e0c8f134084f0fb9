//! Tests of the watches of namespaces and service accounts.

use super::Cluster;
use crate::api_server::Resource::{Namespaces, ServiceAccounts};
use crate::api_server::{ApiRequest, Fault, Verb};
use pullgate::facts::inventory::InventoryMode;
use pullgate::facts::{ENFORCE_MOUNTABLE_SECRETS, WatchedObjects};
use pullgate::runtime::lifecycle::Part;
use serde_json::{Value, json};
use std::time::Duration;

const UNREADABLE: &str = "pullgate_unreadable_objects{resource=\"namespaces\"}";

fn namespace(name: &str, team: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"team": team}}})
}

fn account(namespace: &str, name: &str, secrets: &[&str]) -> Value {
    let secrets: Vec<_> = secrets.iter().map(|name| json!({"name": name})).collect();
    json!({"metadata": {"namespace": namespace, "name": name}, "imagePullSecrets": secrets})
}

impl Cluster {
    /// Returns a cluster with the namespaces a and b, without watches.
    fn with_namespaces() -> Self {
        let cluster = Self::waiting_for(Part::Facts);
        cluster.api.put(Namespaces, namespace("a", "red"));
        cluster.api.put(Namespaces, namespace("b", "red"));
        cluster
    }

    /// Returns the same cluster with open watches.
    async fn watched_namespaces() -> Self {
        let mut cluster = Self::with_namespaces();
        cluster.watch_facts(InventoryMode::Off);
        cluster.ready().await;
        cluster.watched(Namespaces).await;
        cluster
    }

    /// Returns the name and the label `team` of each known namespace.
    fn teams(&self) -> Vec<String> {
        let mut teams: Vec<_> = self.facts(|facts| {
            let names = facts.namespaces();
            let team = |name| facts.labels(name).and_then(|labels| labels.get("team"));
            names
                .map(|name| format!("{name} {}", team(name).map_or("-", |team| &**team)))
                .collect()
        });
        teams.sort();
        teams
    }

    async fn teams_are(&self, teams: &[&str]) {
        let what = format!("the namespaces are {teams:?}");
        self.api.until(&what, || self.teams() == teams).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_and_the_events_after_it_become_facts() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    api.put(ServiceAccounts, account("a", "web", &["contoso-pull"]));
    cluster.watch_facts(InventoryMode::Off);
    cluster.ready().await;
    assert_eq!(cluster.teams(), ["a red", "b red"]);
    let secrets = || {
        let secrets = |facts: &pullgate::facts::Facts| {
            let account = facts.service_account("a", "web")?;
            Some(account.image_pull_secrets.concat())
        };
        cluster.facts(secrets)
    };
    assert_eq!(secrets().as_deref(), Some("contoso-pull"));
    api.put(Namespaces, namespace("a", "blue"));
    api.put(Namespaces, namespace("c", "green"));
    api.delete(Namespaces, "b");
    cluster.teams_are(&["a blue", "c green"]).await;
    api.put(ServiceAccounts, account("a", "web", &["other-pull"]));
    let is_changed = || secrets().as_deref() == Some("other-pull");
    api.until("the account changed", is_changed).await;
    api.delete(ServiceAccounts, "a/web");
    api.until("the account is gone", || secrets().is_none())
        .await;
    assert_eq!(api.count(Verb::List, Namespaces), 1);
    assert_eq!(api.count(Verb::List, ServiceAccounts), 1);
    assert_eq!(cluster.watch_errors("namespaces"), 0);
    // The watch of namespaces reads only their metadata.
    let mut requests = api.requests(Verb::List, Namespaces);
    requests.extend(api.requests(Verb::Watch, Namespaces));
    assert!(requests.iter().all(ApiRequest::wants_metadata_only));
}

#[tokio::test(start_paused = true)]
async fn an_expired_watch_lists_again_and_forgets_deleted_objects() {
    let cluster = Cluster::watched_namespaces().await;
    let new = vec![namespace("c", "green")];
    cluster.api.expire_watches(Namespaces, &["b"], new);
    cluster.teams_are(&["a red", "c green"]).await;
    assert_eq!(cluster.api.count(Verb::List, Namespaces), 2);
    assert_eq!(cluster.watch_errors("namespaces"), 1);
    assert!(cluster.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_forbidden_is_counted_and_repeated_until_it_is_allowed() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    api.always(Verb::List, Namespaces, Fault::Status(403));
    cluster.watch_facts(InventoryMode::Off);
    api.until("three errors are counted", || {
        cluster.watch_errors("namespaces") == 3
    })
    .await;
    assert_eq!(
        cluster.readiness.report(),
        (
            false,
            "not ready: no facts about namespaces and service accounts yet\n".to_owned()
        )
    );
    // The other watch is not delayed.
    assert_eq!(cluster.watch_errors("serviceaccounts"), 0);
    assert_eq!(api.count(Verb::Watch, ServiceAccounts), 1);
    api.recover(Verb::List, Namespaces);
    cluster.ready().await;
    assert_eq!(cluster.teams(), ["a red", "b red"]);
}

/// The start of a list must not make the pauses short again, because each list may break off: ten failures take longer
/// than 30 s. The clock is paused, so this counts requests and measures no time.
#[tokio::test(start_paused = true)]
async fn trap_26_a_list_that_fails_each_time_is_repeated_less_often() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    api.always(Verb::List, Namespaces, Fault::Status(500));
    api.always(Verb::List, ServiceAccounts, Fault::CutOff);
    cluster.watch_facts(InventoryMode::Off);
    tokio::time::sleep(Duration::from_secs(30)).await;
    for resource in [Namespaces, ServiceAccounts] {
        let lists = api.count(Verb::List, resource);
        assert!((5..10).contains(&lists), "{lists} of {resource:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_changes_no_fact_and_the_next_watch_starts_from_it() {
    let cluster = Cluster::watched_namespaces().await;
    let bookmark = cluster.api.send_bookmark(Namespaces);
    // The watch reads the bookmark before this event.
    cluster.api.put(ServiceAccounts, account("a", "web", &[]));
    let knows = || cluster.facts(|facts| facts.service_account("a", "web").is_some());
    cluster.api.until("a later event is known", knows).await;
    assert_eq!(cluster.teams(), ["a red", "b red"]);
    cluster.api.end_watches(Namespaces);
    let resumes = || cluster.api.count(Verb::Watch, Namespaces) == 2;
    cluster.api.until("the watch resumes", resumes).await;
    let requests = cluster.api.requests(Verb::Watch, Namespaces);
    assert_eq!(requests[1].query["resourceVersion"], bookmark);
    assert_eq!(cluster.api.count(Verb::List, Namespaces), 1);
    assert_eq!(cluster.watch_errors("namespaces"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_off_is_resumed_where_it_was() {
    let cluster = Cluster::watched_namespaces().await;
    let last = cluster.api.put(Namespaces, namespace("b", "blue"));
    cluster.teams_are(&["a red", "b blue"]).await;
    cluster.api.break_watches(Namespaces);
    cluster.api.put(Namespaces, namespace("c", "green"));
    cluster.teams_are(&["a red", "b blue", "c green"]).await;
    let requests = cluster.api.requests(Verb::Watch, Namespaces);
    let version = &requests[1].query["resourceVersion"];
    assert_eq!(*version, last["metadata"]["resourceVersion"]);
    assert_eq!(cluster.api.count(Verb::List, Namespaces), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_off_is_repeated() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    api.script(Verb::List, Namespaces, Fault::CutOff);
    cluster.watch_facts(InventoryMode::Off);
    cluster.ready().await;
    assert_eq!(cluster.teams(), ["a red", "b red"]);
    assert_eq!(api.count(Verb::List, Namespaces), 2);
    assert_eq!(cluster.watch_errors("namespaces"), 1);
}

/// The first list accepts data from the API server's cache; a later list accepts nothing older than the known version.
/// Lists have no pages, because a page of a field selector would cost the API server a scan of all objects.
#[tokio::test(start_paused = true)]
async fn a_list_has_no_pages_and_is_never_older_than_the_known_version() {
    let cluster = Cluster::watched_namespaces().await;
    let api = cluster.api.clone();
    let last = api.put(Namespaces, namespace("b", "blue"));
    cluster.teams_are(&["a red", "b blue"]).await;
    api.expire_watches(Namespaces, &[], vec![namespace("c", "green")]);
    cluster.teams_are(&["a red", "b blue", "c green"]).await;
    let lists = api.requests(Verb::List, Namespaces);
    let asked = |number: usize, name: &str| lists[number].query.get(name).map(String::as_str);
    assert_eq!(lists.len(), 2);
    assert_eq!(asked(0, "resourceVersion"), Some("0"));
    assert_eq!(
        asked(1, "resourceVersion"),
        last["metadata"]["resourceVersion"].as_str()
    );
    for number in 0..2 {
        assert_eq!(asked(number, "resourceVersionMatch"), Some("NotOlderThan"));
        assert_eq!(asked(number, "limit"), None);
    }
}

/// After a restore of etcd, the API server may not know the last version that was seen. The next list then asks for the
/// newest version.
#[tokio::test(start_paused = true)]
async fn after_a_list_of_an_unknown_version_the_newest_is_listed() {
    let cluster = Cluster::watched_namespaces().await;
    let api = cluster.api.clone();
    for code in [410, 504] {
        api.script(Verb::List, Namespaces, Fault::Status(code));
        let name = format!("n{code}");
        api.expire_watches(Namespaces, &[], vec![namespace(&name, "green")]);
        let is_known = || cluster.facts(|facts| facts.labels(&name).is_some());
        api.until("the new namespace is listed", is_known).await;
        let lists = api.requests(Verb::List, Namespaces);
        let last = lists.last().expect("a list");
        assert_eq!(last.query.get("resourceVersion"), None, "{code}");
    }
}

/// Without this, kube would repeat the same watch forever.
#[tokio::test(start_paused = true)]
async fn a_watch_with_status_410_lists_again() {
    let cluster = Cluster::watched_namespaces().await;
    let api = cluster.api.clone();
    api.script(Verb::Watch, Namespaces, Fault::Status(410));
    api.end_watches(Namespaces);
    api.put(Namespaces, namespace("c", "green"));
    cluster.teams_are(&["a red", "b red", "c green"]).await;
    assert_eq!(api.count(Verb::List, Namespaces), 2);
    assert_eq!(cluster.watch_errors("namespaces"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_account_restricts_its_pods_if_its_annotation_is_true() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let annotations = [
        json!({"other": "true"}),
        json!(null),
        json!({ENFORCE_MOUNTABLE_SECRETS: "false"}),
    ];
    let strict = json!({"other": "x", ENFORCE_MOUNTABLE_SECRETS: "true"});
    for (number, annotations) in annotations.into_iter().chain([strict]).enumerate() {
        let mut object = account("a", &format!("account-{number}"), &["one", "two"]);
        object["metadata"]["annotations"] = annotations;
        cluster.api.put(ServiceAccounts, object);
    }
    cluster.watch_facts(InventoryMode::Off);
    cluster.ready().await;
    let known = |number| {
        cluster.facts(|facts| {
            let name = format!("account-{number}");
            let account = facts.service_account("a", &name).expect("known");
            (
                account.image_pull_secrets.join(" "),
                account.enforce_mountable_secrets,
            )
        })
    };
    for (number, is_strict) in [(0, false), (1, false), (2, false), (3, true)] {
        assert_eq!(known(number), ("one two".to_owned(), is_strict));
    }
}

/// Publishing facts copies tables of all namespaces, and some components write an annotation every few seconds.
#[tokio::test(start_paused = true)]
async fn a_change_outside_the_facts_publishes_no_new_facts() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    api.put(ServiceAccounts, account("a", "web", &["contoso-pull"]));
    cluster.watch_facts(InventoryMode::Off);
    cluster.ready().await;
    cluster.watched(ServiceAccounts).await;
    let shown = || cluster.facts(|facts| std::ptr::from_ref(facts).addr());
    let settled = async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shown()
    };
    let before = settled().await;
    let mut touched = account("a", "web", &["contoso-pull"]);
    touched["metadata"]["annotations"] = json!({"touched": "now"});
    api.put(ServiceAccounts, touched);
    assert_eq!(settled().await, before);
    api.put(Namespaces, namespace("a", "red"));
    assert_eq!(settled().await, before);
    api.put(Namespaces, namespace("a", "blue"));
    assert_ne!(settled().await, before);
}

/// A review does not wait for a failing watch, so facts say that a watch fails, and only while it does.
#[tokio::test(start_paused = true)]
async fn a_failing_watch_is_marked_until_it_works_again() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    api.always(Verb::List, ServiceAccounts, Fault::Status(500));
    let live = cluster.live.clone();
    cluster.watch_facts(InventoryMode::Off);
    let fails = |watched| live.judge(|world| world.facts.is_failing(watched));
    api.until("the watch fails", || fails(WatchedObjects::ServiceAccounts))
        .await;
    assert!(!fails(WatchedObjects::Namespaces));
    api.recover(Verb::List, ServiceAccounts);
    cluster.ready().await;
    api.until("it works", || !fails(WatchedObjects::ServiceAccounts))
        .await;
    cluster.watched(Namespaces).await;
    api.always(Verb::Watch, Namespaces, Fault::Status(503));
    api.break_watches(Namespaces);
    api.until("the other watch fails", || {
        fails(WatchedObjects::Namespaces)
    })
    .await;
    api.recover(Verb::Watch, Namespaces);
    api.until("it works, too", || !fails(WatchedObjects::Namespaces))
        .await;
}

/// A watch that ends at once must not be repeated in a tight loop. The clock is paused, so this counts requests.
#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_at_once_is_resumed_after_a_pause() {
    let cluster = Cluster::watched_namespaces().await;
    for _ in 0..20 {
        cluster.api.end_watches(Namespaces);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let watches = cluster.api.count(Verb::Watch, Namespaces);
    assert!((2..6).contains(&watches), "{watches}");
}

/// The deadline of a list is one minute, like that of the API server itself.
#[tokio::test(start_paused = true)]
async fn a_list_without_an_answer_is_given_up_and_repeated() {
    let mut cluster = Cluster::with_namespaces();
    cluster.api.script(Verb::List, Namespaces, Fault::Never);
    cluster.watch_facts(InventoryMode::Off);
    let asked_again = || cluster.api.count(Verb::List, Namespaces) == 2;
    let time = Duration::from_secs(70);
    cluster
        .api
        .within(time, "the list is repeated", asked_again)
        .await;
    cluster.ready().await;
    assert_eq!(cluster.watch_errors("namespaces"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_delays_readiness_and_is_not_repeated() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    let slow = Fault::Slow(Duration::from_secs(30));
    api.script(Verb::List, ServiceAccounts, slow);
    cluster.watch_facts(InventoryMode::Off);
    cluster.teams_are(&["a red", "b red"]).await;
    assert!(!cluster.is_ready());
    cluster.ready().await;
    assert_eq!(api.count(Verb::List, ServiceAccounts), 1);
}

/// Trap 25: an unreadable object hides no other object. It is counted apart from failures of the watch.
#[tokio::test(start_paused = true)]
async fn trap_25_one_undecodable_object_does_not_fail_the_list() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    api.always(Verb::List, Namespaces, Fault::Garbage);
    cluster.watch_facts(InventoryMode::Off);
    cluster.ready().await;
    cluster.teams_are(&["a red", "b red"]).await;
    assert_eq!(cluster.watch_errors("namespaces"), 0);
    assert_eq!(cluster.metric(UNREADABLE), 1);
}

/// The same in a watch: later events arrive.
#[tokio::test(start_paused = true)]
async fn trap_25_an_undecodable_event_of_a_watch_is_skipped() {
    let mut cluster = Cluster::with_namespaces();
    let api = cluster.api.clone();
    api.script(Verb::Watch, Namespaces, Fault::Garbage);
    cluster.watch_facts(InventoryMode::Off);
    cluster.ready().await;
    cluster.watched(Namespaces).await;
    api.put(Namespaces, namespace("c", "green"));
    cluster.teams_are(&["a red", "b red", "c green"]).await;
    assert_eq!(cluster.watch_errors("namespaces"), 0);
    assert_eq!(cluster.metric(UNREADABLE), 1);
    assert_eq!(api.count(Verb::Watch, Namespaces), 1);
    assert_eq!(api.count(Verb::List, Namespaces), 1);
}
