//! Tests of policy edits that are sent to the webhook port.

use super::request;
use crate::support::{Answer, create};
use crate::tls::Running;
use pullgate::server::admission::PolicyEdits;
use serde_json::{Value, json};

async fn start() -> Running {
    let edits = PolicyEdits {
        namespace: Some("pullgate".to_owned()),
        preview: None,
    };
    crate::webhook::start_with_edits(edits).await
}

fn edit(namespace: &str, data: &Value) -> String {
    let object = json!({"metadata": {"name": "pullgate-policy"}, "data": data});
    let mut review = create("", "ConfigMap", object);
    review["request"]["namespace"] = json!(namespace);
    review.to_string()
}

/// A ConfigMap of the same name in another namespace is not the policy, and its content is not read.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_judged_only_in_its_own_namespace() {
    let running = start().await;
    for data in [json!({"policy.yaml": "kind: Nonsense"}), json!({})] {
        for (namespace, allowed) in [("pullgate", false), ("tenant", true)] {
            let (status, body) =
                request(&running, "/validate", edit(namespace, &data).as_bytes()).await;
            assert_eq!(status, 200);
            assert_eq!(Answer::read(&body).allowed(), allowed, "{namespace} {data}");
        }
    }
    running.end().await;
}
