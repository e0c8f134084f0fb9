//! Tests that the scripted API server answers like a real one.

use super::Resource::ConfigMaps;
use super::{ApiServer, Fault, Verb};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Error, ResourceExt};
use serde_json::{Value, json};
use std::time::Duration;

fn object(name: &str, value: &str) -> Value {
    json!({"metadata": {"namespace": "a", "name": name}, "data": {"key": value}})
}

fn typed(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(object(name, value)).expect("a ConfigMap")
}

fn api(server: &ApiServer) -> Api<ConfigMap> {
    Api::namespaced(server.client(), "a")
}

/// Returns the HTTP status and the reason of a refusal.
fn refusal<T>(answer: kube::Result<T>) -> (u16, String) {
    match answer {
        Err(Error::Api(status)) => (status.code, status.reason.clone()),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[tokio::test]
async fn a_second_create_and_a_stale_replace_are_conflicts() {
    let server = ApiServer::default();
    let (api, params) = (api(&server), PostParams::default());
    assert_eq!(refusal(api.get("one").await), (404, "NotFound".to_owned()));
    let first = api.create(&params, &typed("one", "1")).await;
    let first = first.expect("created");
    let again = api.create(&params, &typed("one", "2")).await;
    assert_eq!(refusal(again), (409, "AlreadyExists".to_owned()));
    let second = api.replace("one", &params, &first).await.expect("replaced");
    assert_ne!(first.resource_version(), second.resource_version());
    assert_eq!(first.uid(), second.uid());
    let stale = api.replace("one", &params, &first).await;
    assert_eq!(refusal(stale), (409, "Conflict".to_owned()));
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    api.create(&dry, &typed("two", "1")).await.expect("allowed");
    assert_eq!(refusal(api.get("two").await), (404, "NotFound".to_owned()));
}

#[tokio::test]
async fn a_json_patch_is_applied_as_a_whole_or_not_at_all() {
    let server = ApiServer::default();
    server.put(ConfigMaps, object("one", "1"));
    let patch = async |operations: Value| {
        let patch = serde_json::from_value(operations).expect("a JSON Patch");
        let params = PatchParams::default();
        api(&server)
            .patch("one", &params, &Patch::Json::<()>(patch))
            .await
    };
    let replace = json!({"op": "replace", "path": "/data/key", "value": "2"});
    let fails = json!({"op": "test", "path": "/data/key", "value": "other"});
    let refused = patch(json!([replace, fails])).await;
    assert_eq!(refusal(refused), (422, "Invalid".to_owned()));
    let unchanged = server.get(ConfigMaps, "a/one").expect("it exists");
    assert_eq!(unchanged["data"]["key"], "1");
    let holds = json!({"op": "test", "path": "/data/key", "value": "1"});
    let patched = patch(json!([holds, replace])).await.expect("patched");
    let version = patched.resource_version();
    assert_eq!(
        server.get(ConfigMaps, "a/one").expect("it exists")["data"]["key"],
        "2"
    );
    let same = patch(json!([replace])).await.expect("patched");
    assert_eq!(same.resource_version(), version);
}

#[tokio::test]
async fn lists_support_pages_selectors_and_metadata_only() {
    let server = ApiServer::default();
    for name in ["one", "two", "three"] {
        server.put(ConfigMaps, object(name, "1"));
    }
    let api = api(&server);
    let mut params = ListParams::default().limit(2);
    let first = api.list(&params).await.expect("a page");
    params = params.continue_token(&first.metadata.continue_.clone().expect("a token"));
    let second = api.list(&params).await.expect("a page");
    let pages = [first, second].map(|page| {
        let names: Vec<_> = page.iter().map(ResourceExt::name_any).collect();
        names.join(" ")
    });
    assert_eq!(pages, ["one three", "two"]);
    let named = ListParams::default().fields("metadata.name=two");
    assert_eq!(api.list(&named).await.expect("a list").items.len(), 1);
    let elsewhere = Api::<ConfigMap>::namespaced(server.client(), "b");
    let elsewhere = elsewhere.list(&ListParams::default()).await;
    assert!(elsewhere.expect("a list").items.is_empty());
    let metadata = Api::<PartialObjectMeta<ConfigMap>>::all(server.client());
    let metadata = metadata.list(&ListParams::default()).await.expect("a list");
    assert_eq!(metadata.items.len(), 3);
}

#[tokio::test]
async fn queued_faults_come_first_and_then_the_permanent_one() {
    let server = ApiServer::default();
    server.put(ConfigMaps, object("one", "1"));
    server.script(Verb::Get, ConfigMaps, Fault::Nothing);
    server.script(Verb::Get, ConfigMaps, Fault::Status(429));
    server.always(Verb::Get, ConfigMaps, Fault::Status(403));
    let api = api(&server);
    assert!(api.get("one").await.is_ok());
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(refusal(api.get("one").await).0);
    }
    assert_eq!(codes, [429, 403, 403]);
    server.recover(Verb::Get, ConfigMaps);
    assert!(api.get("one").await.is_ok());
    assert_eq!(server.count(Verb::Get, ConfigMaps), 5);
    server.script(Verb::Get, ConfigMaps, Fault::CutOff);
    assert!(!matches!(api.get("one").await, Ok(_) | Err(Error::Api(_))));
}

#[tokio::test]
#[should_panic(
    expected = "not within 1ms: the moon is full. All requests so far:\nGet configmaps a/one"
)]
async fn a_condition_that_stays_false_fails_with_its_name_and_all_requests() {
    let server = ApiServer::default();
    let _ = api(&server).get("one").await;
    let time = Duration::from_millis(1);
    server.within(time, "the moon is full", || false).await;
}
