//! The labels of the template of a workload.

use super::field::Text;
use crate::objects::subject::{ISTIO_INJECT, ISTIO_REVISION};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// The labels of a template that matter; the others are not kept.
#[derive(Default)]
pub(super) struct TemplateLabels {
    /// Whether Istio injects into the pods; `None` where no label says.
    pub(super) istio_inject: Option<bool>,
    /// Whether a revision of Istio is named.
    pub(super) has_istio_revision: bool,
}

impl<'de> Deserialize<'de> for TemplateLabels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LabelsVisitor;
        impl<'de> Visitor<'de> for LabelsVisitor {
            type Value = TemplateLabels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of labels")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<TemplateLabels, M::Error> {
                let mut labels = TemplateLabels::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key.0 {
                        ISTIO_INJECT => {
                            let value = map.next_value::<Option<Text<'de>>>()?;
                            labels.istio_inject = value.map(|value| value.0 == "true");
                        }
                        ISTIO_REVISION => {
                            labels.has_istio_revision =
                                map.next_value::<Option<Text<'de>>>()?.is_some();
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(labels)
            }
        }
        deserializer.deserialize_map(LabelsVisitor)
    }
}
