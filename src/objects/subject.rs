//! The subject of a judgement: an object of the API, reduced to the fields that matter, from a request or a manifest.

use crate::objects::kind::Kind;
use crate::objects::names::MAX_SUBDOMAIN;
use crate::secrets::credentials::SecretContent;
use std::borrow::Cow;
use std::fmt;

/// The annotation of a Pod and the label of a Namespace that switch injection off when they say `disabled`.
pub const INJECT: &str = "pullgate.dev/inject";
/// The annotation of a Pod that names the injected secrets.
pub const INJECTED: &str = "pullgate.dev/injected";
/// The annotation of the API object that the kubelet makes for a static pod.
pub const MIRROR_POD: &str = "kubernetes.io/config.mirror";

/// The annotation of a Pod that names the templates by which Istio completes it; gateways have it.
pub const ISTIO_TEMPLATES: &str = "inject.istio.io/templates";
/// The label of a Pod (or the annotation of that name, which Istio deprecates) that switches Istio's injection on or
/// off.
pub const ISTIO_INJECT: &str = "sidecar.istio.io/inject";
/// The label of a Pod or a Namespace that names the revision of Istio that injects.
pub const ISTIO_REVISION: &str = "istio.io/rev";
/// The label of a Namespace that switches Istio's injection on when it is `enabled`.
pub const ISTIO_NAMESPACE: &str = "istio-injection";

/// A request for an object to be created, changed or deleted.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The kind of the object.
    pub kind: Kind,
    /// The operation on the object.
    pub operation: Operation,
    /// The origin of the object.
    pub source: ObjectSource,
    /// The namespace of the request; the object may not say.
    pub namespace: Cow<'a, str>,
    /// The name of the request, empty where it is yet to be generated.
    pub name: Cow<'a, str>,
    /// The user who sends the request.
    pub user: Cow<'a, str>,
    /// The object after the request; empty when it is deleted.
    pub object: Object<'a>,
    /// The object before the request, on UPDATE and DELETE.
    pub old: Option<Object<'a>>,
}

/// The operation of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "these are the operations of an admission request"
)]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// The origin of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectSource {
    /// From the API server: the plugin for service accounts has filled the list of a Pod.
    Request,
    /// From a file, as its author wrote it.
    Manifest,
}

/// An object, reduced to the fields on which a verdict depends.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    /// From its metadata.
    pub metadata: Metadata<'a>,
    /// Of a Pod: its spec. Of a workload: that of its template.
    pub pod: Option<PodSpec<'a>>,
    /// Every reference to a Secret by name.
    pub references: Vec<Reference<'a>>,
    /// Of a Secret: its type.
    pub secret_type: Option<Cow<'a, str>>,
    /// Of a docker-type Secret: its content.
    pub content: Option<SecretContent>,
    /// Of a ConfigMap: the value of its key `policy.yaml`.
    pub policy: Option<Cow<'a, str>>,
}

/// Metadata, reduced to the fields on which a verdict depends.
#[derive(Debug, Clone, Default)]
pub struct Metadata<'a> {
    /// The uid, where the API server gave it one.
    pub uid: Option<Cow<'a, str>>,
    /// The name, where there is one.
    pub name: Option<Cow<'a, str>>,
    /// The beginning of a generated name.
    pub generate_name: Option<Cow<'a, str>>,
    /// Whether there are annotations that one can be added to.
    pub annotations: Presence,
    /// How many bytes the keys and values of all annotations have together, at most: escapes are counted as they are
    /// written. 0 where the object is from a manifest.
    pub annotations_length: usize,
    /// The value of `pullgate.dev/injected`.
    pub injected: Option<Cow<'a, str>>,
    /// Whether this is the mirror of a static pod.
    pub is_mirror_pod: bool,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// The controller that owns it.
    pub controller: Option<Owner<'a>>,
}

/// An entry of `metadata.ownerReferences`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Group and version: `apps/v1`, or `v1` of the core group.
    pub api_version: Cow<'a, str>,
    /// The kind as it is written there. Another group may use the word for something else.
    pub kind: Cow<'a, str>,
    /// The name.
    pub name: Cow<'a, str>,
}

impl Owner<'_> {
    /// The kind of the owner, where it is one that is judged.
    #[must_use]
    pub fn judged_kind(&self) -> Kind {
        Kind::of_object(&self.api_version, &self.kind)
    }
}

/// Whether `metadata.annotations` is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// `metadata` is missing.
    #[default]
    NoMetadata,
    /// It is missing or null.
    Absent,
    /// It is there, perhaps empty.
    Present,
}

/// A pod spec, reduced to the fields on which a verdict depends.
#[derive(Debug, Clone, Default)]
pub struct PodSpec<'a> {
    /// The names of `imagePullSecrets` as they are: in order, with empty and doubled ones.
    pub pull_secrets: Vec<Cow<'a, str>>,
    /// The images of init containers, containers, image volumes and ephemeral containers, in this order.
    pub images: Vec<ImageUse<'a>>,
    /// The ServiceAccount, where one is named.
    pub service_account: Option<Cow<'a, str>>,
    /// Whether the annotation `pullgate.dev/inject` of the pod or template is `disabled`.
    pub inject_disabled: bool,
    /// Labels and annotations of the template switch Istio's injection on or off; `None` if they say nothing, and for a
    /// Pod, because its images are final.
    pub istio_injection: Option<bool>,
}

