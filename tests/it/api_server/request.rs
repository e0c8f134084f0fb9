//! Requests to the scripted API server: verb, resource, names and parameters.

use http_body_util::BodyExt;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{HeaderMap, Method};
use kube::client::Body;
use pullgate::objects::kind::Kind;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// The resources of the scripted API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Namespaces,
    ServiceAccounts,
    Secrets,
    ConfigMaps,
    MutatingWebhookConfigurations,
    ValidatingWebhookConfigurations,
    /// A kind of workload.
    Workloads(Kind),
}

/// The verbs of the Kubernetes API, as authorization names them; `Replace` is called `update` there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Replace,
    Patch,
}

/// A request to the scripted API server.
#[derive(Debug, Clone)]
pub(crate) struct ApiRequest {
    pub(crate) verb: Verb,
    pub(crate) resource: Resource,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    /// The query parameters, decoded.
    pub(crate) query: BTreeMap<String, String>,
    /// The header `Accept`.
    pub(crate) accept: String,
    /// The header `Content-Type`.
    pub(crate) content_type: String,
    /// The body, or null if there is none.
    pub(crate) body: Value,
}

impl Ord for Resource {
    fn cmp(&self, other: &Self) -> Ordering {
        self.plural().cmp(&other.plural())
    }
}

impl PartialOrd for Resource {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Resource {
    const ALL: [Self; 14] = [
        Self::Namespaces,
        Self::ServiceAccounts,
        Self::Secrets,
        Self::ConfigMaps,
        Self::MutatingWebhookConfigurations,
        Self::ValidatingWebhookConfigurations,
        Self::Workloads(Kind::Pod),
        Self::Workloads(Kind::Deployment),
        Self::Workloads(Kind::StatefulSet),
        Self::Workloads(Kind::DaemonSet),
        Self::Workloads(Kind::CronJob),
        Self::Workloads(Kind::ReplicationController),
        Self::Workloads(Kind::ReplicaSet),
        Self::Workloads(Kind::Job),
    ];

    /// Returns the kind of the resource's objects.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Namespaces => "Namespace",
            Self::ServiceAccounts => "ServiceAccount",
            Self::Secrets => "Secret",
            Self::ConfigMaps => "ConfigMap",
            Self::MutatingWebhookConfigurations => "MutatingWebhookConfiguration",
            Self::ValidatingWebhookConfigurations => "ValidatingWebhookConfiguration",
            Self::Workloads(kind) => kind.name(),
        }
    }

    /// Returns the group and version of the resource's objects.
    pub(crate) fn api_version(self) -> &'static str {
        match self {
            Self::Namespaces | Self::ServiceAccounts | Self::Secrets | Self::ConfigMaps => "v1",
            Self::MutatingWebhookConfigurations | Self::ValidatingWebhookConfigurations => {
                "admissionregistration.k8s.io/v1"
            }
            Self::Workloads(kind) => match kind.group() {
                "apps" => "apps/v1",
                "batch" => "batch/v1",
                _ => "v1",
            },
        }
    }

    /// Returns the name of the resource in paths.
    pub(crate) fn plural(self) -> String {
        format!("{}s", self.kind().to_lowercase())
    }

    fn of(api_version: &str, plural: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|known| known.api_version() == api_version && known.plural() == plural)
    }
}

impl ApiRequest {
    /// Reads a request. Returns `None` if the scripted API server does not support its path or method.
    pub(super) async fn read(request: hyper::Request<Body>) -> Option<Self> {
        let (head, body) = request.into_parts();
        let path = Path::read(head.uri.path())?;
        let query = parameters(head.uri.query().unwrap_or_default());
        let is_watch = query.get("watch").is_some_and(|value| value == "true");
        let verb = match (&head.method, path.name.is_some()) {
            (&Method::GET, true) => Verb::Get,
            (&Method::GET, false) if is_watch => Verb::Watch,
            (&Method::GET, false) => Verb::List,
            (&Method::POST, false) => Verb::Create,
            (&Method::PUT, true) => Verb::Replace,
            (&Method::PATCH, true) => Verb::Patch,
            _ => return None,
        };
        let body = body.collect().await.ok()?.to_bytes();
        let header = |headers: &HeaderMap, name| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Some(Self {
            verb,
            resource: path.resource,
            namespace: path.namespace,
            name: path.name,
            query,
            accept: header(&head.headers, ACCEPT),
            content_type: header(&head.headers, CONTENT_TYPE),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    /// Returns the name of the object in the store: `NAMESPACE/NAME`, or `NAME`.
    pub(super) fn key(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        }
    }

    /// Returns whether a list or watch of this request contains the object, by namespace and field selector.
    pub(super) fn selects(&self, object: &Value) -> bool {
        let namespace = object["metadata"]["namespace"].as_str();
        let is_inside = self.namespace.is_none() || self.namespace.as_deref() == namespace;
        let selector = self.query.get("fieldSelector").map_or("", String::as_str);
        let mut terms = selector.split(',').filter_map(|term| term.split_once('='));
        is_inside
            && terms.all(|(field, value)| {
                let field = format!("/{}", field.replace('.', "/"));
                object.pointer(&field).and_then(Value::as_str) == Some(value)
            })
    }

    /// Returns whether the request asks only for the metadata of objects.
    pub(crate) fn wants_metadata_only(&self) -> bool {
        self.accept.contains("as=PartialObjectMetadata")
    }

    /// Returns whether a change is only checked and not made.
    pub(super) fn is_dry_run(&self) -> bool {
        self.query.contains_key("dryRun")
    }
}

impl fmt::Display for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {} {}",
            self.verb,
            self.resource.plural(),
            self.key()
        )?;
        for (name, value) in &self.query {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

struct Path {
    resource: Resource,
    namespace: Option<String>,
    name: Option<String>,
}

impl Path {
    fn read(path: &str) -> Option<Self> {
        let (api_version, rest) = if let Some(rest) = path.strip_prefix("/api/v1/") {
            ("v1".to_owned(), rest)
        } else {
            let mut parts = path.strip_prefix("/apis/")?.splitn(3, '/');
            let api_version = format!("{}/{}", parts.next()?, parts.next()?);
            (api_version, parts.next()?)
        };
        let parts: Vec<&str> = rest.split('/').collect();
        let (namespace, plural, name) = match parts[..] {
            [plural] => (None, plural, None),
            [plural, name] => (None, plural, Some(name)),
            ["namespaces", namespace, plural] => (Some(namespace), plural, None),
            ["namespaces", namespace, plural, name] => (Some(namespace), plural, Some(name)),
            _ => return None,
        };
        Some(Self {
            resource: Resource::of(&api_version, plural)?,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        })
    }
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Decodes the escapes `%2F` and `+` in a query.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = others
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok());
        let code = code.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &others[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = others;
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8(bytes).expect("a query is UTF-8")
}
