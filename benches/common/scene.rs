//! The scenes that are measured: a review of a certain size, a policy, and facts of the cluster.

use jiff::Timestamp;
use jiff::civil::date;
use pullgate::admission::{self, Review};
use pullgate::facts::inventory::{Inventory, InventoryMode, Names, SecretFacts};
use pullgate::facts::{Facts, ServiceAccountFacts};
use pullgate::kubelet::docker_config::Form;
use pullgate::policy::Policy;
use pullgate::secrets::credentials::SecretContent;
use pullgate::verdict::world::{Controllers, World};
use pullgate::verdict::{self, Mutation};
use serde_json::{Map, Value, json};
use std::fmt::{self, Write};
use zeroize::Zeroizing;

/// The size of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// One container and nothing else: 2 KB.
    Minimal,
    /// A little more than the average in real clusters: 8.5 KB.
    Typical,
    /// A pod with sidecars and many variables: 60 KB.
    Large,
    /// A typical pod with an annotation of 1 MB. The API server sends that much, but does not store it.
    Annotated,
}

/// A review and everything that its answer depends on.
pub(crate) struct Scene {
    /// The body of the request.
    pub(crate) body: Vec<u8>,
    /// The policy.
    pub(crate) policy: Policy,
    facts: Facts,
    controllers: Controllers,
}

impl Size {
    /// All sizes.
    pub(crate) const ALL: [Self; 4] = [Self::Minimal, Self::Typical, Self::Large, Self::Annotated];
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Minimal => "minimal",
            Self::Typical => "typical",
            Self::Large => "large",
            Self::Annotated => "1 MB annotation",
        })
    }
}

impl Scene {
    /// Returns a pod of this size that still lacks its pull secret, in a small cluster with a small policy.
    pub(crate) fn new(size: Size) -> Self {
        Self {
            body: review(size, &[]),
            policy: policy(10),
            facts: facts(0),
            controllers: Controllers::new(Vec::new()),
        }
    }

    /// Returns the same scene with the pull secret already listed, so that there is nothing to do.
    pub(crate) fn with_nothing_to_do(size: Size) -> Self {
        Self {
            body: review(size, &["contoso-pull"]),
            ..Self::new(size)
        }
    }

    /// Returns this scene with the given number of registry rules.
    pub(crate) fn with_rules(self, rules: usize) -> Self {
        let policy = policy(rules);
        Self { policy, ..self }
    }

    /// Returns this scene with the given number of known namespaces, `ServiceAccount`s and Secrets.
    pub(crate) fn with_facts(self, known: usize) -> Self {
        let facts = facts(known);
        Self { facts, ..self }
    }

    /// Returns the world that the verdict depends on.
    pub(crate) fn world(&self) -> World<'_> {
        World {
            policy: &self.policy,
            facts: &self.facts,
            controllers: &self.controllers,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// Parses the review.
    pub(crate) fn parse(&self) -> Review<'_> {
        admission::parse(&self.body).expect("a review")
    }

    /// Returns the verdict of `/mutate`, which for a pod of a controller is also that of `/validate`.
    pub(crate) fn judge<'s>(&'s self, review: &'s Review<'_>) -> Mutation<'s> {
        verdict::mutate(&self.world(), &review.subject)
    }

    /// Runs the whole way from the body to the answer.
    pub(crate) fn answer(&self) -> Vec<u8> {
        let review = self.parse();
        review.answer(&self.judge(&review)).expect("JSON")
    }
}

/// Returns a policy with the given number of rules.
pub(crate) fn policy(rules: usize) -> Policy {
    Policy::load(&policy_text(rules), date(2026, 1, 1))
        .policy
        .expect("a policy")
}

/// Returns the text of such a policy. Its first rule covers the images of these scenes, and every tenth rule has a glob
/// in the host.
pub(crate) fn policy_text(rules: usize) -> String {
    let mut text = String::from(
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans:\n  - {name: legacy, secrets: [regcred-shared, 'legacy-*']}\n\
         registries:\n  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}\n",
    );
    for i in 1..rules {
        let host = if i % 10 == 0 {
            format!("'*.region-{i}.example.com'")
        } else {
            format!("registry-{i}.example.com/team")
        };
        let _ = writeln!(
            text,
            "  - {{name: rule-{i}, images: [{host}], secrets: [pull-{i}]}}"
        );
    }
    text
}

/// Returns a cluster with the given number of known namespaces, each with a `ServiceAccount` and a docker-type Secret.
/// With zero, Secrets are not watched.
pub(crate) fn facts(known: usize) -> Facts {
    let mut facts = Facts::default();
    facts.set_service_accounts_synced();
    if known == 0 {
        return facts;
    }
    let (mut inventory, mut names) = (Inventory::default(), Names::default());
    for i in 1..=known {
        let namespace = format!("team-{i}");
        let labels = [("team".into(), namespace.as_str().into())];
        facts.set_labels(&namespace, Some(labels.into_iter().collect()));
        let account = ServiceAccountFacts::default();
        facts.set_service_account(&namespace, "default", Some(account));
        inventory.set(&namespace, "contoso-pull", Some(secret(i)), &mut names);
    }
    facts.set_inventory_mode(InventoryMode::Contents, None);
    facts.set_inventory(inventory);
    facts
}

