//! What an edit of the policy would do, without a cluster.

use crate::support::{POLICY, Setting, create, in_namespace};
use pullgate::impact::{Detail, Extent, Impact, is_of_its_own};
use pullgate::policy::Policy;
use pullgate::review;
use pullgate::world::World;
use serde_json::{Value, json};

fn deployment(namespace: &str, name: &str, image: &str, secrets: &[&str]) -> Value {
    let secrets: Vec<_> = secrets.iter().map(|name| json!({ "name": name })).collect();
    let spec = json!({
        "containers": [{"name": "a", "image": image}],
        "imagePullSecrets": secrets,
    });
    let object = json!({"metadata": {"name": name}, "spec": {"template": {"spec": spec}}});
    let mut review = in_namespace(create("apps", "Deployment", object), namespace);
    review["request"]["name"] = name.into();
    review
}

/// What is told of an edit from [`POLICY`] to a policy of this body.
fn told(body: &str, workloads: &[Value], extent: Extent, detail: Detail) -> Vec<String> {
    let setting = Setting::new(POLICY);
    let before = World {
        policy: &setting.policy,
        facts: &setting.facts,
        controllers: &setting.controllers,
        today: setting.today,
    };
    let text = format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{body}");
    let after = Policy::load(&text, setting.today);
    let after = after
        .policy
        .unwrap_or_else(|| panic!("{:?}", after.diagnostics));
    let mut impact = Impact::default();
    for workload in workloads {
        let bytes = workload.to_string();
        let review = review::parse(bytes.as_bytes()).expect("a review");
        impact.add(&before, &after, &review.subject);
    }
    impact.warnings(extent, detail)
}

const SAME: &str =
    "registries:\n  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}";

#[test]
fn each_effect_is_a_line_with_the_first_names() {
    let workloads = [
        deployment("a", "one", "contoso.azurecr.io/x", &["team-pull"]),
        deployment("b", "two", "contoso.azurecr.io/x", &["contoso-pull"]),
        deployment("c", "three", "docker.io/library/nginx", &[]),
    ];
    let body = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [other-pull]}
bans:
  - {name: team, secrets: [team-pull]}
";
    assert_eq!(
        told(body, &workloads, Extent::All, Detail::Names),
        [
            "1 running workload would be denied if created anew: Deployment a/one",
            "2 running workloads would newly get pull secrets with the next pod: Deployment a/one (other-pull), Deployment b/two (other-pull)",
            "1 image would no longer be covered by a rule: docker.io/library/nginx",
            "all workloads looked at: 3",
        ]
    );
    assert_eq!(
        told(body, &workloads, Extent::Part, Detail::Numbers),
        [
            "1 running workload would be denied if created anew",
            "2 running workloads would newly get pull secrets with the next pod",
            "1 image would no longer be covered by a rule",
            "not all workloads looked at, the time was up: 3",
        ]
    );
}

#[test]
fn what_was_so_before_is_no_news() {
    let workloads = [
        deployment("a", "one", "contoso.azurecr.io/x", &["regcred-shared"]),
        deployment("a", "two", "not an image", &[]),
        deployment("a", "three", "nowhere.example.com/x", &[]),
    ];
    let body = format!(
        "{SAME}\n  - {{name: hub, images: [docker.io], public: true}}\nbans:\n  - {{name: b, secrets: [regcred-shared]}}"
    );
    assert_eq!(
        told(&body, &workloads, Extent::All, Detail::Names),
        ["this edit changes nothing for running workloads (all workloads looked at: 3)"]
    );
}

#[test]
fn a_namespace_that_is_exempt_is_not_hit() {
    let workloads = [deployment(
        "a",
        "one",
        "contoso.azurecr.io/x",
        &["team-pull"],
    )];
    let body = format!(
        "{SAME}\nbans:\n  - {{name: team, secrets: [team-pull]}}\nexempt: {{namespaces: {{names: [a]}}}}"
    );
    assert_eq!(
        told(&body, &workloads, Extent::All, Detail::Names),
        ["this edit changes nothing for running workloads (all workloads looked at: 1)"]
    );
}

#[test]
fn many_names_end_in_a_number() {
    let workloads: Vec<_> = (0..1000)
        .map(|n| {
            deployment(
                "payments",
                &format!("service-number-{n:04}"),
                "contoso.azurecr.io/x",
                &["team-pull"],
            )
        })
        .collect();
    let body = format!("{SAME}\nbans:\n  - {{name: team, secrets: [team-pull]}}");
    let lines = told(&body, &workloads, Extent::All, Detail::Names);
    let line = &lines[0];
    assert!(
        line.starts_with("1000 running workloads would be denied if created anew: Deployment payments/service-number-0000, ")
            && line.ends_with(" more")
            && line.chars().count() <= 256,
        "{line}"
    );
}

/// A `ReplicaSet` of a Deployment is part of it; one of a Rollout is not looked at elsewhere.
#[test]
fn what_a_known_controller_owns_is_not_counted_twice() {
    let owned_by = |kind: &str| {
        let owner = json!([{"kind": kind, "name": "o", "controller": true}]);
        let object = json!({"metadata": {"name": "a", "ownerReferences": owner}, "spec": {}});
        let bytes = create("apps", "ReplicaSet", object).to_string();
        let review = review::parse(bytes.as_bytes()).expect("a review");
        is_of_its_own(&review.subject)
    };
    assert!(!owned_by("Deployment") && !owned_by("Job") && owned_by("Rollout"));
}
