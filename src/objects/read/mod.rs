//! Reading the JSON of an object: one function, [`read`], behind which the reading can change without anyone noticing.

mod field;
mod labels;
mod revision;
mod spec;

use crate::kubelet::docker_config::{CONFIG_JSON_KEY, Form};
use crate::objects::kind::Kind;
use crate::objects::subject::{
    INJECT, INJECTED, ISTIO_INJECT, ISTIO_TEMPLATES, MIRROR_POD, Metadata, Object, Owner, Place,
    Presence, Reference,
};
use crate::secrets::credentials::SecretContent;
use crate::text::scan::{self, Raw, RawLength};
use base64::prelude::{BASE64_STANDARD, Engine};
use field::{Named, json, reference};
use labels::TemplateLabels;
use revision::RevisionData;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use spec::Spec;

pub(crate) use field::Text;
use std::borrow::Cow;
use std::fmt;
use zeroize::Zeroizing;

/// Reads the fields on which a verdict depends, from the JSON of an object of this kind.
///
/// # Errors
/// The text is not JSON, or one of these fields has a value of the wrong type.
pub fn read(kind: Kind, json: &str) -> Result<Object<'_>, serde_json::Error> {
    scan::seeded(json, ObjectReader(kind))
}

/// Reads an object of this kind where it stands in other JSON.
#[derive(Clone, Copy)]
pub(crate) struct ObjectReader(pub(crate) Kind);

impl<'de> DeserializeSeed<'de> for ObjectReader {
    type Value = Object<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Object<'de>, D::Error> {
        Ok(match self.0 {
            Kind::Pod => pod(Deserialize::deserialize(json)?),
            Kind::PodTemplate => pod_template(Deserialize::deserialize(json)?),
            Kind::CronJob => cron_job(Deserialize::deserialize(json)?),
            Kind::ControllerRevision => {
                controller_revision(Deserialize::deserialize(json)?).map_err(D::Error::custom)?
            }
            Kind::ServiceAccount => service_account(Deserialize::deserialize(json)?),
            Kind::Secret => secret(Deserialize::deserialize(json)?),
            Kind::ConfigMap => config_map(Deserialize::deserialize(json)?),
            Kind::Other => IgnoredAny::deserialize(json).map(|_| Object::default())?,
            Kind::ReplicationController
            | Kind::ReplicaSet
            | Kind::Deployment
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Job => workload(Deserialize::deserialize(json)?),
        })
    }
}

