//! What is measured: a review of some size, judged by some policy with some knowledge of the cluster.

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

/// How large a review is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// One container and nothing else: 2 KB.
    Minimal,
    /// A little more than what real clusters average: 8.5 KB.
    Typical,
    /// Sidecars with many variables: 60 KB.
    Large,
    /// A typical one with an annotation of 1 MB, more than the API server keeps and no more than it sends.
    Annotated,
}

/// A review, and all that an answer to it depends on.
pub(crate) struct Scene {
    /// The body of the request.
    pub(crate) body: Vec<u8>,
    /// The policy.
    pub(crate) policy: Policy,
    facts: Facts,
    controllers: Controllers,
}

impl Size {
    /// All of them.
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
    /// A pod of this size whose pull secret is yet to be injected, in a small cluster with a small policy.
    pub(crate) fn new(size: Size) -> Self {
        Self {
            body: review(size, &[]),
            policy: policy(10),
            facts: facts(0),
            controllers: Controllers::new(Vec::new()),
        }
    }

    /// The same with the pull secret listed already, so that there is nothing to do.
    pub(crate) fn with_nothing_to_do(size: Size) -> Self {
        Self {
            body: review(size, &["contoso-pull"]),
            ..Self::new(size)
        }
    }

    /// The same with so many registry rules.
    pub(crate) fn with_rules(self, rules: usize) -> Self {
        let policy = policy(rules);
        Self { policy, ..self }
    }

    /// The same with so many namespaces, service accounts and Secrets known.
    pub(crate) fn with_facts(self, known: usize) -> Self {
        let facts = facts(known);
        Self { facts, ..self }
    }

    /// What the judgement depends on.
    pub(crate) fn world(&self) -> World<'_> {
        World {
            policy: &self.policy,
            facts: &self.facts,
            controllers: &self.controllers,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// The review, read.
    pub(crate) fn parse(&self) -> Review<'_> {
        admission::parse(&self.body).expect("a review")
    }

    /// The judgement of `/mutate`, which for a pod of a controller is that of `/validate` too.
    pub(crate) fn judge<'s>(&'s self, review: &'s Review<'_>) -> Mutation<'s> {
        verdict::mutate(&self.world(), &review.subject)
    }

    /// From the body to the answer.
    pub(crate) fn answer(&self) -> Vec<u8> {
        let review = self.parse();
        review.answer(&self.judge(&review)).expect("JSON")
    }
}

/// A policy with so many rules.
pub(crate) fn policy(rules: usize) -> Policy {
    Policy::load(&policy_text(rules), date(2026, 1, 1))
        .policy
        .expect("a policy")
}

/// The text of it: the first rule covers what is pulled here, and every tenth has a glob for a host.
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

/// A cluster of which so many namespaces are known, each with a `ServiceAccount` and a docker-type Secret; with none, Secrets
/// are not watched.
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

/// What the API server asks about a pod that the controller of a ReplicaSet creates, its fields in its order.
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

/// A pod as the API server gives it to webhooks.
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

/// What `managedFields` says of a value that one manager owns.
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
