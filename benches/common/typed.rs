//! The approach of most webhooks, for comparison: read every field of the object into a type, change the object, and
//! compute the patch as the difference of two trees.

use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::api::core::v1::{LocalObjectReference, Pod};
use pullgate::kubelet::image::Image;
use pullgate::policy::Policy;
use pullgate::policy::selector::Namespace;
use serde::Deserialize;
use serde_json::{json, to_value};

#[derive(Deserialize)]
struct Review {
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    uid: String,
    namespace: String,
    object: Pod,
}

/// Runs the whole way from the body to the answer.
pub(crate) fn answer(body: &[u8], policy: &Policy) -> Vec<u8> {
    let Review { request } = serde_json::from_slice(body).expect("a review");
    let mut changed = request.object.clone();
    inject(&mut changed, &request.namespace, policy);
    let (before, after) = (to_value(&request.object), to_value(&changed));
    let patch = json_patch::diff(&before.expect("JSON"), &after.expect("JSON"));
    let patch = serde_json::to_vec(&patch).expect("JSON");
    let response = json!({
        "uid": request.uid, "allowed": true,
        "patchType": "JSONPatch", "patch": BASE64_STANDARD.encode(patch),
    });
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    serde_json::to_vec(&answer).expect("JSON")
}

fn inject(pod: &mut Pod, namespace: &str, policy: &Policy) {
    let Some(spec) = &mut pod.spec else { return };
    let namespace = Namespace {
        name: namespace,
        labels: None,
    };
    let images = spec.containers.iter().filter_map(|c| c.image.as_deref());
    let rules = images.filter_map(|image| policy.rule_for(&Image::parse(image).ok()?, namespace));
    let listed = spec.image_pull_secrets.get_or_insert_default();
    for name in rules.flat_map(pullgate::policy::RegistryRule::secret_names) {
        if !listed.iter().any(|listed| listed.name == name) {
            let name = name.to_owned();
            listed.insert(0, LocalObjectReference { name });
        }
    }
}