fn pod(pod: JsonPod<'_>) -> Object<'_> {
    let annotations = pod.metadata.as_ref().and_then(|m| m.annotations.as_ref());
    let inject_disabled = annotations.is_some_and(|annotations| annotations.inject_disabled);
    object(pod.metadata, inject_disabled, pod.spec)
}

fn pod_template(template: JsonPodTemplate<'_>) -> Object<'_> {
    with_template(template.metadata, template.template)
}

fn workload(workload: JsonWorkload<'_>) -> Object<'_> {
    with_template(
        workload.metadata,
        workload.spec.and_then(|spec| spec.template),
    )
}

fn cron_job(cron_job: JsonCronJob<'_>) -> Object<'_> {
    let job = cron_job
        .spec
        .and_then(|spec| spec.job_template)
        .and_then(|template| template.spec);
    with_template(cron_job.metadata, job.and_then(|job| job.template))
}

/// A patch that does not decode to a `StatefulSet` makes no pods: the controllers of other projects keep anything
/// there.
fn controller_revision(revision: JsonRevision<'_>) -> Result<Object<'_>, serde_json::Error> {
    let patch = revision.data.map(|Raw(json)| RevisionData::read(json));
    let patch = patch.transpose()?.map(JsonRevisionPatch::deserialize);
    let spec = patch.and_then(Result::ok).and_then(|patch| patch.spec);
    Ok(with_template(
        revision.metadata,
        spec.and_then(|spec| spec.template),
    ))
}

fn with_template<'a>(
    metadata: Option<JsonMetadata<'a>>,
    template: Option<JsonTemplate<'a>>,
) -> Object<'a> {
    let (own, spec) = template.map_or((None, None), |template| (template.metadata, template.spec));
    let (annotations, labels) = own.map_or((None, None), |own| (own.annotations, own.labels));
    let annotations = annotations.unwrap_or_default();
    let mut object = object(metadata, annotations.inject_disabled, spec);
    if let Some(pod) = &mut object.pod {
        // Istio looks at the label before the annotation of the same name.
        let labels = labels.unwrap_or_default();
        let switch = labels.istio_inject.or(annotations.istio_inject);
        let is_named = labels.has_istio_revision || annotations.has_istio_templates;
        pod.istio_injection = switch.or(is_named.then_some(true));
    }
    object
}

fn service_account(account: JsonServiceAccount<'_>) -> Object<'_> {
    let pull_secrets = named(account.image_pull_secrets, Place::PullSecret);
    let references = pull_secrets
        .chain(named(account.secrets, Place::MountableSecret))
        .collect();
    Object {
        metadata: metadata(account.metadata),
        references,
        ..Object::default()
    }
}

fn secret(secret: JsonSecret<'_>) -> Object<'_> {
    let secret_type = secret.r#type.map(|text| text.0);
    let form = secret_type.as_deref().and_then(Form::of);
    Object {
        metadata: metadata(secret.metadata),
        content: form.and_then(|form| content(form, secret.data?)),
        secret_type,
        ..Object::default()
    }
}

/// The API server gives nothing that is no base64.
fn content(form: Form, data: JsonSecretData<'_>) -> Option<SecretContent> {
    let encoded = match form.key() {
        CONFIG_JSON_KEY => data.config_json?,
        _ => data.config?,
    };
    let mut bytes = Zeroizing::new(Vec::new());
    // In one piece: a growing buffer would leave copies behind.
    bytes.reserve_exact(encoded.0.len());
    BASE64_STANDARD.decode_vec(&*encoded.0, &mut bytes).ok()?;
    SecretContent::new(form, bytes)
}

fn config_map(config_map: JsonConfigMap<'_>) -> Object<'_> {
    let policy = config_map
        .data
        .and_then(|data| data.policy)
        .map(|text| text.0);
    Object {
        metadata: metadata(config_map.metadata),
        policy,
        ..Object::default()
    }
}

/// Returns the references of a list. Its items may be null.
fn named(
    list: List<Option<Named<'_>>>,
    place: fn(usize) -> Place,
) -> impl Iterator<Item = Reference<'_>> {
    let items = list.unwrap_or_default().into_iter().enumerate();
    items.filter_map(move |(i, item)| reference(place(i), item))
}

fn metadata(json: Option<JsonMetadata<'_>>) -> Metadata<'_> {
    let Some(json) = json else {
        return Metadata::default();
    };
    let controller = json.owner_references.and_then(|owners| owners.controller);
    let annotations = json.annotations.as_ref();
    Metadata {
        uid: json.uid.map(|uid| uid.0),
        annotations: if annotations.is_some() {
            Presence::Present
        } else {
            Presence::Absent
        },
        annotations_length: annotations.map_or(0, |annotations| annotations.length),
        is_mirror_pod: annotations.is_some_and(|annotations| annotations.is_mirror_pod),
        injected: json
            .annotations
            .and_then(|annotations| annotations.injected),
        name: json.name.map(|text| text.0).filter(|name| !name.is_empty()),
        generate_name: json
            .generate_name
            .map(|text| text.0)
            .filter(|name| !name.is_empty()),
        is_deleting: json.deletion_timestamp.is_some(),
        controller: controller.map(|owner| Owner {
            api_version: owner.api_version.unwrap_or_default().0,
            kind: owner.kind.unwrap_or_default().0,
            name: owner.name.unwrap_or_default().0,
        }),
    }
}

fn object<'a>(
    json: Option<JsonMetadata<'a>>,
    inject_disabled: bool,
    spec: Option<Spec<'a>>,
) -> Object<'a> {
    let (mut pod, references) =
        spec.map_or((None, Vec::new()), |spec| (Some(spec.pod), spec.references));
    if let Some(pod) = &mut pod {
        pod.inject_disabled = inject_disabled;
    }
    Object {
        metadata: metadata(json),
        pod,
        references,
        ..Object::default()
    }
}

/// The annotations that matter; the others are not kept.
#[derive(Default)]
struct Annotations<'a> {
    inject_disabled: bool,
    is_mirror_pod: bool,
    injected: Option<Cow<'a, str>>,
    istio_inject: Option<bool>,
    has_istio_templates: bool,
    /// See [`Metadata::annotations_length`].
    length: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Annotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnnotationsVisitor;
        impl<'de> Visitor<'de> for AnnotationsVisitor {
            type Value = Annotations<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of annotations")
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> Result<Annotations<'de>, M::Error> {
                let mut annotations = Annotations::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    annotations.length += key.0.len();
                    let known = [INJECT, INJECTED, MIRROR_POD, ISTIO_INJECT, ISTIO_TEMPLATES]
                        .contains(&&*key.0);
                    if !known {
                        annotations.length += map.next_value::<RawLength>()?.0;
                        continue;
                    }
                    let value = map.next_value::<Option<Text<'de>>>()?.unwrap_or_default().0;
                    annotations.length += value.len();
                    match &*key.0 {
                        INJECT => annotations.inject_disabled = value == "disabled",
                        INJECTED => annotations.injected = Some(value),
                        ISTIO_INJECT => annotations.istio_inject = Some(value == "true"),
                        ISTIO_TEMPLATES => annotations.has_istio_templates = !value.is_empty(),
                        _ => annotations.is_mirror_pod = true,
                    }
                }
                Ok(annotations)
            }
        }
        deserializer.deserialize_map(AnnotationsVisitor)
    }
}

