//! Tests of the policy in a `ConfigMap`, and of the second `ConfigMap` with accepted policies.
//!
//! The clock is real here, for the reason in `tests/it/cluster/mod.rs`. The keeper repeats a failed request after five
//! seconds, or as soon as its `ConfigMap` changes in any way: so these tests set a label instead of waiting.

use super::{Cluster, name};
use crate::api_server::Resource::ConfigMaps;
use crate::api_server::{Fault, Verb};
use pullgate::cluster::policy::PolicyKeeper;
use pullgate::runtime::lifecycle::Part;
use pullgate::runtime::policy::PolicyInForce;
use serde_json::{Value, json};

const SOURCE: &str = "pullgate/policy";
const ACCEPTED: &str = "pullgate/policy-accepted";
const BAD: &str = "kind: PullPolicy\nbans: [{}]\n";

/// Returns a policy without faults, with one registry.
fn good(registry: &str) -> String {
    format!(
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nregistries:\n  - {{name: {registry}, images: [reg.io], secrets: [pull]}}\n"
    )
}

fn source(text: &str) -> Value {
    json!({"metadata": {"namespace": "pullgate", "name": "policy"}, "data": {"policy.yaml": text}})
}

/// Returns the `ConfigMap` with accepted policies, by number.
fn accepted(policies: &[(u32, &str)]) -> Value {
    let policies = policies.iter();
    let data: serde_json::Map<_, _> = policies
        .map(|(number, text)| (format!("policy-{number}.yaml"), (*text).into()))
        .collect();
    json!({"metadata": {"namespace": "pullgate", "name": "policy-accepted"}, "data": data})
}

impl Cluster {
    fn with_policy(text: &str) -> Self {
        let cluster = Self::waiting_for(Part::Policy);
        cluster.api.put(ConfigMaps, source(text));
        cluster
    }

    fn keep_policy(&mut self) {
        let keeper = PolicyKeeper::new(
            self.api.client(),
            name(SOURCE),
            PolicyInForce::new(
                self.live.clone(),
                self.metrics.clone(),
                self.readiness.clone(),
            ),
            self.metrics.clone(),
        );
        self.tasks.spawn("the watch of the policy", keeper.keep());
    }

    /// Returns the registries of the policy in force.
    fn registries(&self) -> String {
        self.live.judge(|world| {
            let registries = world.policy.registries().iter();
            registries.map(|rule| &*rule.name).collect()
        })
    }

    fn is_in_force(&self, source: &str) -> bool {
        self.metric(&format!("pullgate_policy_in_force{{source=\"{source}\"}}")) == 1
    }

    /// Returns the data of the `ConfigMap` with accepted policies, or null if it does not exist.
    fn kept(&self) -> Value {
        let found = self.api.get(ConfigMaps, ACCEPTED);
        found.map_or(Value::Null, |found| found["data"].clone())
    }

    async fn kept_is(&self, policies: &[(u32, &str)]) {
        let wanted = accepted(policies)["data"].clone();
        let what = format!("{wanted} is kept");
        self.api.until(&what, || self.kept() == wanted).await;
    }

