//! Reads the entries of a document from its tree.

use super::fields::Fields;
use super::reader::DocumentReader;
use super::{
    At, BanEntry, CredentialClause, Document, ExceptionEntry, ExemptEntry, Identity, LabelSelector,
    Mode, NamespaceSelector, Operator, Provision, RegistryEntry, Requirement, Running, Unmatched,
};
use crate::kubelet::image::Image;
use crate::kubelet::mistake::Mistake;
use crate::objects::names;
use crate::objects::names::{POLICY_API_VERSION, POLICY_KIND};
use crate::secrets::account::{AccountClass, Product};
use crate::text::diagnostic::{Diagnostic, Span};
use crate::text::yaml::{self, Node};
use jiff::civil::Date;

/// Reads a document. The faults are in the order of the text. If there is a fault, the document may be incomplete.
#[must_use]
pub fn read(text: &str) -> (Document, Vec<Diagnostic>) {
    let mut reader = DocumentReader::default();
    match yaml::parse(text) {
        Ok(Some(node)) => return read_node(&node),
        Ok(None) => {
            let help =
                format!("begin with `apiVersion: {POLICY_API_VERSION}` and `kind: {POLICY_KIND}`");
            reader.fault(
                "",
                Span {
                    line: 1,
                    column: 1,
                    ..Span::default()
                },
                "the policy is empty".into(),
                Some(help),
            );
        }
        Err(error) => reader.fault("", error.span, error.message, None),
    }
    (Document::default(), reader.diagnostics)
}

/// Reads a document that is a tree already.
#[must_use]
pub fn read_node(node: &Node) -> (Document, Vec<Diagnostic>) {
    let mut reader = DocumentReader::default();
    let document = Document::read(&mut reader, node);
    (document, reader.diagnostics)
}

impl Document {
    fn read(reader: &mut DocumentReader, node: &Node) -> Self {
        let Some(mut fields) = Fields::of(reader, node, "") else {
            return Self::default();
        };
        fields.required(reader, "apiVersion", |r, n, p| {
            r.constant(n, p, POLICY_API_VERSION)
        });
        fields.required(reader, "kind", |r, n, p| r.constant(n, p, POLICY_KIND));
        let registries = fields.optional(reader, "registries", |r, n, p| {
            r.list(n, p, RegistryEntry::read)
        });
        let unmatched = fields.optional(reader, "unmatched", |r, n, p| {
            r.choice(n, p, &Unmatched::ALL.map(|answer| (answer.name(), answer)))
        });
        let bans = fields.optional(reader, "bans", |r, n, p| r.list(n, p, BanEntry::read));
        let exceptions = fields.optional(reader, "exceptions", |r, n, p| {
            r.list(n, p, ExceptionEntry::read)
        });
        let exempt = fields.optional(reader, "exempt", ExemptEntry::read);
        fields.finish(reader);
        Self {
            api_version: (),
            kind: (),
            registries: registries.unwrap_or_default(),
            unmatched: unmatched.unwrap_or_default(),
            bans: bans.unwrap_or_default(),
            exceptions: exceptions.unwrap_or_default(),
            exempt,
        }
    }
}

