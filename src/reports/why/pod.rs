//! Reads pods and their events. A field of an unexpected type counts as absent: one odd object must not hide the
//! others.

use super::evidence::{PodEvent, PodView, WaitingImage};
use super::texts::{self, PullText};
use crate::objects::subject::{INJECTED, MIRROR_POD};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Events of one attempt to pull are no further apart, in seconds.
const ATTEMPT: i64 = 60;

/// The lists of a pod's spec with containers, and the lists of its status with their states.
const CONTAINERS: [(&str, &str); 3] = [
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
];

impl PodView {
    /// Reads a pod, given as the API server gives it, and the events about it.
    #[must_use]
    pub fn read(pod: &Value, events: &[PodEvent]) -> Self {
        let metadata = &pod["metadata"];
        let spec = &pod["spec"];
        let listed = items(&spec["imagePullSecrets"]);
        Self {
            namespace: text(&metadata["namespace"]).to_owned(),
            name: text(&metadata["name"]).to_owned(),
            uid: text(&metadata["uid"]).to_owned(),
            node: spec["nodeName"].as_str().map(str::to_owned),
            listed: listed
                .map(|entry| text(&entry["name"]).to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            is_replaceable: text(&pod["status"]["phase"]) == "Pending"
                && items(&metadata["ownerReferences"]).any(|owner| owner["controller"] == true),
            is_static: metadata["annotations"].get(MIRROR_POD).is_some(),
            was_injected: metadata["annotations"].get(INJECTED).is_some(),
            waiting: CONTAINERS
                .iter()
                .flat_map(|(list, statuses)| waiting(pod, list, statuses, events))
                .collect(),
        }
    }

    /// Returns whether an image waits because of the pull policy `Never`, so that the images on the node decide.
    #[must_use]
    pub fn asks_for_node_images(&self) -> bool {
        let mut waiting = self.waiting.iter();
        waiting
            .any(|image| texts::meaning(&image.reason, &image.message) == Some(PullText::NeverPull))
    }
}

/// Returns the containers of one list that wait for an image.
fn waiting<'p>(
    pod: &'p Value,
    list: &'p str,
    statuses: &str,
    events: &'p [PodEvent],
) -> impl Iterator<Item = WaitingImage> + 'p {
    items(&pod["status"][statuses]).filter_map(move |status| {
        let state = &status["state"]["waiting"];
        let (reason, message) = (text(&state["reason"]), text(&state["message"]));
        let name = text(&status["name"]);
        let field = format!("spec.{list}{{{name}}}");
        let is_first_pull = reason == "ContainerCreating" && pulls(events, &field);
        if !is_first_pull && !texts::is_about_a_pull(reason, message) {
            return None;
        }
        let container =
            items(&pod["spec"][list]).find(|container| text(&container["name"]) == name);
        let own = container.map_or(text(&status["image"]), |container| {
            text(&container["image"])
        });
        let volumes = items(&pod["spec"]["volumes"]);
        let mut references = volumes.map(|volume| text(&volume["image"]["reference"]));
        let image = references
            .find(|image| *image != own && names_image(message, image))
            .unwrap_or(own);
        let event =
            explaining(events, &field, image).filter(|_| texts::meaning(reason, message).is_none());
        Some(WaitingImage {
            container: name.to_owned(),
            image: image.to_owned(),
            reason: reason.to_owned(),
            message: event.map_or(message, |event| &event.message).to_owned(),
            event: event.cloned(),
            failed: last_failure(events, &field),
        })
    })
}

/// Returns the time of the last failed pull of a container.
fn last_failure(events: &[PodEvent], field: &str) -> Option<i64> {
    let failures = events.iter().filter(|event| {
        (event.field == field || event.field.is_empty())
            && event.reason == "Failed"
            && event.message.starts_with("Failed to pull image")
    });
    failures.filter_map(|event| event.time).max()
}

/// Returns whether the last event of a container is the beginning of a pull.
fn pulls(events: &[PodEvent], field: &str) -> bool {
    let mut own = events.iter().filter(|event| event.field == field);
    own.next_back()
        .is_some_and(|event| event.reason == "Pulling")
}

/// Returns the last event about an image with a text that has a meaning. Up to Kubernetes 1.31 the state of a container
/// in back-off does not give the reason of the last failure.
fn explaining<'e>(events: &'e [PodEvent], field: &str, image: &str) -> Option<&'e PodEvent> {
    let about = |event: &&PodEvent| {
        (event.field == field || event.field.is_empty())
            && names_image(&event.message, image)
            && texts::meaning("", &event.message).is_some()
    };
    events.iter().rev().find(about)
}

