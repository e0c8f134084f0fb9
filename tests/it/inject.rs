//! Injection: the patch, and when there is none.

use crate::support::{Setting, by_controller, create_pod, in_namespace, update};
use proptest::prelude::*;
use pullgate::facts::ServiceAccountFacts;
use serde_json::{Value, json};

pub(crate) fn containers(images: &[&str]) -> Value {
    images
        .iter()
        .map(|image| json!({"name": "c", "image": image}))
        .collect()
}

pub(crate) fn names(pod: &Value) -> Vec<&str> {
    pod["spec"]["imagePullSecrets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|e| e["name"].as_str())
        .collect()
}

/// Trap 1: `add /spec/imagePullSecrets` with a list that exists would replace it.
#[test]
fn trap_1_an_existing_list_is_added_to() {
    let review = create_pod(
        json!({"containers": containers(&["contoso.azurecr.io/a"]), "imagePullSecrets": [{"name": "x"}]}),
    );
    let answer = Setting::new(crate::support::POLICY).mutate(&review);
    assert_eq!(
        answer.patch.as_ref().unwrap()[0],
        json!({"op": "add", "path": "/spec/imagePullSecrets/0", "value": {"name": "contoso-pull"}})
    );
    assert_eq!(
        names(&answer.applied(&review["request"]["object"])),
        ["contoso-pull", "x"]
    );
}

/// Rows: the listed secrets, the wanted secrets (as images of rules that bring them), and the number of operations on
/// the list.
#[test]
fn the_patch_is_the_smallest() {
    let policy: String = "registries:\n".to_owned()
        + &["a", "b", "c"]
            .map(|n| format!("- {{name: {n}, images: [{n}.io], secrets: [{n}]}}\n"))
            .concat();
    let setting = Setting::new(&policy);
    for (listed, wanted, expected, operations) in [
        (vec![], vec!["a", "b"], vec!["a", "b"], 1),
        (vec!["a"], vec!["a"], vec!["a"], 0),
        (vec!["a", "x"], vec!["a"], vec!["a", "x"], 0),
        (vec!["x"], vec!["a"], vec!["a", "x"], 1),
        (vec!["x", "a", "b"], vec!["a", "b"], vec!["a", "b", "x"], 1),
        (
            vec!["c", "a", "b"],
            vec!["a", "b", "c"],
            vec!["a", "b", "c"],
            1,
        ),
        (vec!["b", "a"], vec!["a", "b"], vec!["a", "b"], 1),
        (
            vec!["b", "x"],
            vec!["a", "b", "c"],
            vec!["a", "b", "c", "x"],
            2,
        ),
        (
            vec!["x", "", "a", "x"],
            vec!["a"],
            vec!["a", "x", "", "x"],
            1,
        ),
        (vec!["x", "a", "a"], vec!["a"], vec!["a", "x", "a"], 1),
    ] {
        let images: Vec<_> = wanted.iter().map(|name| format!("{name}.io/i")).collect();
        let images: Vec<&str> = images.iter().map(String::as_str).collect();
        let list: Vec<_> = listed.iter().map(|name| json!({"name": name})).collect();
        let review =
            create_pod(json!({"containers": containers(&images), "imagePullSecrets": list}));
        let answer = setting.mutate(&review);
        let on_list = |operation: &&Value| {
            operation["path"]
                .as_str()
                .unwrap()
                .starts_with("/spec/imagePullSecrets")
        };
        let count = answer
            .patch
            .iter()
            .flat_map(|patch| patch.as_array().unwrap())
            .filter(on_list)
            .count();
        assert_eq!(
            count, operations,
            "{listed:?} {wanted:?}: {:?}",
            answer.patch
        );
        assert_eq!(
            names(&answer.applied(&review["request"]["object"])),
            expected,
            "{listed:?} {wanted:?}"
        );
    }
}

#[test]
fn nothing_to_change_means_no_patch() {
    let setting = Setting::new(crate::support::POLICY);
    let covered = containers(&["contoso.azurecr.io/a"]);
    let there = json!([{"name": "contoso-pull"}]);
    let reviews = [
        create_pod(json!({"containers": containers(&["nginx"])})),
        create_pod(
            json!({"containers": containers(&["1.dkr.ecr.eu-west-1.amazonaws.com/x", "quay.io/x", "BAD/image:!"])}),
        ),
        create_pod(json!({"containers": covered, "imagePullSecrets": there})),
        in_namespace(create_pod(json!({"containers": covered})), "exempt"),
        create_pod(json!({})),
        create_pod(Value::Null),
        create_pod(
            json!({"containers": null, "initContainers": [], "volumes": null, "imagePullSecrets": null}),
        ),
    ];
    for review in reviews {
        let answer = setting.mutate(&review);
        assert!(
            answer.allowed() && answer.patch.is_none() && answer.response["patchType"].is_null(),
            "{review}"
        );
    }
}

/// Trap 2: the list of a pod is immutable, so that a patch on UPDATE would refuse the update.
#[test]
fn trap_2_nothing_is_patched_on_update() {
    let review = create_pod(json!({"containers": containers(&["contoso.azurecr.io/a"])}));
    let old = review["request"]["object"].clone();
    assert!(
        Setting::new(crate::support::POLICY)
            .mutate(&update(review, old))
            .patch
            .is_none()
    );
}

/// Trap 3: the ServiceAccount plugin of the API server has run before and has filled the list.
#[test]
fn trap_3_a_pod_that_lists_a_secret_still_gets_its_own() {
    let spec = json!({"containers": containers(&["contoso.azurecr.io/a"]), "imagePullSecrets": [{"name": "from-sa"}]});
    let review = by_controller(
        create_pod(spec),
        "system:serviceaccount:kube-system:replicaset-controller",
    );
    let answer = Setting::new(crate::support::POLICY)
        .with_account("ns", "default", &["from-sa"])
        .mutate(&review);
    assert_eq!(
        names(&answer.applied(&review["request"]["object"])),
        ["contoso-pull", "from-sa"]
    );
}

/// Trap 4.
#[test]
fn trap_4_templates_are_not_patched() {
    let template =
        json!({"template": {"spec": {"containers": containers(&["contoso.azurecr.io/a"])}}});
    for (group, kind) in [
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("batch", "Job"),
    ] {
        let review = crate::support::create(
            group,
            kind,
            json!({"metadata": {"name": "web"}, "spec": template}),
        );
        assert!(
            Setting::new(crate::support::POLICY)
                .mutate(&review)
                .patch
                .is_none(),
            "{kind}"
        );
    }
}

/// Trap 5, through the whole of it.
#[test]
fn trap_5_a_host_that_begins_alike_gets_no_secret() {
    let setting = Setting::new(crate::support::POLICY);
    for image in [
        "contoso.azurecr.io.evil.com/x",
        "contoso.azurecr.iox/y",
        "evil.com/contoso.azurecr.io/x",
    ] {
        assert!(
            setting
                .mutate(&create_pod(json!({"containers": containers(&[image])})))
                .patch
                .is_none(),
            "{image}"
        );
    }
}

/// Trap 6: names and namespaces of generated pods are in the request and not in the object.
#[test]
fn trap_6_the_namespace_is_that_of_the_request() {
    let mut review = in_namespace(
        create_pod(json!({"containers": containers(&["contoso.azurecr.io/payments/a"])})),
        "payments-eu",
    );
    review["request"]["name"] = json!("");
    review["request"]["object"]["metadata"] = json!({"generateName": "web-"});
    let answer = Setting::new(crate::support::POLICY).mutate(&review);
    assert_eq!(
        names(&answer.applied(&review["request"]["object"])),
        ["payments-pull", "contoso-pull"]
    );
}

#[test]
fn mirror_pods_and_opted_out_pods_are_not_touched() {
    let spec = json!({"containers": containers(&["contoso.azurecr.io/a"])});
    for annotation in [
        json!({"kubernetes.io/config.mirror": "x"}),
        json!({"pullgate.dev/inject": "disabled"}),
    ] {
        let mut review = create_pod(spec.clone());
        review["request"]["object"]["metadata"]["annotations"] = annotation;
        assert!(
            Setting::new(crate::support::POLICY)
                .mutate(&review)
                .patch
                .is_none()
        );
    }
    let setting = Setting::new(crate::support::POLICY)
        .with_labels("ns", &[("pullgate.dev/inject", "disabled")]);
    assert!(setting.mutate(&create_pod(spec)).patch.is_none());
}

#[test]
fn a_service_account_that_allows_only_what_it_lists_is_respected() {
    let mut setting = Setting::new(crate::support::POLICY);
    let facts = ServiceAccountFacts {
        image_pull_secrets: vec!["x".into()],
        enforce_mountable_secrets: true,
    };
    setting
        .facts
        .set_service_account("ns", "default", Some(facts.clone()));
    let review = create_pod(
        json!({"containers": containers(&["contoso.azurecr.io/a"]), "imagePullSecrets": [{"name": "x"}]}),
    );
    let answer = setting.mutate(&review);
    assert!(answer.patch.is_none());
    assert_eq!(answer.warnings().len(), 1);
    let facts = ServiceAccountFacts {
        image_pull_secrets: vec!["contoso-pull".into()],
        ..facts
    };
    setting
        .facts
        .set_service_account("ns", "default", Some(facts));
    assert!(setting.mutate(&review).patch.is_some());
}

/// An unknown account stops no injection, unless it is likely to have its pods refused. It never does so elsewhere.
#[test]
fn an_unknown_service_account_is_taken_for_what_it_or_its_namespace_was_known_for() {
    let mut setting = Setting::new(crate::support::POLICY);
    let learn = |setting: &mut Setting, name, enforces: Option<bool>| {
        let account = enforces.map(|enforce_mountable_secrets| ServiceAccountFacts {
            image_pull_secrets: Vec::new(),
            enforce_mountable_secrets,
        });
        setting.facts.set_service_account("ns", name, account);
    };
    let injected = |setting: &Setting, namespace: &str, name: &str| {
        let pod = json!({"containers": containers(&["contoso.azurecr.io/a"]), "serviceAccountName": name});
        let answer = setting.mutate(&in_namespace(create_pod(pod), namespace));
        let warnings = answer.warnings();
        let is_told = warnings.iter().any(|warning| {
            warning.contains("\"contoso-pull\" is not injected")
                && warning
                    .contains("is not known here, and may allow only the secrets that it lists")
        });
        assert_eq!(answer.patch.is_none(), is_told, "{warnings:?}");
        answer.patch.is_some()
    };
    assert!(injected(&setting, "ns", "new"));
    learn(&mut setting, "plain", Some(false));
    learn(&mut setting, "strict", Some(true));
    learn(&mut setting, "plain", None);
    // One that was never seen goes by the others of its namespace, and by no other namespace.
    assert!(!injected(&setting, "ns", "new"));
    assert!(injected(&setting, "other", "new"));
    assert!(injected(&setting, "ns", "plain"));
    learn(&mut setting, "strict", None);
    assert!(!injected(&setting, "ns", "strict"));
    // A namespace that is made anew has no past.
    setting.facts.remove_namespace("ns");
    assert!(injected(&setting, "ns", "strict"));
}

/// A pod as anything but the API server might send it: lists missing, null, empty, with doubled and empty names.
fn any_pod() -> impl Strategy<Value = Value> {
    let name = proptest::sample::select(vec!["a", "b", "c", "x", "y", ""]);
    let list = proptest::option::of(proptest::collection::vec(name, 0..7));
    let image = proptest::sample::select(vec![
        "a.io/i", "b.io/i", "c.io/i", "ab.io/i", "nginx", "!", "",
    ]);
    let images = proptest::collection::vec(image, 0..5);
    let metadata = proptest::sample::select(vec![
        json!(null),
        json!({}),
        json!({"annotations": null}),
        json!({"annotations": {}}),
        json!({"annotations": {"pullgate.dev/injected": "b,z", "q\"uote": "\u{e9}\n"}}),
    ]);
    (list, images, metadata, any::<bool>()).prop_map(|(list, images, metadata, nulls)| {
        let mut pod = json!({"spec": {"containers": containers(&images)}});
        if !metadata.is_null() || nulls {
            pod["metadata"] = metadata;
        }
        match list {
            Some(list) => {
                pod["spec"]["imagePullSecrets"] =
                    list.iter().map(|name| json!({"name": name})).collect();
            }
            None if nulls => pod["spec"]["imagePullSecrets"] = Value::Null,
            None => {}
        }
        pod
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Promise 1, and the expected list.
    #[test]
    fn promise_1_the_patch_applies_and_asking_again_changes_nothing(pod in any_pod()) {
        let setting = Setting::new(
            "registries:
- {name: a, images: [a.io], secrets: [a]}
- {name: b, images: [b.io], secrets: [b, a]}
- {name: c, images: [c.io], secrets: [c]}
- {name: ab, images: [ab.io], secrets: [c, b]}
",
        );
        let answer = setting.mutate(&crate::support::create("", "Pod", pod.clone()));
        let applied = answer.applied(&pod);
        let again = setting.mutate(&crate::support::create("", "Pod", applied.clone()));
        prop_assert_eq!(&again.patch, &None, "{}", applied);

        let mut wanted: Vec<&str> = Vec::new();
        for container in pod["spec"]["containers"].as_array().unwrap() {
            let secrets: &[&str] = match container["image"].as_str().unwrap() {
                "a.io/i" => &["a"],
                "b.io/i" => &["b", "a"],
                "c.io/i" => &["c"],
                "ab.io/i" => &["c", "b"],
                _ => &[],
            };
            wanted.extend(secrets.iter().filter(|name| !wanted.contains(name)).copied().collect::<Vec<_>>());
        }
        let mut others = names(&pod);
        for name in &wanted {
            if let Some(first) = others.iter().position(|other| other == name) {
                others.remove(first);
            }
        }
        prop_assert_eq!(names(&applied), [wanted, others].concat());
    }
}
