//! The data of a `ControllerRevision`: the patch by which the controller of a `StatefulSet` makes pods of an earlier
//! template.
//!
//! The controller merges the patch into the `StatefulSet` and decodes the result by `encoding/json` (`ApplyRevision` in
//! `pkg/controller/statefulset/stateful_set_utils.go` of Kubernetes 1.37). There, unlike at the API server,
//! `ImagePullSecrets` is `imagePullSecrets`, null is nothing, and a field may come twice. Here the patch is brought
//! into the form of other objects, with only the fields that a judgement depends on.

use super::Text;
use crate::kubelet::golang::json::names_field;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{
    Deserialize, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::fmt;

/// Every field that leads to something that matters of a template.
const FIELDS: [&str; 31] = [
    "azureFile",
    "cephfs",
    "cinder",
    "containers",
    "csi",
    "env",
    "envFrom",
    "ephemeralContainers",
    "flexVolume",
    "image",
    "imagePullSecrets",
    "initContainers",
    "iscsi",
    "name",
    "nodePublishSecretRef",
    "projected",
    "rbd",
    "reference",
    "scaleIO",
    "secret",
    "secretKeyRef",
    "secretName",
    "secretRef",
    "serviceAccount",
    "serviceAccountName",
    "sources",
    "spec",
    "storageos",
    "template",
    "valueFrom",
    "volumes",
];

/// The patch as the controller decodes it. `serde_json::Value` would take eighty times the memory of the text.
pub(super) enum RevisionData<'a> {
    Null,
    /// A number or a boolean: of no field that matters.
    Other,
    Text(Cow<'a, str>),
    List(Vec<RevisionData<'a>>),
    /// The fields that matter, each once.
    Object(Vec<Field<'a>>),
}

/// A field that matters.
pub(super) struct Field<'a> {
    name: &'static str,
    /// The key as it stands in the text.
    key: Cow<'a, str>,
    value: RevisionData<'a>,
}

impl<'a> RevisionData<'a> {
    /// Reads the data of a revision.
    ///
    /// # Errors
    /// The text is not JSON, or is nested deeper than `serde_json` goes.
    pub(super) fn read(json: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

/// Adds a field, of which there are no more than [`FIELDS`], so that looking for it takes no longer in a longer text.
fn add<'a>(fields: &mut Vec<Field<'a>>, field: Field<'a>) {
    match fields.iter_mut().find(|known| known.name == field.name) {
        Some(known) => known.merge(field),
        None if matches!(field.value, RevisionData::Null) => {}
        None => fields.push(field),
    }
}

impl Field<'_> {
    /// Adds the value of another key for the same field. Objects and lists are joined, because Go decodes one into the
    /// other. Of texts the last one counts, by the order of the bytes of the keys, in which Go wrote them.
    fn merge(&mut self, other: Self) {
        match (&mut self.value, other.value) {
            (_, RevisionData::Null) => {}
            (RevisionData::Object(fields), RevisionData::Object(more)) => {
                for field in more {
                    add(fields, field);
                }
            }
            (RevisionData::List(items), RevisionData::List(more)) => items.extend(more),
            (value, other_value) if other.key >= self.key => {
                *value = other_value;
                self.key = other.key;
            }
            _ => {}
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RevisionData<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(RevisionVisitor)
    }
}

struct RevisionVisitor;

impl<'de> Visitor<'de> for RevisionVisitor {
    type Value = RevisionData<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<RevisionData<'de>, E> {
        Ok(RevisionData::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<RevisionData<'de>, E> {
        Ok(RevisionData::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<RevisionData<'de>, E> {
        Ok(RevisionData::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<RevisionData<'de>, E> {
        Ok(RevisionData::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<RevisionData<'de>, E> {
        Ok(RevisionData::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<RevisionData<'de>, E> {
        Ok(RevisionData::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<RevisionData<'de>, E> {
        Ok(RevisionData::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<RevisionData<'de>, S::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if !matches!(item, RevisionData::Null) {
                items.push(item);
            }
        }
        Ok(RevisionData::List(items))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<RevisionData<'de>, M::Error> {
        let mut fields = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            match FIELDS.iter().find(|field| names_field(&name, field)) {
                Some(field) => {
                    let value = map.next_value()?;
                    let (name, key) = (*field, name);
                    add(&mut fields, Field { name, key, value });
                }
                None => map.next_value().map(|IgnoredAny| ())?,
            }
        }
        // Most objects have one field, and a list of them room for four.
        fields.shrink_to_fit();
        Ok(RevisionData::Object(fields))
    }
}

impl<'de> IntoDeserializer<'de, Error> for RevisionData<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for RevisionData<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Other => visitor.visit_bool(false),
            Self::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Self::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Self::List(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter())),
            Self::Object(fields) => {
                let fields = fields.into_iter().map(|field| (field.name, field.value));
                visitor.visit_map(MapDeserializer::new(fields))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            Self::Other | Self::Text(_) | Self::List(_) | Self::Object(_) => {
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct enum identifier ignored_any
    }
}
