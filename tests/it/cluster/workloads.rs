//! Tests of the workloads that the preview of a policy edit judges.

use super::Cluster;
use crate::api_server::{Fault, Resource, Verb};
use pullgate::cluster::workloads::{self, LISTED};
use pullgate::objects::kind::Kind;
use pullgate::runtime::lifecycle::Part;
use serde_json::json;

/// Returns the names of the workloads that the preview reads, and the number of unreadable ones.
async fn seen(cluster: &Cluster) -> (Vec<String>, usize) {
    let mut names = Vec::new();
    let see =
        |subject: &pullgate::objects::subject::Subject<'_>| names.push(subject.name.to_string());
    let excluded = ["kube-system".to_owned()];
    let each = workloads::each(&cluster.api.client(), &excluded, see).await;
    let unreadable = each.expect("lists");
    (names, unreadable)
}

/// Trap 25 in the preview: it reports unreadable workloads, and judges the others.
#[tokio::test(flavor = "multi_thread")]
async fn trap_25_a_workload_that_is_odd_or_unreadable_hides_no_other() {
    for kind in LISTED {
        let resource = Resource::Workloads(kind);
        let odd = [
            r#""status":null,"spec":null"#,
            r#""status":{"phase":null,"conditions":null,"replicas":1e99}"#,
            r#""status":{"phase":"Odd","conditions":[{"lastTransitionTime":"9999-12-31T23:59:59Z"}]}"#,
            r#""spec":{"replicas":99999999999999999999,"template":null}"#,
        ];
        for odd in odd {
            let cluster = Cluster::waiting_for(Part::Policy);
            cluster.api.put(
                resource,
                json!({"metadata": {"namespace": "a", "name": "good"}}),
            );
            let metadata = r#""namespace":"a","name":"odd","ownerReferences":null,"managedFields":[{"time":"9999-12-31T23:59:59Z"}]"#;
            let item = format!("{{\"metadata\":{{{metadata}}},{odd}}}");
            cluster.api.always(Verb::List, resource, Fault::Item(item));
            let (names, unreadable) = seen(&cluster).await;
            assert_eq!(
                (names, unreadable),
                (vec!["good".to_owned(), "odd".to_owned()], 0),
                "{odd}"
            );
        }
        let cluster = Cluster::waiting_for(Part::Policy);
        cluster.api.put(
            resource,
            json!({"metadata": {"namespace": "a", "name": "good"}}),
        );
        cluster.api.always(Verb::List, resource, Fault::Garbage);
        let (names, unreadable) = seen(&cluster).await;
        assert_eq!(
            (names, unreadable),
            (vec!["good".to_owned()], 1),
            "{kind:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_and_owned_workloads_are_not_previewed() {
    let cluster = Cluster::waiting_for(Part::Policy);
    let owner = |api_version: &str, kind: &str, controller: bool| json!([{"apiVersion": api_version, "kind": kind, "name": "x", "uid": "x", "controller": controller}]);
    let put = |kind, name: &str, object: serde_json::Value| {
        let mut object = object;
        object["metadata"]["name"] = name.into();
        if object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = "a".into();
        }
        cluster.api.put(Resource::Workloads(kind), object);
    };
    let part_of = |owners| json!({"metadata": {"ownerReferences": owners}});
    put(
        Kind::Pod,
        "part",
        part_of(owner("apps/v1", "ReplicaSet", true)),
    );
    put(
        Kind::Pod,
        "not-controlled",
        part_of(owner("apps/v1", "ReplicaSet", false)),
    );
    put(
        Kind::Pod,
        "foreign",
        part_of(owner("example.com/v1", "Deployment", true)),
    );
    put(Kind::Pod, "over", json!({"status": {"phase": "Succeeded"}}));
    put(
        Kind::Pod,
        "excluded",
        json!({"metadata": {"namespace": "kube-system"}}),
    );
    put(Kind::ReplicaSet, "old", json!({"spec": {"replicas": 0}}));
    put(Kind::ReplicaSet, "alone", json!({"spec": {"replicas": 1}}));
    let done = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    put(Kind::Job, "done", json!({"status": done}));
    put(
        Kind::Job,
        "running",
        json!({"status": {"conditions": [{"type": "Complete", "status": "False"}]}}),
    );
    let (mut names, unreadable) = seen(&cluster).await;
    names.sort();
    assert_eq!(names, ["alone", "foreign", "not-controlled", "running"]);
    assert_eq!(unreadable, 0);
}
