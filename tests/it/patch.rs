//! Tests of injection patches at their limits: very long lists, and annotations.

use crate::inject::{containers, names};
use crate::support::{POLICY, Setting, create_pod};
use serde_json::{Value, json};

/// A tenant may list very many secrets. Moving each of them would take quadratic time.
#[test]
fn a_very_long_list_is_replaced_as_a_whole() {
    let listed: Vec<String> = (0..1_000).map(|i| format!("s{}", i % 900)).collect();
    let entries: Value = listed.iter().map(|name| json!({"name": name})).collect();
    let review = create_pod(
        json!({"containers": containers(&["contoso.azurecr.io/a"]), "imagePullSecrets": entries}),
    );
    let answer = Setting::new(POLICY).mutate(&review);
    let patch = answer.patch.as_ref().expect("a patch");
    assert_eq!(patch[0]["op"], "replace");
    assert_eq!(
        patch.as_array().map(Vec::len),
        Some(2),
        "the list and the annotation"
    );
    let applied = answer.applied(&review["request"]["object"]);
    let expected = std::iter::once("contoso-pull").chain(listed.iter().map(String::as_str));
    assert!(names(&applied).into_iter().eq(expected));
}

/// The API server refuses an object with more than 256 KiB of annotations, keys and values together.
#[test]
fn the_annotation_is_left_out_where_it_does_not_fit() {
    const ROOM: usize = 256 * 1024 - "pullgate.dev/injected".len() - "contoso-pull".len();
    let patch = |length: usize| {
        let mut review = create_pod(json!({"containers": containers(&["contoso.azurecr.io/a"])}));
        review["request"]["object"]["metadata"]["annotations"] =
            json!({"note": "x".repeat(length - "note".len())});
        let answer = Setting::new(POLICY).mutate(&review);
        answer
            .patch
            .expect("a patch")
            .as_array()
            .expect("a list")
            .len()
    };
    // The two quotes around the value count as well.
    assert_eq!(patch(ROOM - 2), 2);
    assert_eq!(patch(ROOM - 1), 1);
    assert_eq!(patch(ROOM + 30), 1);
}

#[test]
fn the_annotation_names_all_injected_secrets_including_earlier_ones() {
    let setting = Setting::new(
        "registries: [{name: a, images: [a.io], secrets: [a]}, {name: b, images: [b.io], secrets: [b]}]\n",
    );
    let mut review = create_pod(
        json!({"containers": containers(&["a.io/x", "b.io/x"]), "imagePullSecrets": [{"name": "a"}, {"name": "own"}]}),
    );
    review["request"]["object"]["metadata"]["annotations"] =
        json!({"pullgate.dev/injected": "a,forged", "other": "x"});
    let answer = setting.mutate(&review);
    let applied = answer.applied(&review["request"]["object"]);
    assert_eq!(
        applied["metadata"]["annotations"],
        json!({"pullgate.dev/injected": "a,b", "other": "x"})
    );
    assert_eq!(
        (answer.audit("injected.b"), answer.audit("injected.a")),
        (Some("b"), None)
    );
}
