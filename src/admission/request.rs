//! The `request` of an AdmissionReview.
//!
//! The API server sends the kind of an object before the object, so the object can be parsed in place. In any other
//! order, the object is kept as text until the kind is known.

use crate::objects::kind::Kind;
use crate::objects::read::{self, ObjectReader, Text};
use crate::objects::subject::Object;
use crate::text::scan::Raw;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// The declared fields.
pub(super) struct Request<'a> {
    pub(super) uid: Option<Text<'a>>,
    pub(super) kind: Kind,
    pub(super) name: Option<Text<'a>>,
    pub(super) namespace: Option<Text<'a>>,
    pub(super) operation: Text<'a>,
    pub(super) user: Option<Text<'a>>,
    pub(super) object: RequestContent<'a>,
    pub(super) old_object: RequestContent<'a>,
    pub(super) dry_run: bool,
}

/// The state of `object` or `oldObject`.
#[expect(
    clippy::large_enum_variant,
    reason = "there are two of them a review, and a box would be one more allocation"
)]
pub(super) enum RequestContent<'a> {
    Absent,
    Read(Object<'a>),
    /// The kind was not known yet.
    Later(Raw<'a>),
}

/// The fields as they arrive: each at most once, and perhaps null.
#[derive(Default)]
struct RequestFields<'a> {
    uid: Once<Option<Text<'a>>>,
    kind: Once<Option<GroupKind<'a>>>,
    name: Once<Option<Text<'a>>>,
    namespace: Once<Option<Text<'a>>>,
    operation: Once<Text<'a>>,
    user_info: Once<Option<UserInfo<'a>>>,
    object: Once<RequestContent<'a>>,
    old_object: Once<RequestContent<'a>>,
    dry_run: Once<Option<bool>>,
}

type Once<T> = Option<T>;

#[derive(Deserialize)]
struct GroupKind<'a> {
    #[serde(borrow)]
    group: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct UserInfo<'a> {
    #[serde(borrow)]
    username: Option<Text<'a>>,
}

impl<'a> RequestContent<'a> {
    /// Returns the object, if there is one.
    pub(super) fn read(self, kind: Kind) -> Result<Option<Object<'a>>, serde_json::Error> {
        match self {
            Self::Absent => Ok(None),
            Self::Read(object) => Ok(Some(object)),
            Self::Later(json) => read::read(kind, json.0).map(Some),
        }
    }
}

impl<'a> RequestFields<'a> {
    fn add<M: MapAccess<'a>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        let kind = self.kind.as_ref().map(|kind| GroupKind::of(kind.as_ref()));
        match key {
            "uid" => once(&mut self.uid, "uid", || map.next_value()),
            "kind" => once(&mut self.kind, "kind", || map.next_value()),
            "name" => once(&mut self.name, "name", || map.next_value()),
            "namespace" => once(&mut self.namespace, "namespace", || map.next_value()),
            "operation" => once(&mut self.operation, "operation", || map.next_value()),
            "userInfo" => once(&mut self.user_info, "userInfo", || map.next_value()),
            "dryRun" => once(&mut self.dry_run, "dryRun", || map.next_value()),
            "object" => once(&mut self.object, "object", || map.next_value_seed(Of(kind))),
            "oldObject" => once(&mut self.old_object, "oldObject", || {
                map.next_value_seed(Of(kind))
            }),
            _ => map.next_value().map(|IgnoredAny| ()),
        }
    }
}

fn once<T, E: Error>(
    field: &mut Once<T>,
    name: &'static str,
    value: impl FnOnce() -> Result<T, E>,
) -> Result<(), E> {
    if field.is_some() {
        return Err(E::duplicate_field(name));
    }
    *field = Some(value()?);
    Ok(())
}

impl GroupKind<'_> {
    fn of(known: Option<&Self>) -> Kind {
        let Some(Self { group, kind }) = known else {
            return Kind::Other;
        };
        let [group, kind] = [group, kind].map(|text| text.as_ref().map_or("", |text| &*text.0));
        Kind::of(group, kind)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Request<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = Request<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Request<'de>, M::Error> {
        let mut fields = RequestFields::default();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            fields.add(&key.0, &mut map)?;
        }
        Ok(Request {
            kind: GroupKind::of(fields.kind.flatten().as_ref()),
            uid: fields.uid.flatten(),
            name: fields.name.flatten(),
            namespace: fields.namespace.flatten(),
            operation: fields
                .operation
                .ok_or(M::Error::missing_field("operation"))?,
            user: fields.user_info.flatten().and_then(|user| user.username),
            object: fields.object.unwrap_or(RequestContent::Absent),
            old_object: fields.old_object.unwrap_or(RequestContent::Absent),
            dry_run: fields.dry_run.flatten().unwrap_or_default(),
        })
    }
}

/// An object of this kind, or null.
struct Of(Option<Kind>);

impl<'de> DeserializeSeed<'de> for Of {
    type Value = RequestContent<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<RequestContent<'de>, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Of {
    type Value = RequestContent<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E>(self) -> Result<RequestContent<'de>, E> {
        Ok(RequestContent::Absent)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<RequestContent<'de>, D::Error> {
        match self.0 {
            Some(kind) => {
                let object = ObjectReader(kind).deserialize(json)?;
                Ok(RequestContent::Read(object))
            }
            None => Raw::deserialize(json).map(RequestContent::Later),
        }
    }
}