impl RegistryEntry {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<At<Self>> {
        let mut fields = Fields::of(reader, node, path)?;
        let name = fields.required(reader, "name", DocumentReader::name);
        let images = fields.required(reader, "images", |r, n, p| {
            r.filled_list(n, p, DocumentReader::pattern)
        });
        let secrets = fields.optional(reader, "secrets", |r, n, p| {
            r.filled_list(n, p, DocumentReader::secret)
        });
        let identity = fields.optional(reader, "identity", |r, n, p| {
            r.located(n, p, |r| r.choice(n, p, &[("node", Identity::Node)]))
        });
        let public = fields.optional(reader, "public", |r, n, p| {
            r.located(n, p, |r| r.only_true(n, p))
        });
        let namespaces = fields.optional(reader, "namespaces", NamespaceSelector::read);
        let provision = fields.optional(reader, "provision", Provision::read);
        let product = fields.optional(reader, "product", |r, n, p| {
            r.choice(n, p, &Product::ALL.map(|product| (product.name(), product)))
        });
        fields.exactly_one(reader, &["secrets", "identity", "public"]);
        if provision.is_some() && secrets.is_none() {
            let help = "add `secrets` with the name that the copies get, or remove `provision`";
            reader.fault_at(
                node,
                path,
                "`provision` without `secrets` has nothing to keep present".into(),
                Some(help.into()),
            );
        }
        let span = fields.finish(reader);
        let value = Self {
            name: name.unwrap_or_else(|| At {
                value: path.to_owned(),
                path: path.to_owned(),
                span,
            }),
            images: images.unwrap_or_default(),
            secrets,
            identity,
            public,
            namespaces,
            provision,
            product,
        };
        Some(At {
            value,
            path: path.to_owned(),
            span,
        })
    }
}

impl Provision {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<Self> {
        let mut fields = Fields::of(reader, node, path)?;
        let from = fields.required(reader, "from", |r, n, p| {
            r.parsed(n, p, |text| match text.split_once('/') {
                Some((namespace, name))
                    if names::is_label(namespace) && names::is_subdomain(name) =>
                {
                    Ok(text.to_owned())
                }
                _ => Err((
                    format!("{text:?} is not the `NAMESPACE/NAME` of a Secret"),
                    None,
                )),
            })
        });
        let verify = fields.optional(reader, "verify", |r, n, p| {
            r.parsed(n, p, |text| match Image::parse(text) {
                Ok(_) => Ok(text.to_owned()),
                Err(error) => {
                    let Mistake { what, meant } = Mistake::of(text, &error);
                    let help = meant.map(|meant| format!("did you mean `{meant}`?"));
                    Err((
                        format!("{text:?} is not a valid image reference: {what}"),
                        help,
                    ))
                }
            })
        });
        fields.finish(reader);
        Some(Self {
            from: from?,
            verify,
        })
    }
}

impl BanEntry {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<At<Self>> {
        let mut fields = Fields::of(reader, node, path)?;
        let name = fields.required(reader, "name", DocumentReader::name);
        let secrets = fields.optional(reader, "secrets", |r, n, p| {
            r.filled_list(n, p, DocumentReader::secret_glob)
        });
        let credentials = fields.optional(reader, "credentials", CredentialClause::read);
        let [reason, contact, docs] = ["reason", "contact", "docs"]
            .map(|key| fields.optional(reader, key, DocumentReader::words));
        let instead = fields.optional(reader, "instead", DocumentReader::secret);
        let mode = fields.optional(reader, "mode", |r, n, p| {
            r.choice(n, p, &Mode::ALL.map(|mode| (mode.name(), mode)))
        });
        let running = fields.optional(reader, "running", |r, n, p| {
            r.choice(n, p, &Running::ALL.map(|answer| (answer.name(), answer)))
        });
        fields.exactly_one(reader, &["secrets", "credentials"]);
        let span = fields.finish(reader);
        let value = Self {
            name: name.unwrap_or_else(|| At {
                value: path.to_owned(),
                path: path.to_owned(),
                span,
            }),
            secrets,
            credentials,
            reason,
            instead,
            contact,
            docs,
            mode: mode.unwrap_or_default(),
            running: running.unwrap_or_default(),
        };
        Some(At {
            value,
            path: path.to_owned(),
            span,
        })
    }
}

impl CredentialClause {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<Self> {
        let classes = AccountClass::ALL.map(|class| (class.name(), class));
        let mut fields = Fields::of(reader, node, path)?;
        let class = fields.optional(reader, "class", |r, n, p| {
            r.filled_list(n, p, |r, n, p| r.choice(n, p, &classes))
        });
        let shared_across_namespaces =
            fields.optional(reader, "sharedAcrossNamespaces", DocumentReader::count);
        fields.at_least_one(&["class", "sharedAcrossNamespaces"]);
        fields.finish(reader);
        Some(Self {
            class,
            shared_across_namespaces,
        })
    }
}

