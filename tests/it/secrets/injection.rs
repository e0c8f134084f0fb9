//! Tests of the injection of pull secrets that are missing, malformed or expired.

use super::{POLICY, auths, knowing, pod, token};
use crate::support::{Answer, Setting, by_controller, create, update};
use base64::prelude::Engine;
use serde_json::{Value, json};

fn listed(answer: &Answer, review: &Value) -> Vec<String> {
    let pod = answer.applied(&review["request"]["object"]);
    let list = pod["spec"]["imagePullSecrets"].as_array().cloned();
    let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
    list.unwrap_or_default().iter().map(name).collect()
}

#[test]
fn a_missing_secret_is_told_with_the_command_that_makes_it() {
    let setting = knowing(&[
        ("platform", "contoso-pull", token("a")),
        ("shop", "contoso-pull", token("a")),
    ]);
    let review = pod(&["contoso.azurecr.io/a"], &[]);
    let answer = setting.mutate(&review);
    assert_eq!(
        answer.warnings(),
        [
            "Pod ns/web: no pull secret \"contoso-pull\" (delete one of another type first): kubectl create secret \
          docker-registry contoso-pull -n ns --docker-server=contoso.azurecr.io --docker-username=... \
          --docker-password=... (there is one in platform and in 1 more)"
        ]
    );
    // It may come later: the list cannot be changed then.
    assert_eq!(listed(&answer, &review), ["contoso-pull"]);
    // The user who applies a workload reads the warning; its pods have no reader.
    let template = json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": review["request"]["object"]["spec"]}}});
    let deployment = create("apps", "Deployment", template.clone());
    assert!(
        setting.validate(&deployment).warnings()[0]
            .starts_with("Deployment ns/web: no pull secret \"contoso-pull\"")
    );
    assert_eq!(
        setting
            .validate(&update(deployment, template))
            .warnings()
            .len(),
        1
    );
    let answer = setting.mutate(&by_controller(
        review.clone(),
        "system:kube-controller-manager",
    ));
    assert!(answer.warnings().is_empty(), "{answer:?}");
    assert_eq!(
        answer.audit("pull-secret"),
        Some("not found \"contoso-pull\"")
    );
    // Listed by hand, and not listed.
    let answer = setting.mutate(&pod(&["x.io/a"], &["gone"]));
    assert!(
        answer.warnings()[0]
            .contains("spec.imagePullSecrets[0] names \"gone\", and no pull secret has that name (delete one of another type first): kubectl"),
        "{answer:?}"
    );
    let there = knowing(&[("ns", "contoso-pull", token("a"))]);
    assert!(there.mutate(&review).warnings().is_empty());
    assert!(
        setting.validate(&review).warnings().is_empty(),
        "it is told once"
    );
}

#[test]
fn a_malformed_secret_is_not_put_beside_images_that_can_be_pulled_without_it() {
    let broken = || "{".to_owned();
    let spare = || auths(&[("hub.corp", "robot$a+b", "x")]);
    for (images, secrets, expected) in [
        // Without it nothing can be pulled either, and a person may mend it.
        (
            vec!["contoso.azurecr.io/a"],
            vec!["contoso-pull"],
            vec!["contoso-pull"],
        ),
        (
            vec!["contoso.azurecr.io/a", "nginx"],
            vec!["contoso-pull"],
            vec![],
        ),
        (
            vec!["contoso.azurecr.io/a", "x.io/a"],
            vec!["contoso-pull"],
            vec![],
        ),
        (
            vec!["contoso.azurecr.io/a", "hub.corp/a"],
            vec!["contoso-pull"],
            vec!["harbor-pull", "harbor-spare"],
        ),
        // The second one is good for the same image.
        (
            vec!["hub.corp/a"],
            vec!["harbor-pull"],
            vec!["harbor-spare"],
        ),
        (
            vec!["hub.corp/a"],
            vec!["harbor-pull", "harbor-spare"],
            vec!["harbor-pull", "harbor-spare"],
        ),
    ] {
        let content = |name: &str| match name {
            name if secrets.contains(&name) => broken(),
            "contoso-pull" => token("a"),
            _ => spare(),
        };
        let all =
            ["contoso-pull", "harbor-pull", "harbor-spare"].map(|name| ("ns", name, content(name)));
        let review = pod(&images, &[]);
        let answer = knowing(&all).mutate(&review);
        assert_eq!(listed(&answer, &review), expected, "{images:?} {secrets:?}");
        let told = answer.warnings().join("\n");
        assert_eq!(
            told.matches("cannot be used (not JSON)").count(),
            secrets.len(),
            "{told}"
        );
        assert_eq!(
            told.contains("not injected"),
            expected.len() < secrets.len().max(expected.len())
                || !secrets.iter().all(|name| expected.contains(name)),
            "{told}"
        );
    }
}

