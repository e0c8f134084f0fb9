//! Kinds of other projects for which a controller makes Secrets: each is defined here once.
//!
//! Pullgate does not ask the cluster that a manifest is meant for: it knows a kind by its group and name, and reads the
//! fields that its project documents.

use super::manifest::Manifest;
use crate::text::diagnostic::Span;
use crate::text::yaml::{Node, Value};

/// A kind, and the place of a Secret that is made for an object of it. A kind that names Secrets in two places has two
/// entries.
struct SecretMaker {
    group: &'static str,
    kind: &'static str,
    /// The mapping that describes the Secret, or a list of them; empty for the object itself.
    at: &'static str,
    /// The path of the Secret's name, in that mapping.
    name: &'static str,
    /// The path of the name to use if it is missing there, from the root of the object.
    or_name: &'static [&'static str],
    /// The path of the Secret's type, in that mapping.
    secret_type: &'static str,
}

/// The name of the object, which most kinds give to their Secret.
const OWN_NAME: &str = "metadata.name";

const MAKERS: &[SecretMaker] = &[
    SecretMaker {
        group: "external-secrets.io",
        kind: "ExternalSecret",
        at: "spec.target",
        name: "name",
        or_name: &[OWN_NAME],
        secret_type: "template.type",
    },
    SecretMaker {
        group: "external-secrets.io",
        kind: "ClusterExternalSecret",
        at: "spec.externalSecretSpec.target",
        name: "name",
        or_name: &["spec.externalSecretName", OWN_NAME],
        secret_type: "template.type",
    },
    // The controller takes the name of the object, even if the template has another one.
    SecretMaker {
        group: "bitnami.com",
        kind: "SealedSecret",
        at: "spec.template",
        name: "",
        or_name: &[OWN_NAME],
        secret_type: "type",
    },
    SecretMaker::vault("VaultStaticSecret"),
    SecretMaker::vault("VaultDynamicSecret"),
    SecretMaker {
        group: "onepassword.com",
        kind: "OnePasswordItem",
        at: "",
        name: "",
        or_name: &[OWN_NAME],
        secret_type: "type",
    },
    SecretMaker {
        group: "isindir.github.com",
        kind: "SopsSecret",
        at: "spec.secretTemplates",
        name: "name",
        or_name: &[],
        secret_type: "type",
    },
    SecretMaker {
        group: "secrets-store.csi.x-k8s.io",
        kind: "SecretProviderClass",
        at: "spec.secretObjects",
        name: "secretName",
        or_name: &[],
        secret_type: "type",
    },
    SecretMaker::infisical("spec.managedSecretReference"),
    SecretMaker::infisical("spec.managedKubeSecretReferences"),
];

/// A Secret that a controller would make for a manifest.
#[derive(Debug)]
pub struct MadeSecret<'m> {
    /// The kind of the manifest.
    pub kind: &'static str,
    /// The name of the Secret.
    pub name: &'m str,
    /// The type of the Secret.
    pub secret_type: &'m str,
    /// The path of the field that names the Secret.
    pub field: String,
    /// The place of that field.
    pub span: Span,
}

/// Returns whether a manifest is of a kind for which a controller makes Secrets.
#[must_use]
pub fn is_maker(manifest: &Manifest) -> bool {
    makers_of(manifest).next().is_some()
}

/// Returns the Secrets that a controller would make for a manifest, if the manifest gives their name and type. A Secret
/// without a type would be `Opaque`, which the kubelet does not use for pulls.
#[must_use]
pub fn made_by(manifest: &Manifest) -> Vec<MadeSecret<'_>> {
    makers_of(manifest)
        .flat_map(|maker| maker.secrets(manifest.node()))
        .collect()
}

fn makers_of(manifest: &Manifest) -> impl Iterator<Item = &'static SecretMaker> {
    let group = manifest.api_version().split_once('/');
    let (group, kind) = (group.map(|(group, _)| group), manifest.kind_name());
    let is_it = move |maker: &&SecretMaker| Some(maker.group) == group && maker.kind == kind;
    MAKERS.iter().filter(is_it)
}

impl SecretMaker {
    const fn vault(kind: &'static str) -> Self {
        Self {
            group: "secrets.hashicorp.com",
            kind,
            at: "spec.destination",
            name: "name",
            or_name: &[],
            secret_type: "type",
        }
    }

    const fn infisical(at: &'static str) -> Self {
        Self {
            group: "secrets.infisical.com",
            kind: "InfisicalSecret",
            at,
            name: "secretName",
            or_name: &[],
            secret_type: "secretType",
        }
    }

    fn secrets<'m>(&self, object: &'m Node) -> Vec<MadeSecret<'m>> {
        let Some(at) = at(object, self.at) else {
            return Vec::new();
        };
        match &at.value {
            Value::Sequence(items) => {
                let items = items.iter().enumerate();
                let made = |(i, item)| self.secret(object, item, &format!("{}[{i}]", self.at));
                items.filter_map(made).collect()
            }
            Value::Mapping(_) => self.secret(object, at, self.at).into_iter().collect(),
            Value::Scalar { .. } => Vec::new(),
        }
    }

    fn secret<'m>(&self, object: &'m Node, node: &'m Node, path: &str) -> Option<MadeSecret<'m>> {
        let text = |node: &'m Node, path: &str| {
            let found = at(node, path)?;
            let text = found.some_text().filter(|text| !text.is_empty())?;
            Some((text, found.span))
        };
        let (secret_type, _) = text(node, self.secret_type)?;
        let own = (!self.name.is_empty())
            .then(|| text(node, self.name))
            .flatten()
            .map(|found| (found, format!("{path}.{}", self.name)));
        let other = || {
            let mut paths = self.or_name.iter();
            paths.find_map(|path| Some((text(object, path)?, (*path).to_owned())))
        };
        let ((name, span), field) = own.or_else(other)?;
        Some(MadeSecret {
            kind: self.kind,
            name,
            secret_type,
            field,
            span,
        })
    }
}

/// Returns the node at a path of keys; an empty path is the node itself.
fn at<'m>(node: &'m Node, path: &str) -> Option<&'m Node> {
    let mut keys = path.split('.').filter(|key| !key.is_empty());
    keys.try_fold(node, |node, key| node.get(key))
}
