//! The JSON Schemas of single values.

use crate::objects::names::{POLICY_API_VERSION, POLICY_KIND, SecretName};
use crate::policy::pattern::ImagePattern;
use crate::text::glob::Glob;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::borrow::Cow;

/// A date as it is written, `2027-01-31`.
pub(super) struct DateText;

/// The value `true`, which is the only one allowed.
pub(super) struct OnlyTrue;

pub(super) fn api_version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": POLICY_API_VERSION })
}

pub(super) fn kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": POLICY_KIND })
}

pub(super) fn one_of(keys: &[&str]) -> Value {
    keys.iter()
        .map(|key| json!({ "required": [key] }))
        .collect()
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
