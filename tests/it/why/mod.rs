//! Tests of the answer to "why": texts of nodes, recorded pods, and the decision for each state of Secrets and policy.

mod advice;
mod decision;
mod recorded;
mod texts;

use jiff::Timestamp;
use pullgate::kubelet::docker_config::Form;
use pullgate::reports::why::evidence::{ListedSecret, PodView, RuleView, SecretState};
use pullgate::reports::why::{ExplainedImage, ExplainedPod, Known, pod};
use pullgate::secrets::credentials::SecretContent;
use serde_json::{Value, json};

const IMAGE: &str = "registry.test:5000/payments/app:1";
const NO_CREDENTIAL: &str = "failed to pull and unpack image \"registry.test:5000/payments/app:1\": failed to resolve image: pull access denied, \
                             repository does not exist or may require authorization: authorization failed: no basic auth credentials";

/// The evidence about a pod with one container.
struct Scene {
    pod: Value,
    events: Vec<Value>,
    secrets: Vec<ListedSecret>,
    rule: RuleView,
    node_images: Option<Vec<String>>,
}

impl Scene {
    /// A pod with a container that waits for this reason.
    fn waiting(image: &str, reason: &str, message: &str) -> Self {
        let waiting = json!({"waiting": {"reason": reason, "message": message}});
        let pod = json!({
            "metadata": {"namespace": "payments", "name": "api", "uid": "1"},
            "spec": {"nodeName": "node-1", "containers": [{"name": "app", "image": image}]},
            "status": {"containerStatuses": [{"name": "app", "image": image, "state": waiting}]},
        });
        Self {
            pod,
            events: Vec::new(),
            secrets: Vec::new(),
            rule: RuleView::Unknown,
            node_images: None,
        }
    }

    /// A pod in back-off with this text of the container runtime.
    fn back_off(text: &str) -> Self {
        let message = format!("Back-off pulling image \"{IMAGE}\": ErrImagePull: {text}");
        Self::waiting(IMAGE, "ImagePullBackOff", &message)
    }

    fn listing(mut self, name: &str, state: SecretState) -> Self {
        let entry = json!({"name": name});
        match self.pod["spec"]["imagePullSecrets"].as_array_mut() {
            Some(list) => list.push(entry),
            None => self.pod["spec"]["imagePullSecrets"] = json!([entry]),
        }
        let name = name.to_owned();
        self.secrets.push(ListedSecret { name, state });
        self
    }

    fn with_rule(self, rule: RuleView) -> Self {
        Self { rule, ..self }
    }

    fn with_event(mut self, reason: &str, message: &str, field: &str, uid: &str) -> Self {
        self.events.push(json!({
            "reason": reason, "message": message, "lastTimestamp": "2026-11-27T12:00:00Z",
            "involvedObject": {"uid": uid, "fieldPath": field},
        }));
        self
    }

    fn explain(&self) -> ExplainedImage {
        self.explain_pod().images.remove(0)
    }

    fn explain_pod(&self) -> ExplainedPod {
        let events = pod::events(&self.events, "1");
        let view = PodView::read(&self.pod, &events);
        let rules = vec![self.rule.clone(); view.waiting.len()];
        let known = Known {
            pod: &view,
            events: &events,
            secrets: &self.secrets,
            rules: &rules,
            node_images: self.node_images.as_deref(),
            now: "2026-11-27T12:00:00Z"
                .parse::<Timestamp>()
                .unwrap()
                .as_second(),
        };
        known.explain()
    }

    /// The cause, as JSON has it.
    fn cause(&self) -> String {
        cause(&self.explain())
    }
}

fn cause(explained: &ExplainedImage) -> String {
    let word = serde_json::to_value(explained.cause).unwrap();
    word.as_str().unwrap().to_owned()
}

/// A Secret with a credential for a key.
fn credential(key: &str, password: &str) -> SecretState {
    let config = json!({"auths": {key: {"username": "joe", "password": password}}});
    docker(Form::ConfigJson, &config.to_string())
}

fn docker(form: Form, content: &str) -> SecretState {
    let content = SecretContent::new(form, content.as_bytes().to_vec().into());
    SecretState::Read {
        content: content.unwrap().reduce(None),
        is_config_json: form == Form::ConfigJson,
        changed: None,
    }
}

/// A token that ends at this second of Unix time.
fn token(end: i64) -> String {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"alg": "RS256", "typ": "JWT"}));
    format!("{header}.{}.c2lnbmF0dXJl", part(json!({"exp": end})))
}