impl ExceptionEntry {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<At<Self>> {
        let mut fields = Fields::of(reader, node, path)?;
        let bans = fields.optional(reader, "bans", |r, n, p| {
            r.filled_list(n, p, DocumentReader::name)
        });
        let unmatched = fields.optional(reader, "unmatched", DocumentReader::only_true);
        let namespaces = fields.required(reader, "namespaces", NamespaceSelector::read);
        let owner = fields.required(reader, "owner", DocumentReader::words);
        let reason = fields.required(reader, "reason", DocumentReader::words);
        let expires = fields.required(reader, "expires", DocumentReader::date);
        fields.at_least_one(&["bans", "unmatched"]);
        let span = fields.finish(reader);
        let value = Self {
            bans,
            unmatched,
            namespaces: namespaces.unwrap_or(NamespaceSelector {
                names: None,
                labels: None,
            }),
            owner: owner.unwrap_or_default(),
            reason: reason.unwrap_or_default(),
            expires: expires.unwrap_or(At {
                value: Date::MAX,
                path: path.to_owned(),
                span,
            }),
        };
        Some(At {
            value,
            path: path.to_owned(),
            span,
        })
    }
}

impl ExemptEntry {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<At<Self>> {
        let mut fields = Fields::of(reader, node, path)?;
        let namespaces = fields.required(reader, "namespaces", NamespaceSelector::read);
        let span = fields.finish(reader);
        Some(At {
            value: Self {
                namespaces: namespaces?,
            },
            path: path.to_owned(),
            span,
        })
    }
}

impl NamespaceSelector {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<Self> {
        let mut fields = Fields::of(reader, node, path)?;
        let names = fields.optional(reader, "names", |r, n, p| {
            r.filled_list(n, p, DocumentReader::namespace_glob)
        });
        let labels = fields.optional(reader, "labels", LabelSelector::read);
        fields.at_least_one(&["names", "labels"]);
        fields.finish(reader);
        Some(Self { names, labels })
    }
}

impl LabelSelector {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<Self> {
        let mut fields = Fields::of(reader, node, path)?;
        let match_labels = fields.optional(reader, "matchLabels", DocumentReader::labels);
        let match_expressions = fields.optional(reader, "matchExpressions", |r, n, p| {
            r.filled_list(n, p, Requirement::read)
        });
        fields.at_least_one(&["matchLabels", "matchExpressions"]);
        fields.finish(reader);
        Some(Self {
            match_labels: match_labels.unwrap_or_default(),
            match_expressions: match_expressions.unwrap_or_default(),
        })
    }
}

impl Requirement {
    fn read(reader: &mut DocumentReader, node: &Node, path: &str) -> Option<Self> {
        const OPERATORS: [(&str, Operator); 4] = [
            ("In", Operator::In),
            ("NotIn", Operator::NotIn),
            ("Exists", Operator::Exists),
            ("DoesNotExist", Operator::DoesNotExist),
        ];
        let mut fields = Fields::of(reader, node, path)?;
        let key = fields.required(reader, "key", DocumentReader::label_key);
        let operator = fields.required(reader, "operator", |r, n, p| r.choice(n, p, &OPERATORS));
        let values = fields.optional(reader, "values", |r, n, p| {
            r.list(n, p, DocumentReader::label_value)
        });
        fields.finish(reader);
        let wants_values = matches!(operator?, Operator::In | Operator::NotIn);
        let has_values = values.as_ref().is_some_and(|values| !values.is_empty());
        if wants_values != has_values {
            let verb = if wants_values { "needs" } else { "takes no" };
            reader.fault_at(
                node,
                path,
                format!("the operator `{:?}` {verb} `values`", operator?),
                None,
            );
        }
        Some(Self {
            key: key?,
            operator: operator?,
            values: values.unwrap_or_default(),
        })
    }
}
