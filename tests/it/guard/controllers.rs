//! Tests of verdicts on pods that controllers create.

use super::{REPLICASET_CONTROLLER, banned_pod};
use crate::support::{POLICY, Setting, by_controller, create};
use pullgate::objects::kind::Kind;
use pullgate::verdict::world::Controllers;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Trap 18: a drained node makes the ReplicaSet controller create pods of old workloads.
#[test]
fn trap_18_what_built_in_controllers_create_is_kept_and_noted() {
    let setting = Setting::new(POLICY);
    for user in [
        "system:kube-controller-manager",
        REPLICASET_CONTROLLER,
        "system:serviceaccount:kube-system:replication-controller",
        "system:serviceaccount:kube-system:statefulset-controller",
        "system:serviceaccount:kube-system:daemon-set-controller",
        "system:serviceaccount:kube-system:job-controller",
        "system:serviceaccount:kube-system:cronjob-controller",
        "system:serviceaccount:kube-system:deployment-controller",
    ] {
        for answer in [
            setting.mutate(&by_controller(banned_pod(), user)),
            setting.validate(&by_controller(banned_pod(), user)),
        ] {
            assert!(answer.allowed(), "{user}");
            assert_eq!(answer.warnings(), Vec::<&str>::new());
            assert_eq!(
                answer.audit("ban.legacy-shared"),
                Some("admitted, workload was admitted earlier: \"regcred-shared\"")
            );
        }
    }
    for user in [
        "jane",
        "system:serviceaccount:default:replicaset-controller",
        "system:serviceaccount:kube-system:x-controller",
    ] {
        assert!(
            !setting
                .validate(&by_controller(banned_pod(), user))
                .allowed(),
            "a user can write any ownerReference: {user}"
        );
    }
    let mut alone = by_controller(banned_pod(), REPLICASET_CONTROLLER);
    alone["request"]["object"]["metadata"]["ownerReferences"] = Value::Null;
    assert!(
        !setting.validate(&alone).allowed(),
        "the pod does not belong to a workload"
    );
}

#[test]
fn additional_controllers_are_trusted() {
    let mut setting = Setting::new(POLICY);
    let user = "system:serviceaccount:platform:job-runner";
    assert!(
        !setting
            .validate(&by_controller(banned_pod(), user))
            .allowed()
    );
    setting.controllers = Controllers::new(vec![user.to_owned()]);
    assert!(
        setting
            .validate(&by_controller(banned_pod(), user))
            .allowed()
    );
}

/// A user can create a revision that no StatefulSet had. The controller would create pods from it.
#[test]
fn revisions_of_controllers_are_kept_and_those_of_people_are_judged() {
    let setting = Setting::new(POLICY);
    for (kind, controller) in [("StatefulSet", "statefulset"), ("DaemonSet", "daemon-set")] {
        let template =
            json!({"$patch": "replace", "spec": {"imagePullSecrets": [{"name": "legacy-x"}]}});
        let owner =
            json!({"apiVersion": "apps/v1", "kind": kind, "name": "web", "controller": true});
        let revision = |user: &str| {
            let revision = json!({
                "metadata": {"name": "web-5d4f", "ownerReferences": [owner]},
                "data": {"spec": {"template": template}}, "revision": 1,
            });
            let mut review = create("apps", "ControllerRevision", revision);
            review["request"]["userInfo"]["username"] = json!(user);
            setting.validate(&review)
        };
        let answer = revision("jane");
        assert!(
            answer.message().starts_with(
                "ControllerRevision ns/web-5d4f: data.spec.template.spec.imagePullSecrets[0] names \"legacy-x\""
            ),
            "{answer:?}"
        );
        let answer = revision(&format!(
            "system:serviceaccount:kube-system:{controller}-controller"
        ));
        assert!(
            answer.allowed() && answer.warnings().is_empty(),
            "{answer:?}"
        );
        assert!(answer.audit("ban.legacy-shared").is_some(), "{answer:?}");
    }
}

