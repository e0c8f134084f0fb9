//! Values that are not read completely.

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// The name by which a type asks the scanner for the text of a value.
pub(super) const RAW: &str = "pullgate::Raw";

/// The name by which a type asks the scanner for an object that matters only for the objects inside it.
pub(super) const NESTED: &str = "pullgate::Nested";

/// A value as it is written, to be parsed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(pub &'a str);

/// The length of a value in bytes, as it is written. The value is skipped like a [`Raw`] one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawLength(pub(crate) usize);

/// An object that matters only for the objects and arrays inside it. `None` may stand for an object without any; then
/// its fields are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nested<T>(pub Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NestedVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for NestedVisitor<T> {
            type Value = Nested<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<Nested<T>, E> {
                Ok(Nested(None))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Nested<T>, D::Error> {
                T::deserialize(deserializer).map(|value| Nested(Some(value)))
            }
        }
        deserializer.deserialize_newtype_struct(NESTED, NestedVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for RawLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LengthVisitor;
        impl<'de> Visitor<'de> for LengthVisitor {
            type Value = RawLength;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<RawLength, E> {
                Ok(RawLength(text.len()))
            }

            /// `serde_json` gives the text away in its own way, which also works for a `Value`.
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<RawLength, D::Error> {
                <Box<RawValue>>::deserialize(deserializer).map(|raw| RawLength(raw.get().len()))
            }
        }
        deserializer.deserialize_newtype_struct(RAW, LengthVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;
        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Raw<'de>, E> {
                Ok(Raw(text))
            }

            /// `serde_json` gives the text away in its own way.
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Raw<'de>, D::Error> {
                <&RawValue>::deserialize(deserializer).map(|raw| Raw(raw.get()))
            }
        }
        deserializer.deserialize_newtype_struct(RAW, RawVisitor)
    }
}
