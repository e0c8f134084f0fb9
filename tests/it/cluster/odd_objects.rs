//! Trap 25: odd and unreadable objects, in lists and in watches. They must not hide other objects.

use super::Cluster;
use crate::api_server::Resource::{Namespaces, Secrets, ServiceAccounts};
use crate::api_server::{Fault, Resource, Verb};
use pullgate::facts::Facts;
use pullgate::facts::inventory::InventoryMode;
use pullgate::runtime::lifecycle::Part;
use serde_json::json;
use std::time::Duration;

const WATCHED: [Resource; 3] = [Namespaces, ServiceAccounts, Secrets];

/// Odd members of `metadata` that an object of any type may have. Each object must be read all the same.
const METADATA: &[&str] = &[
    r#""managedFields":[{"manager":"a","time":"9999-12-31T23:59:59Z"}]"#,
    r#""managedFields":[{"time":"10000-01-01T00:00:00Z"}]"#,
    r#""managedFields":[{"time":"0001-01-01T00:00:00Z"}]"#,
    r#""managedFields":[{"time":"-0001-01-01T00:00:00Z"}]"#,
    r#""managedFields":[{"time":"2016-12-31T23:59:60Z"}]"#,
    r#""managedFields":[{"time":"2026-01-01T00:00:00.123456789012345+23:59"}]"#,
    r#""managedFields":[{"time":"yesterday"}]"#,
    r#""managedFields":[{"time":null},{}]"#,
    r#""managedFields":[{"time":"9999-12-31T23:59:59Z"},{"time":"2026-01-01T00:00:00Z"}]"#,
    r#""managedFields":null"#,
    r#""managedFields":[]"#,
    r#""managedFields":[{"operation":"Merge","subresource":null,"fieldsType":"FieldsV2","fieldsV1":null}]"#,
    r#""managedFields":[{"fieldsV1":{"f:a":{"f:b":{"k:{\"name\":\"}]\"}":{".":{}}}}}}]"#,
    r#""creationTimestamp":null"#,
    r#""creationTimestamp":"9999-12-31T23:59:59Z""#,
    r#""deletionTimestamp":"9999-12-31T23:59:59Z","deletionGracePeriodSeconds":9223372036854775807"#,
    r#""deletionGracePeriodSeconds":-9223372036854775808"#,
    r#""deletionGracePeriodSeconds":1e30"#,
    r#""generation":9223372036854775807"#,
    r#""generation":18446744073709551616"#,
    r#""generation":123456789012345678901234567890123456789012345678901234567890"#,
    r#""generation":-1.5e-7"#,
    r#""generation":1,"generation":"2""#,
    r#""labels":null"#,
    r#""labels":{}"#,
    r#""labels":{"a":null}"#,
    r#""labels":{"":""}"#,
    r#""labels":{"a":"b","a":"c"}"#,
    r#""annotations":null"#,
    r#""annotations":{"a":null}"#,
    r#""annotations":{"a":"b","a":"c"}"#,
    r#""annotations":{"a":"}]{[\"\\","\u0062":"\u0000\uffff"}"#,
    r#""finalizers":null"#,
    r#""finalizers":["a/b",""]"#,
    r#""ownerReferences":null"#,
    r#""ownerReferences":[{"apiVersion":"x/v9","kind":"Y","name":"z","uid":"","controller":null}]"#,
    r#""ownerReferences":[{"controller":true,"blockOwnerDeletion":7}]"#,
    r#""generateName":null,"selfLink":"/odd""#,
    r#""uid":"""#,
    r#""toCome":{"a":[[[{"b":null}]]]}"#,
];

