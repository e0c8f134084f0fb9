//! The facts that Namespaces and service accounts among manifests give for the other objects.

use super::Manifest;
use crate::facts::{ENFORCE_MOUNTABLE_SECRETS, Facts, Labels, ServiceAccountFacts};
use crate::kubelet::docker_config::Form;
use crate::objects::kind::Kind;
use crate::text::yaml::Node;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The facts that manifests give.
#[derive(PartialEq, Eq)]
enum Fact {
    ServiceAccount(ServiceAccountFacts),
    Labels(Labels),
    /// Of a Secret: its type, where the kubelet ignores it.
    Secret(Option<String>),
}

/// The kind of an object, its namespace or own name if it is a Namespace, and its name in the namespace.
type FactKey = (&'static str, String, Option<String>);

/// Returns the facts that Namespaces and service accounts give for the other objects. If two of the same name differ, as
/// in overlays for several clusters, nothing is known of them.
#[must_use]
pub fn facts<'m>(manifests: impl Iterator<Item = &'m Manifest>, namespace: &str) -> Facts {
    let mut known: BTreeMap<FactKey, Option<Fact>> = BTreeMap::new();
    for (fact, key) in manifests.filter_map(|manifest| manifest.fact(namespace)) {
        match known.entry(key) {
            Entry::Vacant(place) => drop(place.insert(Some(fact))),
            Entry::Occupied(mut place) => {
                if place.get().as_ref() != Some(&fact) {
                    place.insert(None);
                }
            }
        }
    }
    let mut facts = Facts::default();
    for ((_, namespace, name), fact) in known {
        match (name, fact) {
            (Some(name), Some(Fact::ServiceAccount(account))) => {
                facts.set_service_account(&namespace, &name, Some(account));
            }
            (Some(name), Some(Fact::Secret(Some(of_type)))) => {
                facts.set_ignored_secret_type(&namespace, &name, &of_type);
            }
            (None, Some(Fact::Labels(labels))) => {
                facts.set_labels(&namespace, Some(labels));
            }
            _ => {}
        }
    }
    facts
}

impl Manifest {
    /// The fact that a Namespace, `ServiceAccount` or Secret is for other objects.
    fn fact(&self, namespace: &str) -> Option<(Fact, FactKey)> {
        let texts = |of: &str| -> Vec<(String, String)> {
            let map = self
                .node
                .get("metadata")
                .and_then(|metadata| metadata.get(of));
            let text = |node: &Node| node.some_text().map(str::to_owned);
            map.map_or(&[][..], Node::entries)
                .iter()
                .filter_map(|(key, value)| Some((text(key)?, text(value)?)))
                .collect()
        };
        let name = self.name()?.to_owned();
        if self.kind == Kind::ServiceAccount {
            let named =
                |secret: &Node| secret.get("name").and_then(Node::some_text).map(Into::into);
            let secrets = self.node.get("imagePullSecrets");
            let secrets = secrets.map_or(&[][..], Node::items);
            let account = ServiceAccountFacts {
                image_pull_secrets: secrets.iter().filter_map(named).collect(),
                enforce_mountable_secrets: texts("annotations")
                    .iter()
                    .any(|(key, value)| key == ENFORCE_MOUNTABLE_SECRETS && value == "true"),
            };
            let namespace = self.namespace().unwrap_or(namespace).to_owned();
            let key = ("ServiceAccount", namespace, Some(name));
            return Some((Fact::ServiceAccount(account), key));
        }
        if self.is_secret() {
            let of_type = self.secret_type();
            let ignored = Form::of(of_type).is_none().then(|| of_type.to_owned());
            let namespace = self.namespace().unwrap_or(namespace).to_owned();
            return Some((Fact::Secret(ignored), ("Secret", namespace, Some(name))));
        }
        if (&*self.kind_name, &*self.api_version) != ("Namespace", "v1") {
            return None;
        }
        let mut labels = texts("labels");
        // The API server sets it (KEP-2161).
        labels.push(("kubernetes.io/metadata.name".to_owned(), name.clone()));
        let short = |(key, value): (String, String)| (key.into(), value.into());
        let labels = labels.into_iter().map(short).collect();
        Some((Fact::Labels(labels), ("Namespace", name, None)))
    }
}
