//! Reads pods that wait for images, and the evidence that the answer of `why` depends on, with the rights of the
//! caller.
//!
//! A missing right is not a failure: an on-call engineer often may not read Secrets. The right is noted, and the answer
//! is less narrow.

use super::collection::{Collection, is_forbidden};
use super::{ObjectName, client_in, without_values};
use crate::facts::Facts;
use crate::kubelet::docker_config::Form;
use crate::objects::kind::Kind;
use crate::objects::names::is_subdomain;
use crate::objects::read;
use crate::reports::why::evidence::SecretState;
use crate::reports::why::{MissingRight, pod};
use anyhow::{Context, Result, anyhow, bail, ensure};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, Node, Pod, ReplicationController, Secret,
};
use kube::Client;
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The most events that are kept of one pod. The kubelet writes a few, and a tenant may write any number.
const MAX_EVENTS: usize = 1_000;

/// The pods that are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// One pod.
    Pod(String),
    /// The pods of a workload.
    Workload(WorkloadKind, String),
    /// Every pod that waits.
    All,
}

/// The kinds of workloads that select their pods by labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "these are kinds of Kubernetes")]
pub enum WorkloadKind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Job,
}

impl FromStr for Asked {
    type Err = anyhow::Error;

    /// Reads `POD` or `KIND/NAME`, with the short names of kubectl.
    fn from_str(text: &str) -> Result<Self> {
        let Some((kind, name)) = text.split_once('/') else {
            return Ok(Self::Pod(text.to_owned()));
        };
        let kind = match kind.to_ascii_lowercase().as_str() {
            "po" | "pod" | "pods" => return Ok(Self::Pod(name.to_owned())),
            "deploy" | "deployment" | "deployments" => WorkloadKind::Deployment,
            "sts" | "statefulset" | "statefulsets" => WorkloadKind::StatefulSet,
            "ds" | "daemonset" | "daemonsets" => WorkloadKind::DaemonSet,
            "rs" | "replicaset" | "replicasets" => WorkloadKind::ReplicaSet,
            "rc" | "replicationcontroller" | "replicationcontrollers" => {
                WorkloadKind::ReplicationController
            }
            "job" | "jobs" => WorkloadKind::Job,
            _ => bail!(
                "{kind:?} is not a kind with pods that can be found: write a pod, or deployment/NAME, statefulset/NAME, daemonset/NAME, \
                 replicaset/NAME, replicationcontroller/NAME or job/NAME"
            ),
        };
        Ok(Self::Workload(kind, name.to_owned()))
    }
}

/// A cluster, read with the rights of a user.
pub struct ClusterReader {
    client: Client,
    /// The namespace of the kubeconfig's context.
    default_namespace: String,
    missing: BTreeSet<MissingRight>,
    /// The Secrets that were read, by namespace and name, without passwords.
    secrets: HashMap<(String, String), SecretState>,
    /// The labels of the namespaces that were read.
    facts: HashMap<String, Facts>,
}

impl ClusterReader {
    /// Connects as kubectl does.
    ///
    /// # Errors
    /// The kubeconfig cannot be used.
    pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Self> {
        let (client, default_namespace) = client_in(kubeconfig, context).await?;
        Ok(Self {
            client,
            default_namespace,
            missing: BTreeSet::new(),
            secrets: HashMap::new(),
            facts: HashMap::new(),
        })
    }

    /// Returns the namespace of the kubeconfig's context.
    #[must_use]
    pub fn default_namespace(&self) -> &str {
        &self.default_namespace
    }

    /// Returns the rights that were missing so far.
    #[must_use]
    pub fn missing(&self) -> Vec<MissingRight> {
        self.missing.iter().cloned().collect()
    }

