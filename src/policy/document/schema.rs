//! The JSON Schema of the policy, generated from the types of the document.

use super::{API_VERSION, At, Document, KIND};
use crate::objects::names::SecretName;
use crate::policy::pattern::ImagePattern;
use crate::text::glob::Glob;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The JSON Schema (draft 07, which editors know best) of the policy.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = SchemaSettings::draft07()
        .with_transform(RecursiveTransform(without_null))
        .into_generator()
        .into_root_schema_for::<Document>();
    schema.insert(
        "$id".to_owned(),
        json!("https://pullgate.dev/schema/v1/pullpolicy.json"),
    );
    schema.to_value()
}

/// A key that may be missing may not be null: the reader asks for a value, or no key.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            only.into_iter()
                .for_each(|(key, value)| drop(schema.insert(key, value)));
        }
    }
}

/// A date as it is written, `2027-01-31`.
pub(super) struct DateText;

/// `true`, which is all that can be said.
pub(super) struct OnlyTrue;

pub(super) fn api_version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": API_VERSION })
}

pub(super) fn kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": KIND })
}

pub(super) fn one_of(keys: &[&str]) -> Value {
    keys.iter()
        .map(|key| json!({ "required": [key] }))
        .collect()
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

macro_rules! leaf_schema {
    ($type:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

leaf_schema!(
    SecretName,
    "SecretName",
    json_schema!({
        "type": "string",
        "maxLength": 253,
        "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    })
);
leaf_schema!(
    Glob,
    "Glob",
    json_schema!({ "type": "string", "maxLength": 253, "pattern": r"^[-a-z0-9.*]+$" })
);
leaf_schema!(
    ImagePattern,
    "ImagePattern",
    json_schema!({ "type": "string", "pattern": r"^[^\s@]+$" })
);
leaf_schema!(
    DateText,
    "Date",
    json_schema!({ "type": "string", "format": "date" })
);
leaf_schema!(OnlyTrue, "OnlyTrue", json_schema!({ "const": true }));