/// Returns whether a message names the image: the kubelet writes it in quotes.
fn names_image(message: &str, image: &str) -> bool {
    !image.is_empty() && message.contains(&format!("{image:?}"))
}

/// Returns the uid that events about a pod have: for the mirror of a static pod, that of the static pod.
#[must_use]
pub fn uid_of_events(pod: &Value) -> &str {
    let metadata = &pod["metadata"];
    let of_static = metadata["annotations"][MIRROR_POD].as_str();
    of_static.unwrap_or_else(|| text(&metadata["uid"]))
}

/// Reads the events about the pod of this uid, the oldest first. Events of a former pod of the same name may come late.
#[must_use]
pub fn events<'v>(events: impl IntoIterator<Item = &'v Value>, uid: &str) -> Vec<PodEvent> {
    let own = |event: &&Value| text(&event["involvedObject"]["uid"]) == uid;
    let mut events: Vec<_> = events.into_iter().filter(own).map(event).collect();
    events.sort_by_key(|event| event.time);
    events
}

fn event(event: &Value) -> PodEvent {
    let times = [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ];
    PodEvent {
        reason: text(&event["reason"]).to_owned(),
        message: text(&event["message"]).to_owned(),
        field: text(&event["involvedObject"]["fieldPath"]).to_owned(),
        time: times.into_iter().find_map(seconds),
    }
}

/// Returns the parts of a pod that an answer depends on. Of a whole cluster, many pods may wait at once.
#[must_use]
pub fn reduced(pod: &Value) -> Value {
    let containers = |list: &str| -> Value {
        let list = items(&pod["spec"][list]);
        list.map(|container| json!({"name": container["name"], "image": container["image"]}))
            .collect()
    };
    let (metadata, spec, status) = (&pod["metadata"], &pod["spec"], &pod["status"]);
    let volumes: Value = items(&spec["volumes"])
        .filter(|volume| volume.get("image").is_some())
        .map(|volume| json!({"name": volume["name"], "image": volume["image"]}))
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"],
            "annotations": metadata["annotations"], "ownerReferences": metadata["ownerReferences"],
        },
        "spec": {
            "nodeName": spec["nodeName"], "imagePullSecrets": spec["imagePullSecrets"],
            "serviceAccountName": spec["serviceAccountName"], "volumes": volumes,
            "initContainers": containers("initContainers"), "containers": containers("containers"),
            "ephemeralContainers": containers("ephemeralContainers"),
        },
        "status": {
            "phase": status["phase"], "initContainerStatuses": status["initContainerStatuses"],
            "containerStatuses": status["containerStatuses"],
            "ephemeralContainerStatuses": status["ephemeralContainerStatuses"],
        },
    })
}

/// Returns whether a container of a pod may wait for an image.
#[must_use]
pub fn may_wait(pod: &Value) -> bool {
    let mut statuses = CONTAINERS
        .iter()
        .flat_map(|(_, statuses)| items(&pod["status"][statuses]));
    statuses.any(|status| {
        let waiting = &status["state"]["waiting"];
        let (reason, message) = (text(&waiting["reason"]), text(&waiting["message"]));
        reason == "ContainerCreating" || texts::is_about_a_pull(reason, message)
    })
}

/// Returns the names of the pull secrets that the kubelet did not find at its last attempt. It names them in an event,
/// which a caller without the right to read Secrets may read.
#[must_use]
pub fn not_found(events: &[PodEvent]) -> Vec<&str> {
    let last = events
        .iter()
        .rev()
        .find(|event| event.reason == "FailedToRetrieveImagePullSecret");
    // A Secret that was created later may be there now: the kubelet tells of missing ones at each attempt.
    let last_attempt = events.iter().filter(|event| event.reason == "Failed");
    let last_attempt = last_attempt.filter_map(|event| event.time).max();
    let last = last.filter(|event| {
        event.time.is_none() || event.time.map(|time| time + ATTEMPT) >= last_attempt
    });
    let names = last.and_then(|event| {
        let (_, rest) = event.message.split_once("image pull secrets (")?;
        Some(rest.split_once(')')?.0)
    });
    names.map_or_else(Vec::new, |names| names.split(", ").collect())
}

/// Returns a time in seconds of Unix time.
#[must_use]
pub fn seconds(time: &Value) -> Option<i64> {
    let time: Timestamp = time.as_str()?.parse().ok()?;
    Some(time.as_second())
}

fn items(list: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