#[test]
fn an_expired_credential_is_told() {
    let token = |exp: i64| {
        let part = |text: String| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
        format!(
            "{}.{}.x",
            part("{\"alg\":\"x\"}".to_owned()),
            part(format!("{{\"exp\":{exp}}}"))
        )
    };
    let now = Setting::new(POLICY).now().as_second();
    for (exp, is_told) in [(now - 1, true), (now, true), (now + 60, false)] {
        let content = auths(&[(
            "contoso.azurecr.io",
            "00000000-0000-0000-0000-000000000000",
            &token(exp),
        )]);
        let answer = knowing(&[("ns", "contoso-pull", content)])
            .mutate(&pod(&["contoso.azurecr.io/a"], &[]));
        let told = answer.warnings().join("\n");
        assert_eq!(
            told.contains("has a credential for contoso.azurecr.io that expired on 2026-11-2"),
            is_told,
            "{told}"
        );
    }
}

#[test]
fn an_image_that_no_secret_of_the_pod_has_a_key_for_is_told() {
    let other = || auths(&[("old.azurecr.io/team", "ci-pull", "x")]);
    let setting = knowing(&[
        ("ns", "contoso-pull", other()),
        ("ns", "own", auths(&[("hub.corp", "robot$a+b", "x")])),
        ("ns", "empty", "{}".to_owned()),
        (
            "ns",
            "without-password",
            auths(&[("contoso.azurecr.io", "x", "")]),
        ),
        ("ns", "broken", "{".to_owned()),
    ]);
    let told = |review: &Value| setting.mutate(review).warnings().join("\n");
    let lack = "Pod ns/web: no pull secret of the pod has a credential for contoso.azurecr.io, which \
                spec.containers[0].image needs: add it to \"contoso-pull\", which has one for old.azurecr.io/team";
    let images = ["contoso.azurecr.io/a"];
    for own in [vec![], vec!["own"], vec!["empty"], vec!["without-password"]] {
        assert_eq!(told(&pod(&images, &own)), lack, "{own:?}");
    }
    // Once for each rule, for any other images.
    let many = [
        "nginx",
        "contoso.azurecr.io/a",
        "contoso.azurecr.io/b",
        "x.io/y",
    ];
    assert_eq!(told(&pod(&many, &[])), lack.replace("[0]", "[1]"));
    let answer = setting.mutate(&pod(&images, &[]));
    assert_eq!(
        answer.audit("pull-secret"),
        Some("no credential for \"contoso.azurecr.io\"")
    );
    // Silence: nothing is covered, another secret serves, or one of the secrets is not known to its end.
    for (images, own) in [
        (vec!["nginx", "x.io/y"], vec!["empty"]),
        (vec!["contoso.azurecr.io/a"], vec!["gone"]),
        (vec!["contoso.azurecr.io/a"], vec!["broken"]),
    ] {
        let told = told(&pod(&images, &own));
        assert!(
            !told.contains("has a credential"),
            "{images:?} {own:?} {told}"
        );
    }
    let served = knowing(&[
        ("ns", "contoso-pull", other()),
        ("ns", "team", auths(&[("*.azurecr.io", "x", "y")])),
    ]);
    assert!(
        served
            .mutate(&pod(&images, &["team"]))
            .warnings()
            .is_empty()
    );
    let off = json!({"metadata": {"name": "web", "annotations": {"pullgate.dev/inject": "disabled"}},
        "spec": pod(&images, &[])["request"]["object"]["spec"]});
    assert!(
        setting
            .mutate(&create("", "Pod", off))
            .warnings()
            .is_empty()
    );
}

#[test]
fn a_template_is_told_of_images_without_a_key_where_its_service_account_is_known() {
    let setting = || knowing(&[("ns", "contoso-pull", "{}".to_owned())]);
    let spec = json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]});
    let deployment = create(
        "apps",
        "Deployment",
        json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}}),
    );
    assert!(setting().validate(&deployment).warnings().is_empty());
    let known = setting().with_account("ns", "default", &[]);
    assert_eq!(
        known.validate(&deployment).warnings(),
        [
            "Deployment ns/web: no pull secret of its pods has a credential for contoso.azurecr.io, which \
          spec.template.spec.containers[0].image needs: add it to \"contoso-pull\""
        ]
    );
    // The secrets that the ServiceAccount passes on may be unknown.
    let unknown = setting().with_account("ns", "default", &["gone"]);
    let told = unknown.validate(&deployment).warnings().join("\n");
    assert!(!told.contains("has a credential"), "{told}");
}