    /// Sets a label on the `ConfigMap`: the policy does not change, and the keeper reads it again.
    fn touch(&self) {
        let mut object = self.api.get(ConfigMaps, SOURCE).expect("it exists");
        object["metadata"]["labels"] = json!({"touched": "true"});
        self.api.put(ConfigMaps, object);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_an_empty_one_is_in_force() {
    let mut cluster = Cluster::waiting_for(Part::Policy);
    cluster.keep_policy();
    cluster.ready().await;
    assert_eq!(cluster.registries(), "");
    assert!(cluster.is_in_force("none"));
    assert_eq!(cluster.kept(), Value::Null);
    cluster.api.put(ConfigMaps, source(&good("first")));
    cluster.kept_is(&[(1, &good("first"))]).await;
    assert_eq!(cluster.registries(), "first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_policy_is_in_force_and_kept_as_accepted() {
    let mut cluster = Cluster::with_policy(&good("first"));
    cluster.keep_policy();
    cluster.ready().await;
    assert_eq!(cluster.registries(), "first");
    assert!(cluster.is_in_force("configmap"));
    cluster.kept_is(&[(1, &good("first"))]).await;
    cluster.api.put(ConfigMaps, source(&good("second")));
    cluster
        .kept_is(&[(1, &good("first")), (2, &good("second"))])
        .await;
    assert_eq!(cluster.registries(), "second");
    // The watch selects Pullgate's own ConfigMap by name, and no others.
    for request in cluster.api.requests(Verb::List, ConfigMaps) {
        assert_eq!(request.namespace.as_deref(), Some("pullgate"));
        assert_eq!(request.query["fieldSelector"], "metadata.name=policy");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_start_the_last_accepted_policy_replaces_a_bad_one() {
    let mut cluster = Cluster::with_policy(BAD);
    let policies = [(3, good("third")), (4, good("fourth")), (5, BAD.to_owned())];
    let policies = policies.each_ref().map(|(number, text)| (*number, &**text));
    cluster.api.put(ConfigMaps, accepted(&policies));
    cluster.keep_policy();
    cluster.ready().await;
    assert_eq!(cluster.registries(), "fourth");
    assert!(cluster.is_in_force("accepted"));
    assert_eq!(cluster.metric("pullgate_policy_faults"), 3);
    assert_eq!(cluster.kept(), accepted(&policies)["data"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_policy_at_the_start_without_an_accepted_one_is_not_ready() {
    let mut cluster = Cluster::with_policy(BAD);
    cluster.keep_policy();
    let asked = || cluster.api.count(Verb::Get, ConfigMaps) == 1;
    let what = "the accepted policies are read";
    cluster.api.until(what, asked).await;
    let (is_ready, report) = cluster.readiness.report();
    let expected =
        "not ready: no policy: pullgate/policy has faults, and no policy was accepted before: ";
    assert!(!is_ready && report.starts_with(expected), "{report}");
    cluster.api.put(ConfigMaps, source(&good("first")));
    cluster.ready().await;
    assert_eq!(cluster.registries(), "first");
    assert_eq!(cluster.metric("pullgate_policy_faults"), 0);
}

/// Promise 4.
#[tokio::test(flavor = "multi_thread")]
async fn promise_4_a_bad_policy_later_leaves_the_one_before_in_force() {
    let mut cluster = Cluster::with_policy(&good("first"));
    cluster.keep_policy();
    cluster.kept_is(&[(1, &good("first"))]).await;
    cluster.api.put(ConfigMaps, source(BAD));
    let counted = || cluster.metric("pullgate_policy_faults") == 3;
    cluster.api.until("the faults are counted", counted).await;
    assert_eq!(cluster.registries(), "first");
    assert!(cluster.is_in_force("configmap"));
    assert!(cluster.is_ready());
    cluster.kept_is(&[(1, &good("first"))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_keep_policies_at_once_lose_neither() {
    let mut cluster = Cluster::with_policy(&good("ours"));
    cluster
        .api
        .put(ConfigMaps, accepted(&[(1, &good("first"))]));
    let theirs = accepted(&[(1, &good("first")), (2, &good("theirs"))]);
    let overtaken = Fault::Overtaken(theirs.clone());
    cluster.api.script(Verb::Replace, ConfigMaps, overtaken);
    cluster.keep_policy();
    let tried = || cluster.api.count(Verb::Replace, ConfigMaps) == 1;
    cluster.api.until("the replace is a conflict", tried).await;
    assert_eq!(cluster.kept(), theirs["data"]);
    cluster.touch();
    cluster
        .kept_is(&[
            (1, &good("first")),
            (2, &good("theirs")),
            (3, &good("ours")),
        ])
        .await;
    // The keeper reads the object again before it repeats the write.
    assert_eq!(cluster.api.count(Verb::Get, ConfigMaps), 2);
    assert_eq!(cluster.api.count(Verb::Replace, ConfigMaps), 2);
    assert_eq!(cluster.registries(), "ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_policy_that_another_replica_kept_first_is_kept_once() {
    let mut cluster = Cluster::with_policy(&good("first"));
    let theirs = accepted(&[(1, &good("first"))]);
    let overtaken = Fault::Overtaken(theirs.clone());
    cluster.api.script(Verb::Create, ConfigMaps, overtaken);
    cluster.keep_policy();
    let tried = || cluster.api.count(Verb::Create, ConfigMaps) == 1;
    cluster.api.until("the create is a conflict", tried).await;
    cluster.touch();
    let read_again = || cluster.api.count(Verb::Get, ConfigMaps) == 2;
    cluster
        .api
        .until("the accepted policies are read again", read_again)
        .await;
    assert_eq!(cluster.kept(), theirs["data"]);
    assert_eq!(cluster.api.count(Verb::Create, ConfigMaps), 1);
    assert_eq!(cluster.api.count(Verb::Replace, ConfigMaps), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_with_429_is_repeated() {
    let mut cluster = Cluster::with_policy(&good("first"));
    let api = cluster.api.clone();
    api.script(Verb::List, ConfigMaps, Fault::Status(429));
    api.script(Verb::Get, ConfigMaps, Fault::Status(429));
    cluster.keep_policy();
    // The watch repeats the list after half a second.
    cluster.ready().await;
    assert_eq!(api.count(Verb::List, ConfigMaps), 2);
    assert_eq!(cluster.watch_errors("configmaps"), 1);
    // The policy is in force, although it cannot be kept yet.
    let asked = || api.count(Verb::Get, ConfigMaps) == 1;
    api.until("the accepted policies are read", asked).await;
    assert_eq!(cluster.kept(), Value::Null);
    cluster.touch();
    cluster.kept_is(&[(1, &good("first"))]).await;
    assert_eq!(api.count(Verb::Get, ConfigMaps), 2);
}
