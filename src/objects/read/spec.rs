//! A pod spec. Each value that a verdict depends on is stored as soon as it is read, because most of a spec are lists
//! of which nearly nothing is kept.

use super::field::{Named, SecretNamed, SecretRef, Text, json, reference};
use crate::objects::subject::{ContainerList, ImageUse, Place, PodSpec, Reference};
use crate::text::scan::Nested;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;
use std::marker::PhantomData;

/// The fields of a pod spec on which a verdict depends.
#[derive(Default)]
pub(super) struct Spec<'a> {
    pub(super) pod: PodSpec<'a>,
    pub(super) references: Vec<Reference<'a>>,
    /// The old name of the field; the API server fills in the new one.
    service_account: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Spec<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let mut spec = Spec::default();
        ObjectSeed(&mut spec).deserialize(json)?;
        spec.references.sort_by_key(|used| order(used.place));
        spec.pod.images.sort_by_key(|used| order(used.place));
        let name = &mut spec.pod.service_account;
        if name.as_ref().is_none_or(|name| name.is_empty()) {
            *name = spec.service_account.take().map(|text| text.0);
        }
        Ok(spec)
    }
}

/// The order in which fields are reported. It does not depend on their order in the JSON.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FieldOrder {
    /// The list of the pod spec.
    list: u8,
    item: usize,
    /// Whether the field comes after its simpler siblings of the same item: `envFrom` after `env`.
    is_later: bool,
    inner: usize,
}

fn order(place: Place) -> FieldOrder {
    let list = |list| match list {
        ContainerList::Init => 1,
        ContainerList::Main => 2,
        ContainerList::Ephemeral => 4,
    };
    let (list, item) = match place {
        Place::Image(of, i) | Place::Env(of, i, _) | Place::EnvFrom(of, i, _) => (list(of), i),
        Place::Volume(i, _) | Place::ImageVolume(i) | Place::Projected(i, _) => (3, i),
        Place::PullSecret(i) | Place::MountableSecret(i) => (0, i),
        Place::ServiceAccountName | Place::Name | Place::Data(_) => (0, 0),
    };
    let inner = match place {
        Place::Env(_, _, j) | Place::EnvFrom(_, _, j) | Place::Projected(_, j) => j,
        Place::Image(..)
        | Place::Volume(..)
        | Place::ImageVolume(_)
        | Place::PullSecret(_)
        | Place::MountableSecret(_)
        | Place::ServiceAccountName
        | Place::Name
        | Place::Data(_) => 0,
    };
    FieldOrder {
        list,
        item,
        is_later: matches!(place, Place::EnvFrom(..) | Place::Projected(..)),
        inner,
    }
}

impl<'a> Spec<'a> {
    fn refer(&mut self, place: Place, named: Option<Named<'a>>) {
        self.references.extend(reference(place, named));
    }

    fn image(&mut self, place: Place, image: Option<Text<'a>>) {
        let image = image.map(|text| text.0).filter(|image| !image.is_empty());
        let used = image.map(|image| ImageUse { place, image });
        self.pod.images.extend(used);
    }
}

/// Where the fields of an object go, one by one.
trait FieldSink<'de> {
    fn field<M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error>;
}

/// Where the items of a list go, one by one. An item may be null: the API server makes an empty object of it.
trait ItemSink<'de> {
    fn item<D: Deserializer<'de>>(&mut self, index: usize, json: D) -> Result<(), D::Error>;
}

impl<'de: 'a, 'a> FieldSink<'de> for &mut Spec<'a> {
    fn field<M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        match key {
            "imagePullSecrets" => map.next_value_seed(list(each(|i, named: Option<Named<'a>>| {
                let secret = named.and_then(|named| named.name).unwrap_or_default().0;
                let name = Some(Text(secret.clone()));
                self.pod.pull_secrets.push(secret);
                self.refer(Place::PullSecret(i), Some(Named { name }));
            }))),
            "initContainers" => map.next_value_seed(list(Containers(ContainerList::Init, self))),
            "containers" => map.next_value_seed(list(Containers(ContainerList::Main, self))),
            "ephemeralContainers" => {
                map.next_value_seed(list(Containers(ContainerList::Ephemeral, self)))
            }
            "volumes" => map.next_value_seed(list(Volumes(self))),
            "serviceAccountName" => {
                let name: Option<Text<'a>> = map.next_value()?;
                self.pod.service_account = name.map(|text| text.0);
                Ok(())
            }
            "serviceAccount" => {
                self.service_account = map.next_value()?;
                Ok(())
            }
            _ => skip(map),
        }
    }
}

/// The containers of a list.
struct Containers<'s, 'a>(ContainerList, &'s mut Spec<'a>);

/// A container of a list.
struct Container<'s, 'a>(ContainerList, usize, &'s mut Spec<'a>);

impl<'de: 'a, 'a> ItemSink<'de> for Containers<'_, 'a> {
    fn item<D: Deserializer<'de>>(&mut self, i: usize, json: D) -> Result<(), D::Error> {
        Nullable(ObjectSeed(Container(self.0, i, self.1))).deserialize(json)
    }
}

impl<'de: 'a, 'a> FieldSink<'de> for Container<'_, 'a> {
    fn field<M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        let Self(of, i, spec) = self;
        match key {
            "image" => {
                let image = map.next_value()?;
                spec.image(Place::Image(*of, *i), image);
                Ok(())
            }
            "env" => map.next_value_seed(list(each(|j, env: Option<Nested<Env<'a>>>| {
                let env = env.and_then(|Nested(env)| env);
                let from = env.and_then(|env| env.value_from);
                let secret = from.and_then(|from| from.secret_key_ref);
                spec.refer(Place::Env(*of, *i, j), secret);
            }))),
            "envFrom" => map.next_value_seed(list(each(|j, from: Option<SecretRef<'a>>| {
                let secret = from.and_then(|from| from.secret_ref);
                spec.refer(Place::EnvFrom(*of, *i, j), secret);
            }))),
            _ => skip(map),
        }
    }
}