/// An image that a pod uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUse<'a> {
    /// The field.
    pub place: Place,
    /// The reference; never empty.
    pub image: Cow<'a, str>,
}

/// A reference to a Secret by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The field.
    pub place: Place,
    /// The name; never empty.
    pub secret: Cow<'a, str>,
}

/// The list of a pod spec that a container is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "these are the fields of a PodSpec")]
pub enum ContainerList {
    Init,
    Main,
    Ephemeral,
}

/// A field, relative to the pod spec or, for [`Place::MountableSecret`] and the pull secrets of a `ServiceAccount`, to
/// the object. The indices are those of the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// `imagePullSecrets[i].name`, told as `imagePullSecrets[i]`.
    PullSecret(usize),
    /// `secrets[i]` of a `ServiceAccount`.
    MountableSecret(usize),
    /// `containers[i].env[j].valueFrom.secretKeyRef`.
    Env(ContainerList, usize, usize),
    /// `containers[i].envFrom[j].secretRef`.
    EnvFrom(ContainerList, usize, usize),
    /// `volumes[i]` and a field that names one secret: `secret.secretName`, `csi.nodePublishSecretRef`, …
    Volume(usize, &'static str),
    /// `volumes[i].projected.sources[j].secret`.
    Projected(usize, usize),
    /// `containers[i].image`.
    Image(ContainerList, usize),
    /// `volumes[i].image.reference`.
    ImageVolume(usize),
    /// `serviceAccountName`.
    ServiceAccountName,
    /// `metadata.name`.
    Name,
    /// `data[KEY]` of a Secret.
    Data(&'static str),
}

impl PodSpec<'_> {
    /// The ServiceAccount that pods of this spec run as.
    #[must_use]
    pub fn service_account(&self) -> &str {
        self.service_account
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or("default")
    }

    /// The images that are pulled when a pod of this spec starts: all but those of ephemeral containers.
    pub fn pulled_at_start(&self) -> impl Iterator<Item = &ImageUse<'_>> {
        self.images.iter().filter(|used| used.is_pulled_at_start())
    }
}

impl ImageUse<'_> {
    /// Whether the image is pulled when the pod starts, and not when an ephemeral container is added to it.
    #[must_use]
    pub fn is_pulled_at_start(&self) -> bool {
        !matches!(self.place, Place::Image(ContainerList::Ephemeral, _))
    }
}

impl ContainerList {
    fn field(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Main => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PullSecret(i) => write!(f, "imagePullSecrets[{i}]"),
            Self::MountableSecret(i) => write!(f, "secrets[{i}]"),
            Self::Env(list, i, j) => {
                write!(f, "{}[{i}].env[{j}].valueFrom.secretKeyRef", list.field())
            }
            Self::EnvFrom(list, i, j) => write!(f, "{}[{i}].envFrom[{j}].secretRef", list.field()),
            Self::Volume(i, field) => write!(f, "volumes[{i}].{field}"),
            Self::Projected(i, j) => write!(f, "volumes[{i}].projected.sources[{j}].secret"),
            Self::Image(list, i) => write!(f, "{}[{i}].image", list.field()),
            Self::ImageVolume(i) => write!(f, "volumes[{i}].image.reference"),
            Self::ServiceAccountName => f.write_str("serviceAccountName"),
            Self::Name => f.write_str("metadata.name"),
            Self::Data(key) => write!(f, "data[{key:?}]"),
        }
    }
}

impl Subject<'_> {
    /// Its name, by the request or by the object, where it has one.
    #[must_use]
    pub fn own_name(&self) -> Option<&str> {
        let given = Some(&self.name).filter(|name| !name.is_empty());
        given
            .or(self.object.metadata.name.as_ref())
            .map(|name| &**name)
    }

    /// Whether its name does not exist yet, or was made up by the API server for this request.
    fn is_yet_to_be_named(&self) -> bool {
        let is_request = self.source == ObjectSource::Request;
        self.operation == Operation::Create && (is_request || self.own_name().is_none())
    }

    /// Whether its judgement can depend on the namespace.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        !matches!(self.kind, Kind::Other | Kind::ConfigMap) && self.operation != Operation::Delete
    }

    /// Returns whether the object is being deleted. That excuses only the references that it held before: a finalizer
    /// can keep it for as long as its owner likes, and the API server and the kubelet meanwhile use it like any other.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.operation == Operation::Delete || self.object.metadata.is_deleting
    }
}

/// Shows the object as users know it, with names cut to the length that Kubernetes allows: `Deployment payments/api`,
/// `Pod payments/api-5d4f-* (of ReplicaSet api-5d4f)`.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metadata = &self.object.metadata;
        write!(f, "{} {:.MAX_SUBDOMAIN$}/", self.kind, self.namespace)?;
        match (self.own_name(), &metadata.generate_name) {
            (_, Some(prefix)) if self.is_yet_to_be_named() => {
                write!(f, "{prefix:.MAX_SUBDOMAIN$}*")?;
            }
            (Some(name), _) => write!(f, "{name:.MAX_SUBDOMAIN$}")?,
            (None, _) => f.write_str("*")?,
        }
        match &metadata.controller {
            Some(Owner { kind, name, .. }) if self.kind == Kind::Pod => {
                write!(f, " (of {kind:.MAX_SUBDOMAIN$} {name:.MAX_SUBDOMAIN$})")
            }
            _ => Ok(()),
        }
    }
}