fn secret(number: usize) -> SecretFacts {
    let entry = json!({"username": format!("team-{number}"), "password": "secret"});
    let config = json!({"auths": {"contoso.azurecr.io": entry}}).to_string();
    let content = SecretContent::new(Form::ConfigJson, Zeroizing::new(config.into_bytes()));
    SecretFacts {
        form: Form::ConfigJson,
        content: content.expect("a credential").reduce(None),
        changed: None,
    }
}

/// Returns a review of a pod that the ReplicaSet controller creates, with the fields in the API server's order.
pub(crate) fn review(size: Size, pull_secrets: &[&str]) -> Vec<u8> {
    let object = pod(size, pull_secrets);
    let review = format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"70997f2c-6a51-4c58-b8b1-946066386a9f",
        "kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},
        "requestKind":{{"group":"","version":"v1","kind":"Pod"}},"requestResource":{{"group":"","version":"v1","resource":"pods"}},
        "namespace":"team-1","operation":"CREATE","userInfo":{{"username":"system:serviceaccount:kube-system:replicaset-controller",
        "uid":"5b236232-aa9e-4ce4-b537-a68cae4550db","groups":["system:serviceaccounts","system:serviceaccounts:kube-system",
        "system:authenticated"],"extra":{{"authentication.kubernetes.io/credential-id":["JTI=239a0928-17b4-46be-ba24-8feb35812525"]}}}},
        "object":{object},"oldObject":null,"dryRun":false,"options":{{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}}}}"#
    );
    // The API server sends no white space.
    review.replace("\n        ", "").into_bytes()
}

/// Returns a pod as the API server sends it to webhooks.
pub(crate) fn pod(size: Size, pull_secrets: &[&str]) -> Value {
    let (containers, variables) = match size {
        Size::Minimal => (1, 0),
        Size::Typical | Size::Annotated => (2, 8),
        Size::Large => (8, 38),
    };
    let mut metadata = json!({
        "generateName": "api-5d4f8b6c7d-",
        "labels": {"app.kubernetes.io/name": "api", "pod-template-hash": "5d4f8b6c7d"},
        "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-5d4f8b6c7d", "controller": true,
            "uid": "79bb73cc-24f0-4f24-9fb4-a6d332a2688b", "blockOwnerDeletion": true,
        }],
    });
    let containers: Vec<_> = (0..containers).map(|i| container(i, variables)).collect();
    let spec = spec(size, &containers, pull_secrets);
    if size != Size::Minimal {
        metadata["annotations"] =
            json!({"prometheus.io/scrape": "true", "prometheus.io/port": "9102"});
        metadata["managedFields"] = json!([{
            "manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
            "time": "2026-11-22T04:41:11Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": fields(&metadata), "f:spec": fields(&spec)},
        }]);
    }
    if size == Size::Annotated {
        let applied = r#"{"name":"LOG_LEVEL","value":"info"},"#.repeat(1024 * 1024 / 44);
        metadata["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
            applied.into();
    }
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": {}})
}

fn spec(size: Size, containers: &[Value], pull_secrets: &[&str]) -> Value {
    let mut spec = json!({
        "containers": containers, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst", "serviceAccountName": "default", "serviceAccount": "default",
        "securityContext": {}, "schedulerName": "default-scheduler", "priority": 0,
        "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        ],
    });
    if size != Size::Minimal {
        spec["volumes"] = json!([
            {"name": "config", "configMap": {"name": "api-config", "defaultMode": 420}},
            {"name": "tls", "secret": {"secretName": "api-tls", "defaultMode": 420}},
            {"name": "cache", "emptyDir": {}},
            {"name": "kube-api-access-wwlcr", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace",
                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
            ]}},
        ]);
    }
    if !pull_secrets.is_empty() {
        let named = |name: &&str| json!({ "name": name });
        spec["imagePullSecrets"] = pull_secrets.iter().map(named).collect();
    }
    spec
}

fn container(number: usize, variables: usize) -> Value {
    let mut container = json!({
        "name": format!("app-{number}"), "image": format!("contoso.azurecr.io/shop/app-{number}:1.4.2"),
        "imagePullPolicy": "IfNotPresent", "resources": {}, "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    });
    if variables == 0 {
        return container;
    }
    let variable = |i: usize| match i % 6 {
        0 => {
            json!({"name": format!("PASSWORD_{i}"), "valueFrom": {"secretKeyRef": {"name": "api-database", "key": "password"}}})
        }
        1 => {
            json!({"name": format!("POD_IP_{i}"), "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}})
        }
        _ => {
            json!({"name": format!("SETTING_{i}"), "value": format!("http://backend-{i}.shop.svc.cluster.local:8080/")})
        }
    };
    container["env"] = (0..variables).map(variable).collect();
    container["ports"] = json!([{"name": "http", "containerPort": 8080, "protocol": "TCP"}]);
    container["resources"] =
        json!({"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}});
    container["readinessProbe"] = json!({
        "httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "timeoutSeconds": 1,
        "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
    });
    container["volumeMounts"] = json!([
        {"name": "config", "mountPath": "/etc/api"},
        {"name": "kube-api-access-wwlcr", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
    ]);
    container
}

/// Returns the `managedFields` entry of a value that one manager owns.
fn fields(value: &Value) -> Value {
    let mut owned = Map::new();
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                owned.insert(format!("f:{key}"), fields(value));
            }
        }
        Value::Array(items) => {
            for item in items.iter().filter(|item| item["name"].is_string()) {
                let key = format!("k:{}", json!({ "name": item["name"] }));
                owned.insert(key, fields(item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Value::Object(owned)
}