/// Odd members beside `metadata`. Each object must be read all the same.
const MEMBERS: &[(Resource, &str)] = &[
    (Namespaces, r#""status":{"phase":"Odd","conditions":null}"#),
    (
        Namespaces,
        r#""status":{"conditions":[{"lastTransitionTime":"9999-12-31T23:59:59Z"}]}"#,
    ),
    (Namespaces, r#""spec":{"finalizers":[null]},"spec":7"#),
    (
        ServiceAccounts,
        r#""secrets":null,"imagePullSecrets":null,"automountServiceAccountToken":null"#,
    ),
    (
        ServiceAccounts,
        r#""imagePullSecrets":[{},{"name":null},{"name":"a","name2":1}]"#,
    ),
    (
        ServiceAccounts,
        r#""secrets":[{"name":"a","fieldPath":1e400}],"automountServiceAccountToken":"odd""#,
    ),
    (Secrets, r#""data":null,"immutable":null"#),
    (Secrets, r#""data":{".dockerconfigjson":null}"#),
    (Secrets, r#""data":{".dockerconfigjson":"not base64"}"#),
    (
        Secrets,
        r#""stringData":{"a":1},"immutable":"odd","data":{"a":"","a":""}"#,
    ),
];

/// Unreadable objects. Only their names can be read.
const UNREADABLE: &[(Resource, &str, &str)] = &[
    (Namespaces, r#""labels":1"#, ""),
    (Namespaces, r#""labels":[]"#, ""),
    (Namespaces, r#""labels":{"a":{}}"#, ""),
    (Namespaces, r#""labels":{},"labels":{}"#, ""),
    (ServiceAccounts, r#""annotations":"a""#, ""),
    (ServiceAccounts, "", r#","imagePullSecrets":{}"#),
    (ServiceAccounts, "", r#","imagePullSecrets":[{"name":7}]"#),
    (Secrets, r#""managedFields":{}"#, r#","type":"odd""#),
    (Secrets, "", r#","data":[]"#),
    (Secrets, "", r#","data":{".dockerconfigjson":{}}"#),
];

/// Returns an object with these members of `metadata`, and with these members after it.
fn odd(metadata: &str, members: &str) -> String {
    let metadata = if metadata.is_empty() {
        String::new()
    } else {
        format!(",{metadata}")
    };
    format!(r#"{{"metadata":{{"name":"odd","namespace":"a"{metadata}}}{members}}}"#)
}

fn knows(cluster: &Cluster, resource: Resource, name: &str) -> bool {
    cluster.facts(|facts: &Facts| match resource {
        Namespaces => facts.labels(name).is_some(),
        ServiceAccounts => facts.service_account("a", name).is_some(),
        _ => facts
            .inventory()
            .is_some_and(|known| known.get("a", name).is_some()),
    })
}

fn put(cluster: &Cluster, resource: Resource, name: &str) {
    let object = json!({
        "metadata": {"namespace": "a", "name": name}, "type": "kubernetes.io/dockerconfigjson",
    });
    cluster.api.put(resource, object);
}

fn unreadable(cluster: &Cluster, resource: Resource) -> u64 {
    let resource = match resource {
        Secrets => "pullsecrets".to_owned(),
        other => other.plural(),
    };
    cluster.metric(&format!(
        "pullgate_unreadable_objects{{resource=\"{resource}\"}}"
    ))
}

/// Sends an object in lists and as the first event of watches. Returns for each whether the object is known, and how
/// many unreadable objects are counted.
async fn sent(resource: Resource, object: &str) -> [(bool, u64); 2] {
    let mut results = Vec::new();
    for verb in [Verb::List, Verb::Watch] {
        let mut cluster = Cluster::waiting_for(Part::Facts);
        put(&cluster, resource, "good");
        let fault = Fault::Item(object.to_owned());
        cluster.api.always(verb, resource, fault);
        cluster.watch_facts(InventoryMode::Contents);
        cluster.ready().await;
        assert!(knows(&cluster, resource, "good"), "{verb:?} {object}");
        cluster.watched(resource).await;
        put(&cluster, resource, "later");
        let is_known = || knows(&cluster, resource, "later");
        let what = format!("the object after {object} in a {verb:?} is known");
        cluster
            .api
            .within(Duration::from_secs(5), &what, is_known)
            .await;
        let is_known = knows(&cluster, resource, "odd");
        results.push((is_known, unreadable(&cluster, resource)));
        assert_eq!(cluster.metric("pullgate_watch_errors_total"), 0);
    }
    results.try_into().expect("two")
}

#[tokio::test(start_paused = true)]
async fn trap_25_an_odd_object_is_known_like_those_beside_it() {
    for metadata in METADATA {
        for resource in WATCHED {
            let object = odd(metadata, "");
            let results = sent(resource, &object).await;
            assert_eq!(results, [(true, 0); 2], "{resource:?} {object}");
        }
    }
    for (resource, members) in MEMBERS {
        let object = odd("", &format!(",{members}"));
        let results = sent(*resource, &object).await;
        assert_eq!(results, [(true, 0); 2], "{resource:?} {object}");
    }
}

#[tokio::test(start_paused = true)]
async fn trap_25_an_object_that_cannot_be_read_is_counted_and_hides_no_other() {
    for (resource, metadata, members) in UNREADABLE {
        let object = odd(metadata, members);
        let results = sent(*resource, &object).await;
        // An unreadable Secret is still known by its name. It is counted twice, because both types have a list and a
        // watch.
        let expected = if *resource == Secrets {
            (true, 2)
        } else {
            (false, 1)
        };
        assert_eq!(results, [expected; 2], "{resource:?} {object}");
    }
}

/// Tests an object without a name, and one that is longer than an API server accepts.
#[tokio::test(start_paused = true)]
async fn trap_25_an_object_without_a_name_is_counted_and_hides_no_other() {
    let long = "x".repeat(17 * 1024 * 1024);
    let long = odd(&format!("\"annotations\":{{\"a\":\"{long}\"}}"), "");
    for object in ["{}", r#"{"metadata":null}"#, &long] {
        let results = sent(ServiceAccounts, object).await;
        assert!(
            results == [(false, 1); 2],
            "{}",
            &object[..20.min(object.len())]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_can_be_read_again_is_no_longer_counted() {
    let mut cluster = Cluster::waiting_for(Part::Facts);
    let object = Fault::Item(odd(r#""labels":1"#, ""));
    cluster.api.always(Verb::List, Namespaces, object);
    cluster.watch_facts(InventoryMode::Off);
    cluster.ready().await;
    assert_eq!(unreadable(&cluster, Namespaces), 1);
    cluster.watched(Namespaces).await;
    put(&cluster, Namespaces, "odd");
    let is_known = || knows(&cluster, Namespaces, "odd");
    cluster.api.until("the object is known", is_known).await;
    assert_eq!(unreadable(&cluster, Namespaces), 0);
    // A list without the unreadable object also resets the count.
    cluster.api.recover(Verb::List, Namespaces);
    let object = Fault::Item(odd(r#""labels":1"#, "").replace("odd", "other"));
    cluster.api.script(Verb::Watch, Namespaces, object);
    cluster.api.end_watches(Namespaces);
    let is_counted = || unreadable(&cluster, Namespaces) == 1;
    cluster
        .api
        .until("another object is counted", is_counted)
        .await;
    let new = json!({"metadata": {"name": "new"}});
    cluster.api.expire_watches(Namespaces, &[], vec![new]);
    let is_known = || knows(&cluster, Namespaces, "new");
    cluster
        .api
        .until("the namespaces are listed again", is_known)
        .await;
    assert_eq!(unreadable(&cluster, Namespaces), 0);
}
