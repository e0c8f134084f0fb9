//! Single fields: a text, a reference to a Secret, and structs that skip the rest.

use crate::objects::subject::{Place, Reference};
use serde::de::{Deserialize, Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Declares structs of which every field may be missing or null, and the rest of the JSON is skipped.
macro_rules! json {
    ($($name:ident { $($field:ident: $type:ty,)* })*) => {$(
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct $name<'a> {
            $(#[serde(borrow)] $field: Option<$type>,)*
        }
    )*};
}
pub(super) use json;

/// `secretRef`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretRef<'a> {
    #[serde(borrow)]
    pub(super) secret_ref: Option<Named<'a>>,
}

/// `secretName`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretNamed<'a> {
    #[serde(borrow)]
    pub(super) secret_name: Option<Text<'a>>,
}

/// An object reference by `name`.
#[derive(serde::Deserialize)]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
}

/// A text, borrowed where it has no escapes. (`Option<Cow<str>>` would always be copied: serde borrows only a `Cow`
/// that is a field itself.)
#[derive(Default)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

pub(super) fn reference(place: Place, named: Option<Named<'_>>) -> Option<Reference<'_>> {
    let secret = named?.name?.0;
    (!secret.is_empty()).then_some(Reference { place, secret })
}