    /// Returns the pods that are asked about, in a namespace or in all.
    ///
    /// # Errors
    /// They do not exist, or cannot be read.
    pub async fn pods(&self, namespace: Option<&str>, asked: &Asked) -> Result<Vec<Value>> {
        let params = match asked {
            Asked::Pod(name) => {
                let namespace = namespace.context("a pod has a namespace: leave out -A")?;
                let pods = Collection::of::<Pod>(self.client.clone(), namespace);
                let pod = pods.get_value(name).await?;
                return Ok(vec![pod.with_context(|| {
                    format!("pod {name} does not exist in namespace {namespace}")
                })?]);
            }
            Asked::Workload(kind, name) => {
                let namespace = namespace.context("a workload has a namespace: leave out -A")?;
                let workload = self.workload(*kind, namespace, name).await?;
                ListParams::default().labels(&selector(&workload["spec"]["selector"])?)
            }
            Asked::All => ListParams::default(),
        };
        let pods = match namespace {
            Some(namespace) => Collection::of::<Pod>(self.client.clone(), namespace),
            None => Collection::of_all::<Pod>(self.client.clone()),
        };
        let mut found = Vec::new();
        let sees_all = *asked != Asked::All;
        // Ephemeral containers wait in pods that run, so the phase does not tell which pods wait.
        pods.each(params, |pod| {
            if sees_all || pod::may_wait(&pod) {
                found.push(pod::reduced(&pod));
            }
        })
        .await
        .context("cannot list pods")?;
        Ok(found)
    }

    async fn workload(&self, kind: WorkloadKind, namespace: &str, name: &str) -> Result<Value> {
        let client = self.client.clone();
        let workloads = match kind {
            WorkloadKind::Deployment => Collection::of::<Deployment>(client, namespace),
            WorkloadKind::StatefulSet => Collection::of::<StatefulSet>(client, namespace),
            WorkloadKind::DaemonSet => Collection::of::<DaemonSet>(client, namespace),
            WorkloadKind::ReplicaSet => Collection::of::<ReplicaSet>(client, namespace),
            WorkloadKind::ReplicationController => {
                Collection::of::<ReplicationController>(client, namespace)
            }
            WorkloadKind::Job => Collection::of::<Job>(client, namespace),
        };
        let workload = workloads.get_value(name).await?;
        workload.with_context(|| format!("{kind:?} {name} does not exist in namespace {namespace}"))
    }

    /// Returns the events about a pod, or none if the caller may not read them.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn events(&mut self, namespace: &str, uid: &str) -> Result<Vec<Value>> {
        let events = Collection::of::<Event>(self.client.clone(), namespace);
        let params = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
        let mut found = Vec::new();
        let keep = |event| {
            if found.len() < MAX_EVENTS {
                found.push(event);
            }
        };
        let listed = events.each(params, keep).await;
        self.allowed("list events", Some(namespace), listed)?;
        Ok(found)
    }

    /// Returns the state of a Secret that a pod lists. No password of its content is kept.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn secret(&mut self, namespace: &str, name: &str) -> Result<SecretState> {
        // The API server does not validate the names in `imagePullSecrets`. No Secret has another name, and a path may
        // not have one either.
        if !is_subdomain(name) {
            return Ok(SecretState::Absent);
        }
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(known) = self.secrets.get(&key) {
            return Ok(known.clone());
        }
        let state = self.read_secret(namespace, name).await?;
        self.secrets.insert(key, state.clone());
        Ok(state)
    }

    async fn read_secret(&mut self, namespace: &str, name: &str) -> Result<SecretState> {
        let secrets = Collection::of::<Secret>(self.client.clone(), namespace);
        let secret = secrets.get(name).await;
        let secret = secret.map(|json| json.map(Zeroizing::new));
        let Some(secret) = self.allowed("get secrets", Some(namespace), secret)? else {
            return Ok(SecretState::Unread);
        };
        let Some(json) = secret else {
            return Ok(SecretState::Absent);
        };
        let object = read::read(Kind::Secret, &json)
            .map_err(|_| anyhow!("Secret {namespace}/{name} cannot be read"))?;
        let of_type = object.secret_type.as_deref().unwrap_or("Opaque");
        let Some(form) = Form::of(of_type) else {
            return Ok(SecretState::OtherType(of_type.to_owned()));
        };
        let content = object.content.map(|content| content.reduce(None));
        Ok(
            content.map_or(SecretState::Empty, |content| SecretState::Read {
                content,
                is_config_json: form == Form::ConfigJson,
                changed: changed(&json),
            }),
        )
    }

    /// Returns the names of the images on a node, or `None` if the caller may not read the node.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn node_images(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let nodes = Collection::of_cluster::<Node>(self.client.clone());
        let node = nodes.get_value(name).await;
        let node = self.allowed("get nodes", None, node)?.flatten();
        Ok(node.and_then(|node| {
            let images = node["status"]["images"].as_array()?.iter();
            let names = images.flat_map(|image| image["names"].as_array().into_iter().flatten());
            let names = names.filter_map(Value::as_str);
            Some(names.map(str::to_owned).collect())
        }))
    }

    /// Returns the labels of a namespace as facts.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn facts(&mut self, namespace: &str) -> Result<Facts> {
        if let Some(known) = self.facts.get(namespace) {
            return Ok(known.clone());
        }
        let namespaces = Collection::of_cluster::<Namespace>(self.client.clone());
        let read = namespaces.get_value(namespace).await;
        let read = self.allowed("get namespaces", None, read)?.flatten();
        let mut facts = Facts::default();
        if let Some(read) = read {
            let labels = read["metadata"]["labels"].as_object().into_iter().flatten();
            let labels = labels.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
            let labels = labels.map(|(key, value)| (key.into(), value.into()));
            facts.set_labels(namespace, Some(labels.collect()));
        }
        self.facts.insert(namespace.to_owned(), facts.clone());
        Ok(facts)
    }

    /// Returns the text of the policy in a ConfigMap, or `None` if it does not exist or the caller may not read it.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn policy(&mut self, source: &ObjectName) -> Result<Option<String>> {
        let config_maps = Collection::of::<ConfigMap>(self.client.clone(), &source.namespace);
        let config_map = config_maps.get(&source.name).await;
        let config_map = self.allowed("get configmaps", Some(&source.namespace), config_map)?;
        let text = config_map.flatten().and_then(|json| {
            let object = read::read(Kind::ConfigMap, &json).ok()?;
            object.policy.map(Cow::into_owned)
        });
        Ok(text)
    }

    /// Turns the error of a missing right into `None` and notes the right; returns other errors.
    fn allowed<T>(
        &mut self,
        right: &'static str,
        namespace: Option<&str>,
        answer: Result<T>,
    ) -> Result<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_forbidden(&error) => {
                let namespace = namespace.map(str::to_owned);
                self.missing.insert(MissingRight { right, namespace });
                Ok(None)
            }
            Err(error) => Err(without_values(&error).context(format!("cannot {right}"))),
        }
    }
}

