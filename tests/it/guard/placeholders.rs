//! Tests of images that stand for another one, which something puts in their place before a Pod is created.

use super::REPLICASET_CONTROLLER;
use crate::support::{Answer, Setting, by_controller, create, create_pod};
use serde_json::{Value, json};

const DENY: &str = "
registries:
  - {name: acme, images: [registry.acme.test], secrets: [acme-pull]}
unmatched: deny
";

/// A Deployment with this metadata and this image in its template.
fn deployment(metadata: Value, image: &str) -> Value {
    let spec = json!({"containers": [{"name": "istio-proxy", "image": image}]});
    let template = json!({"metadata": metadata, "spec": spec});
    let object = json!({"metadata": {"name": "gateway"}, "spec": {"template": template}});
    create("apps", "Deployment", object)
}

fn gateway() -> Value {
    json!({"annotations": {"inject.istio.io/templates": "gateway"}})
}

fn judge(metadata: Value, image: &str) -> Answer {
    Setting::new(DENY).validate(&deployment(metadata, image))
}

/// The image triggers of `OpenShift` replace an image of blanks; the API server admits it in templates alone.
#[test]
fn blanks_in_a_template_are_not_an_image() {
    for image in [" ", "   ", "\t"] {
        let answer = judge(json!({}), image);
        assert!(answer.allowed(), "{image:?}: {}", answer.message());
        assert_eq!(answer.warnings(), Vec::<&str>::new());
    }
    let padded = judge(json!({}), " registry.acme.test/a ");
    assert!(!padded.allowed(), "an image with blanks around it");
}

/// Each way in which a template asks for Istio's injection.
#[test]
fn auto_in_a_template_under_istio_is_not_an_image() {
    for metadata in [
        gateway(),
        json!({"labels": {"sidecar.istio.io/inject": "true"}}),
        json!({"annotations": {"sidecar.istio.io/inject": "true"}}),
        json!({"labels": {"istio.io/rev": "1-27"}}),
    ] {
        let answer = judge(metadata.clone(), "auto");
        assert!(answer.allowed(), "{metadata}: {}", answer.message());
        assert_eq!(answer.warnings(), Vec::<&str>::new());
    }
    for image in ["auto:1", "auto/x", "Auto", "automatic"] {
        assert!(!judge(gateway(), image).allowed(), "{image}");
    }
}

/// Namespaces switch injection on too, and a pod can switch it off.
#[test]
fn the_labels_of_the_namespace_count() {
    let known = |labels: &[(&str, &str)]| Setting::new(DENY).with_labels("ns", labels);
    let bare = || deployment(json!({}), "auto");
    assert!(!known(&[]).validate(&bare()).allowed());
    assert!(
        known(&[("istio-injection", "enabled")])
            .validate(&bare())
            .allowed()
    );
    assert!(
        known(&[("istio.io/rev", "stable")])
            .validate(&bare())
            .allowed()
    );
    assert!(
        !known(&[("istio-injection", "disabled")])
            .validate(&bare())
            .allowed()
    );
    let off = json!({"labels": {"sidecar.istio.io/inject": "false"}});
    let namespace = known(&[("istio-injection", "enabled")]);
    assert!(!namespace.validate(&deployment(off, "auto")).allowed());
}

/// An unknown fact never denies.
#[test]
fn auto_in_a_namespace_of_unknown_labels_is_warned_of() {
    let answer = judge(json!({}), "auto");
    assert!(answer.allowed(), "{}", answer.message());
    assert_eq!(answer.warnings().len(), 1);
}

/// A Pod is final: blanks and `auto` are judged as images.
#[test]
fn a_pod_has_no_placeholders() {
    let pod = |image: &str| {
        let mut review = create_pod(json!({"containers": [{"name": "c", "image": image}]}));
        review["request"]["object"]["metadata"]["annotations"] = gateway()["annotations"].clone();
        review
    };
    let setting = Setting::new(DENY).with_labels("ns", &[("istio-injection", "enabled")]);
    for image in ["auto", " "] {
        assert!(!setting.validate(&pod(image)).allowed(), "{image:?}");
    }
    assert!(
        setting.mutate(&pod("auto")).allowed(),
        "Istio may come later"
    );
    assert!(setting.validate(&pod("registry.acme.test/proxy")).allowed());
}

/// A controller's pods are admitted because their workload was judged, and `auto` was not judged there.
#[test]
fn a_pod_of_a_controller_in_which_nothing_replaced_auto_is_refused() {
    let setting = Setting::new(DENY);
    let pod = |image: &str| {
        let review = create_pod(json!({"containers": [{"name": "istio-proxy", "image": image}]}));
        by_controller(review, REPLICASET_CONTROLLER)
    };
    let answer = setting.validate(&pod("auto"));
    assert!(!answer.allowed());
    assert!(
        answer
            .message()
            .contains("\"auto\" is not covered by a registry rule"),
        "{}",
        answer.message()
    );
    assert!(
        setting.mutate(&pod("auto")).allowed(),
        "Istio may come later"
    );
    assert!(
        setting
            .validate(&pod("docker.io/istio/proxyv2:1"))
            .allowed(),
        "as each image that an injector puts into a pod of a workload that was admitted"
    );
}

/// The chart sends exactly those pods of controllers to `/validate`.
#[test]
fn the_chart_sends_pods_with_auto_to_validate() {
    let configurations = crate::tidy::configurations();
    let conditions = configurations[1]["webhooks"][0]["matchConditions"].as_array();
    let controllers = conditions
        .expect("conditions")
        .iter()
        .find(|condition| condition["name"] == "not-of-a-built-in-controller");
    let expression = controllers.and_then(|condition| condition["expression"].as_str());
    let expression = expression.expect("an expression");
    assert_eq!(
        expression.matches("container.image == 'auto'").count(),
        2,
        "{expression}"
    );
}