/// Trap 23: the Rollout was not judged, so the objects that its controller creates are judged.
#[test]
fn trap_23_a_controller_is_trusted_for_workloads_that_were_judged() {
    let argo = "system:serviceaccount:argo-rollouts:argo-rollouts";
    let mut setting = Setting::new(POLICY);
    setting.controllers = Controllers::new(vec![argo.to_owned()]);
    let of = |api_version: Value, kind: &str, user: &str| {
        let mut review = by_controller(banned_pod(), user);
        let owner = &mut review["request"]["object"]["metadata"]["ownerReferences"][0];
        owner["apiVersion"] = api_version;
        owner["kind"] = json!(kind);
        review
    };
    for user in [argo, REPLICASET_CONTROLLER] {
        for (api_version, kind) in [
            (json!("argoproj.io/v1alpha1"), "Rollout"),
            (json!("evil.example.com/v1"), "Deployment"),
            (json!("v1"), "ReplicaSet"),
            // These kinds are judged but are not workloads: code in a Pod decides which objects it creates.
            (json!("v1"), "Pod"),
            (json!("v1"), "ConfigMap"),
            (Value::Null, "ReplicaSet"),
        ] {
            let review = of(api_version, kind, user);
            assert!(!setting.validate(&review).allowed(), "{review}");
            let answer = setting.mutate(&review);
            assert!(answer.audit("ban.legacy-shared").is_none(), "{answer:?}");
        }
        for (api_version, kind) in [
            ("apps/v1", "ReplicaSet"),
            ("apps/v1", "Deployment"),
            ("apps/v1", "StatefulSet"),
            ("apps/v1", "DaemonSet"),
            ("batch/v1", "Job"),
            ("batch/v1", "CronJob"),
            ("v1", "ReplicationController"),
        ] {
            let review = of(json!(api_version), kind, user);
            assert!(setting.validate(&review).allowed(), "{review}");
        }
    }
    let mut two = by_controller(banned_pod(), argo);
    let owners = &mut two["request"]["object"]["metadata"]["ownerReferences"];
    let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "api", "controller": true});
    owners[0]["controller"] = json!(false);
    owners.as_array_mut().unwrap().push(rollout);
    assert!(
        !setting.validate(&two).allowed(),
        "only the controlling owner counts"
    );
}

#[test]
fn running_deny_is_denied_on_mutate_without_a_patch() {
    let setting = Setting::new(&POLICY.replace("instead: contoso-pull", "running: deny"));
    let mut review = by_controller(banned_pod(), REPLICASET_CONTROLLER);
    review["request"]["object"]["spec"]["containers"] =
        json!([{"name": "c", "image": "contoso.azurecr.io/a"}]);
    let answer = setting.mutate(&review);
    assert!(!answer.allowed() && answer.patch.is_none());
    assert!(
        answer
            .message()
            .starts_with("Pod ns/web (of ReplicaSet web-1): "),
        "{}",
        answer.message()
    );
}

#[test]
fn pods_of_users_are_judged_only_on_validate() {
    let answer = Setting::new(POLICY).mutate(&banned_pod());
    assert!(answer.allowed() && answer.warnings().is_empty());
}

/// The chart excludes from `/validate` exactly the requests that the code does not deny.
#[test]
fn the_chart_and_the_code_know_the_same_controllers() {
    let configurations = crate::tidy::configurations();
    let guard = &configurations[1]["webhooks"][0];
    assert_eq!(guard["name"], "guard.pullgate.dev");
    let conditions = guard["matchConditions"].as_array().unwrap();
    let condition = conditions
        .iter()
        .find(|condition| condition["name"] == "not-of-a-built-in-controller")
        .and_then(|condition| condition["expression"].as_str())
        .unwrap();
    let list = condition
        .split("username in [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap();
    let users: Vec<&str> = list
        .split(',')
        .map(|user| user.trim().trim_matches('\''))
        .collect();
    assert_eq!(users.len(), 8, "{users:?}");
    for user in users {
        assert!(
            Setting::new(POLICY)
                .validate(&by_controller(banned_pod(), user))
                .allowed(),
            "{user}"
        );
    }
    let owners = condition.split("owner.kind in [").nth(1).unwrap();
    let owners = owners.split(']').next().unwrap().split(',');
    let owners: BTreeSet<_> = owners
        .map(|owner| owner.trim().trim_matches('\''))
        .collect();
    let trusted = Kind::ALL
        .into_iter()
        .filter(|kind| kind.controller().is_some());
    let trusted = trusted.map(|kind| match kind.group() {
        "" => format!("v1/{kind}"),
        group => format!("{group}/v1/{kind}"),
    });
    let trusted: BTreeSet<_> = trusted.collect();
    assert_eq!(owners, trusted.iter().map(String::as_str).collect());
}