/// Returns the time of the last change of an object, in seconds of Unix time: that of its creation, or of a later
/// write.
fn changed(json: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Written {
        metadata: Times,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Times {
        creation_timestamp: Option<Value>,
        managed_fields: Option<Vec<Writer>>,
    }
    #[derive(Deserialize)]
    struct Writer {
        time: Option<Value>,
    }
    let Written { metadata } = serde_json::from_str(json).ok()?;
    let writers = metadata.managed_fields.into_iter().flatten();
    let times = writers.filter_map(|writer| writer.time);
    let times = times.chain(metadata.creation_timestamp);
    times.filter_map(|time| pod::seconds(&time)).max()
}

/// Writes a label selector as the API takes it in a query. That of a `ReplicationController` is a map of labels.
fn selector(selector: &Value) -> Result<String> {
    let labels = match selector.get("matchLabels") {
        Some(labels) => labels,
        None if selector.get("matchExpressions").is_some() => &Value::Null,
        None => selector,
    };
    let labels = labels.as_object().into_iter().flatten();
    let labels = labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    let expressions = selector["matchExpressions"].as_array();
    let expressions = expressions.into_iter().flatten().filter_map(|expression| {
        let key = expression["key"].as_str()?;
        let values = expression["values"].as_array().into_iter().flatten();
        let values: Vec<_> = values.filter_map(Value::as_str).collect();
        let values = values.join(",");
        match expression["operator"].as_str()? {
            "In" => Some(format!("{key} in ({values})")),
            "NotIn" => Some(format!("{key} notin ({values})")),
            "Exists" => Some(key.to_owned()),
            "DoesNotExist" => Some(format!("!{key}")),
            _ => None,
        }
    });
    let selector: Vec<_> = labels.chain(expressions).collect();
    // An empty selector would match every pod of the namespace.
    ensure!(!selector.is_empty(), "the workload has no selector");
    Ok(selector.join(","))
}