/// The owners, of whom only the first matters that is a controller.
struct Owners<'a> {
    controller: Option<JsonOwner<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Owners<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OwnersVisitor;
        impl<'de> Visitor<'de> for OwnersVisitor {
            type Value = Owners<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut owners: S) -> Result<Owners<'de>, S::Error> {
                let mut controller = None;
                while let Some(owner) = owners.next_element::<Option<JsonOwner<'de>>>()? {
                    let owner = owner.filter(|owner| owner.controller == Some(true));
                    controller = controller.or(owner);
                }
                Ok(Owners { controller })
            }
        }
        deserializer.deserialize_seq(OwnersVisitor)
    }
}

/// A timestamp of which only matters that it is there.
struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

type List<T> = Option<Vec<T>>;

json! {
    JsonPod { metadata: JsonMetadata<'a>, spec: Spec<'a>, }
    JsonPodTemplate { metadata: JsonMetadata<'a>, template: JsonTemplate<'a>, }
    JsonTemplate { metadata: JsonTemplateMetadata<'a>, spec: Spec<'a>, }
    JsonWorkload { metadata: JsonMetadata<'a>, spec: JsonWorkloadSpec<'a>, }
    JsonWorkloadSpec { template: JsonTemplate<'a>, }
    JsonCronJob { metadata: JsonMetadata<'a>, spec: JsonCronJobSpec<'a>, }
    JsonCronJobSpec { job_template: JsonJobTemplate<'a>, }
    JsonJobTemplate { spec: JsonWorkloadSpec<'a>, }
    JsonRevision { metadata: JsonMetadata<'a>, data: Raw<'a>, }
    JsonRevisionPatch { spec: JsonWorkloadSpec<'a>, }
    JsonServiceAccount { metadata: JsonMetadata<'a>, image_pull_secrets: Vec<Option<Named<'a>>>, secrets: Vec<Option<Named<'a>>>, }
    JsonSecret { metadata: JsonMetadata<'a>, r#type: Text<'a>, data: JsonSecretData<'a>, }
    JsonConfigMap { metadata: JsonMetadata<'a>, data: JsonPolicyData<'a>, }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonMetadata<'a> {
    #[serde(borrow)]
    uid: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    generate_name: Option<Text<'a>>,
    #[serde(borrow)]
    annotations: Option<Annotations<'a>>,
    deletion_timestamp: Option<Present>,
    #[serde(borrow)]
    owner_references: Option<Owners<'a>>,
}

#[derive(serde::Deserialize)]
struct JsonTemplateMetadata<'a> {
    #[serde(borrow)]
    annotations: Option<Annotations<'a>>,
    labels: Option<TemplateLabels>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonOwner<'a> {
    #[serde(borrow)]
    api_version: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    controller: Option<bool>,
}

#[derive(serde::Deserialize)]
struct JsonSecretData<'a> {
    #[serde(borrow, rename = ".dockerconfigjson")]
    config_json: Option<Text<'a>>,
    #[serde(borrow, rename = ".dockercfg")]
    config: Option<Text<'a>>,
}

#[derive(serde::Deserialize)]
struct JsonPolicyData<'a> {
    #[serde(borrow, rename = "policy.yaml")]
    policy: Option<Text<'a>>,
}