/// The volumes.
struct Volumes<'s, 'a>(&'s mut Spec<'a>);

/// A volume.
struct Volume<'s, 'a>(usize, &'s mut Spec<'a>);

impl<'de: 'a, 'a> ItemSink<'de> for Volumes<'_, 'a> {
    fn item<D: Deserializer<'de>>(&mut self, i: usize, json: D) -> Result<(), D::Error> {
        Nullable(ObjectSeed(Volume(i, self.0))).deserialize(json)
    }
}

impl<'de: 'a, 'a> FieldSink<'de> for Volume<'_, 'a> {
    fn field<M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        let Self(i, spec) = self;
        let (field, named) = match key {
            "secret" => ("secret.secretName", secret_name(map)?),
            "azureFile" => ("azureFile.secretName", secret_name(map)?),
            "flexVolume" => ("flexVolume.secretRef", secret_ref(map)?),
            "cephfs" => ("cephfs.secretRef", secret_ref(map)?),
            "cinder" => ("cinder.secretRef", secret_ref(map)?),
            "rbd" => ("rbd.secretRef", secret_ref(map)?),
            "iscsi" => ("iscsi.secretRef", secret_ref(map)?),
            "scaleIO" => ("scaleIO.secretRef", secret_ref(map)?),
            "storageos" => ("storageos.secretRef", secret_ref(map)?),
            "csi" => {
                let csi: Option<Csi<'a>> = map.next_value()?;
                let publish = csi.and_then(|csi| csi.node_publish_secret_ref);
                ("csi.nodePublishSecretRef", publish)
            }
            "image" => {
                let image: Option<ImageVolume<'a>> = map.next_value()?;
                spec.image(
                    Place::ImageVolume(*i),
                    image.and_then(|image| image.reference),
                );
                return Ok(());
            }
            "projected" => return map.next_value_seed(Nullable(ObjectSeed(Projected(*i, spec)))),
            _ => return skip(map),
        };
        spec.refer(Place::Volume(*i, field), named);
        Ok(())
    }
}

/// The sources of a projected volume.
struct Projected<'s, 'a>(usize, &'s mut Spec<'a>);

impl<'de: 'a, 'a> FieldSink<'de> for Projected<'_, 'a> {
    fn field<M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        let Self(i, spec) = self;
        match key {
            "sources" => map.next_value_seed(list(each(|j, source: Option<Source<'a>>| {
                let secret = source.and_then(|source| source.secret);
                spec.refer(Place::Projected(*i, j), secret);
            }))),
            _ => skip(map),
        }
    }
}

fn secret_name<'de: 'a, 'a, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Named<'a>>, M::Error> {
    let source: Option<SecretNamed<'a>> = map.next_value()?;
    Ok(source.map(|source| Named {
        name: source.secret_name,
    }))
}

fn secret_ref<'de: 'a, 'a, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Named<'a>>, M::Error> {
    let source: Option<SecretRef<'a>> = map.next_value()?;
    Ok(source.and_then(|source| source.secret_ref))
}

fn skip<'de, M: MapAccess<'de>>(map: &mut M) -> Result<(), M::Error> {
    map.next_value().map(|IgnoredAny| ())
}

json! {
    Env { value_from: ValueFrom<'a>, }
    ValueFrom { secret_key_ref: Named<'a>, }
    Source { secret: Named<'a>, }
    Csi { node_publish_secret_ref: Named<'a>, }
    ImageVolume { reference: Text<'a>, }
}

/// An object; a function takes its fields.
struct ObjectSeed<F>(F);

impl<'de, F: FieldSink<'de>> DeserializeSeed<'de> for ObjectSeed<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, F: FieldSink<'de>> Visitor<'de> for ObjectSeed<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            self.0.field(&key.0, &mut map)?;
        }
        Ok(())
    }
}

/// A list; a function takes its items.
struct ListSeed<I>(I);

/// A list, or null.
fn list<I>(items: I) -> Nullable<ListSeed<I>> {
    Nullable(ListSeed(items))
}

impl<'de, I: ItemSink<'de>> DeserializeSeed<'de> for ListSeed<I> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, I: ItemSink<'de>> Visitor<'de> for ListSeed<I> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<S: SeqAccess<'de>>(mut self, mut items: S) -> Result<(), S::Error> {
        let mut index = 0;
        while items
            .next_element_seed(ItemSeed(index, &mut self.0))?
            .is_some()
        {
            index += 1;
        }
        Ok(())
    }
}

/// An item of a list.
struct ItemSeed<'i, I>(usize, &'i mut I);

impl<'de, I: ItemSink<'de>> DeserializeSeed<'de> for ItemSeed<'_, I> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        self.1.item(self.0, json)
    }
}

/// Items that are read whole.
struct Each<T, F>(F, PhantomData<T>);

fn each<T, F: FnMut(usize, T)>(take: F) -> Each<T, F> {
    Each(take, PhantomData)
}

impl<'de, T: Deserialize<'de>, F: FnMut(usize, T)> ItemSink<'de> for Each<T, F> {
    fn item<D: Deserializer<'de>>(&mut self, index: usize, json: D) -> Result<(), D::Error> {
        (self.0)(index, T::deserialize(json)?);
        Ok(())
    }
}

/// Something that may be null.
struct Nullable<S>(S);

impl<'de, S: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for Nullable<S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> Visitor<'de> for Nullable<S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        self.0.deserialize(json)
    }
}
