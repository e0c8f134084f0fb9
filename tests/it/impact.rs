//! Tests of the preview of a policy edit, without a cluster.

use crate::support::{POLICY, Setting, create, in_namespace};
use pullgate::admission;
use pullgate::policy::Policy;
use pullgate::reports::impact::{Extent, Impact};
use pullgate::verdict::world::World;
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

/// Returns the lines about an edit from [`POLICY`] to a policy of this body.
fn told(body: &str, workloads: &[Value], extent: Extent) -> Vec<String> {
    let setting = Setting::new(POLICY);
    let before = World {
        policy: &setting.policy,
        facts: &setting.facts,
        controllers: &setting.controllers,
        now: setting.now(),
    };
    let text = format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{body}");
    let after = Policy::load(&text, setting.today);
    let after = after
        .policy
        .unwrap_or_else(|| panic!("{:?}", after.diagnostics));
    let mut impact = Impact::default();
    for workload in workloads {
        let bytes = workload.to_string();
        let review = admission::parse(bytes.as_bytes()).expect("a review");
        impact.add(&before, &after, &review.subject);
    }
    impact.warnings(extent)
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
        told(body, &workloads, Extent::All),
        [
            "1 workload would be denied if created anew: Deployment a/one",
            "2 workloads would newly get pull secrets with the next pod: Deployment a/one (other-pull), Deployment b/two (other-pull)",
            "1 workload would no longer get pull secrets with the next pod: Deployment a/one (contoso-pull)",
            "1 image would no longer be covered by a rule: docker.io/library/nginx",
            "all workloads looked at: 3",
        ]
    );
    let part = told(body, &workloads[..1], Extent::Part("the time was up"));
    assert_eq!(
        part.last().map(String::as_str),
        Some("not all workloads looked at, the time was up: 1")
    );
}

/// A ban that existed before, and now also hits running workloads.
#[test]
fn what_would_get_no_new_pods_is_told_apart() {
    let workloads = [deployment(
        "a",
        "one",
        "contoso.azurecr.io/x",
        &["regcred-shared"],
    )];
    let body = format!(
        "{SAME}\n  - {{name: hub, images: [docker.io/library], public: true}}\n\
         bans:\n  - {{name: b, secrets: [regcred-shared], running: deny}}"
    );
    assert_eq!(
        told(&body, &workloads, Extent::All),
        [
            "1 workload would get no new pods: Deployment a/one",
            "all workloads looked at: 1"
        ]
    );
}

#[test]
fn a_secret_that_is_taken_away_is_told() {
    let workloads = [deployment("a", "one", "contoso.azurecr.io/x", &[])];
    let body = "registries:\n  - {name: contoso, images: [contoso.azurecr.io], identity: node}";
    assert_eq!(
        told(body, &workloads, Extent::All),
        [
            "1 workload would no longer get pull secrets with the next pod: Deployment a/one (contoso-pull)",
            "all workloads looked at: 1"
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
        told(&body, &workloads, Extent::All),
        ["no workload is newly denied, injected or uncovered (all workloads looked at: 3)"]
    );
}

/// A placeholder of a template gets no secret and is no uncovered image: the pods will have another one.
#[test]
fn placeholders_of_templates_are_left_out() {
    let mut gateway = deployment("a", "gateway", "auto", &[]);
    gateway["request"]["object"]["spec"]["template"]["metadata"] =
        json!({"annotations": {"inject.istio.io/templates": "gateway"}});
    let workloads = [gateway, deployment("a", "triggered", " ", &[])];
    let body = format!("{SAME}\n  - {{name: hub, images: [docker.io], secrets: [hub-pull]}}");
    let nothing = "no workload is newly denied, injected or uncovered (all workloads looked at: 2)";
    assert_eq!(told(&body, &workloads, Extent::All), [nothing]);
    let body = format!("{SAME}\nunmatched: deny");
    assert_eq!(told(&body, &workloads, Extent::All), [nothing]);
}

#[test]
fn a_namespace_that_becomes_exempt_is_not_denied_and_not_injected() {
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
        told(&body, &workloads, Extent::All),
        [
            "1 workload would no longer get pull secrets with the next pod: Deployment a/one (contoso-pull)",
            "all workloads looked at: 1"
        ]
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
    let lines = told(&body, &workloads, Extent::All);
    let line = &lines[0];
    assert!(
        line.starts_with("1000 workloads would be denied if created anew: Deployment payments/service-number-0000, ")
            && line.ends_with(" more")
            && line.chars().count() <= 256,
        "{line}"
    );
}
