//! Manifests: objects as files hold them, each value with its place.

mod facts;
mod json;
mod patch;
mod secrets;
mod texts;

use crate::objects::kind::Kind;
use crate::objects::names::POLICY_KIND;
use crate::objects::read;
use crate::objects::subject::{Object, ObjectSource, Operation, Place, Subject};
use crate::secrets::credentials::SecretContent;
use crate::text::diagnostic::{Diagnostic, Severity, Span};
use crate::text::excerpt::clean;
use crate::text::yaml::{self, Node, YamlError};
use json::{Writer, path_to};

pub use facts::facts;
pub use secrets::{CredentialsError, NoBase64};

/// The objects of a text, and its faults.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Its objects, those in lists too.
    pub objects: Vec<Manifest>,
    /// How many documents are not objects of Kubernetes, or patches that delete one.
    pub others: usize,
    /// Keys that occur twice.
    pub doubles: Vec<Span>,
    /// The documents that cannot be read.
    pub faults: Vec<Diagnostic>,
}

/// One object.
#[derive(Debug)]
pub struct Manifest {
    node: Node,
    kind: Kind,
    kind_name: String,
    api_version: String,
    /// The JSON of the object, a value a line.
    json: String,
    /// Where the values of these lines stand.
    places: Vec<Span>,
}

/// An object that cannot be judged: where, and why.
pub type Unreadable = (Span, String);

/// Reads the objects of a text: YAML or JSON, one document or more, lists taken apart.
#[must_use]
pub fn read(text: &str) -> Manifests {
    let mut manifests = Manifests::default();
    let documents = yaml::parse_all(text, &mut |document| {
        // kubectl does not read policies. In them a doubled key is a fault, and `on` is a text.
        if is_policy(document) {
            return Ok(());
        }
        document.resolve(&mut manifests.doubles)
    });
    for document in documents {
        match document {
            Ok(document) => manifests.add(document, None),
            Err(error) => manifests.faults.push(fault(error, text)),
        }
    }
    // Each alias of a mapping brings the place of its anchor.
    manifests.doubles.sort_unstable();
    manifests.doubles.dedup();
    manifests
}

fn fault(error: YamlError, text: &str) -> Diagnostic {
    let help = if text.contains('\0') {
        "save it as UTF-8"
    } else if text.contains("{{") {
        "a template is not a manifest yet: check what `helm template` makes of it"
    } else {
        "the rest of this document was not judged"
    };
    Diagnostic {
        severity: Severity::Fault,
        path: String::new(),
        span: error.span,
        message: error.message,
        help: Some(help.to_owned()),
    }
}

/// Whether a document is a policy by its `kind` and `apiVersion`.
#[must_use]
pub fn is_policy(node: &Node) -> bool {
    let text = |key| node.get(key).and_then(Node::text).unwrap_or_default();
    text("kind") == POLICY_KIND && text("apiVersion").starts_with("pullgate.dev/")
}

impl Manifests {
    /// `of` is the type of the items where the list says it and not they.
    fn add(&mut self, mut node: Node, of: Option<(&str, &str)>) {
        let text = |key| node.get(key).and_then(Node::text);
        let (Some(api_version), Some(kind)) = (
            text("apiVersion").or(of.map(|of| of.0)),
            text("kind").or(of.map(|of| of.1)),
        ) else {
            self.others += 1;
            return;
        };
        let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
        let is_list = kind.ends_with("List") && node.get("items").is_some();
        if let Some(items) = node.get("items").filter(|_| is_list) {
            let item_kind = kind.strip_suffix("List").filter(|kind| !kind.is_empty());
            let of = item_kind.map(|kind| (&*api_version, kind));
            for item in items.items() {
                self.add(item.clone(), of);
            }
            return;
        }
        if patch::is_deletion(&node) {
            self.others += 1;
            return;
        }
        let kind_of = Kind::of_object(&api_version, &kind);
        let mut writer = Writer::default();
        // The other kinds are not judged, and a CRD may be a megabyte.
        if kind_of != Kind::Other {
            patch::empty_deletions(&mut node);
            writer.write(&node);
        }
        self.objects.push(Manifest {
            node,
            kind: kind_of,
            kind_name: kind,
            api_version,
            json: String::from_utf8(writer.json).unwrap_or_default(),
            places: writer.places,
        });
    }
}

impl Manifest {
    /// Its kind, where that is one that is judged.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The kind as the manifest has it.
    #[must_use]
    pub fn kind_name(&self) -> &str {
        &self.kind_name
    }

    /// The `apiVersion` as the manifest has it.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Its namespace, where it says so.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.metadata("namespace")
    }

    /// Its name, where it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.metadata("name")
    }

    fn metadata(&self, key: &str) -> Option<&str> {
        let text = self.node.get("metadata")?.get(key)?.some_text()?;
        (!text.is_empty()).then_some(text)
    }

    /// Returns the request of a user who creates the object in this namespace.
    ///
    /// # Errors
    /// A field on which a verdict depends has a value of the wrong type.
    pub fn subject<'m>(&'m self, namespace: &'m str) -> Result<Subject<'m>, Unreadable> {
        let object = self.object()?;
        Ok(Subject {
            kind: self.kind,
            operation: Operation::Create,
            source: ObjectSource::Manifest,
            namespace: self.namespace().unwrap_or(namespace).into(),
            name: self.name().unwrap_or_default().into(),
            user: "".into(),
            object,
            old: None,
        })
    }

    fn object(&self) -> Result<Object<'_>, Unreadable> {
        if self.kind == Kind::Other {
            return Ok(Object::default());
        }
        if let Some((node, path)) = texts::first_fault(self.kind, &self.node) {
            let message = format!("{}: {path} has to be a text", self.title());
            return Err((node.span, message));
        }
        let mut object =
            read::read(self.kind, &self.json).map_err(|error| self.unreadable(&error))?;
        // The content as the API server makes it of `stringData`. A content that it would refuse is another finding.
        if let Ok(Some((form, bytes))) = self.docker_content() {
            object.content = SecretContent::new(form, bytes);
        }
        Ok(object)
    }

    fn unreadable(&self, error: &serde_json::Error) -> Unreadable {
        let line = error.line().saturating_sub(1);
        let mut path = String::new();
        path_to(&self.node, &mut line.clone(), &mut path);
        // The text before it quotes the value.
        let words = error.to_string();
        let wanted = match words.rsplit("expected ").next() {
            Some(wanted) if wanted.starts_with("a string") => "a text",
            Some(wanted) if wanted.starts_with("a sequence") => "a list",
            Some(wanted) if wanted.starts_with("a boolean") => "`true` or `false`",
            _ => "a mapping",
        };
        let message = format!("{}: {path} has to be {wanted}", self.title());
        let place = self.places.get(line);
        (place.copied().unwrap_or(self.node.span), message)
    }

    /// `Deployment api`.
    #[must_use]
    pub fn title(&self) -> String {
        let name = self.name().unwrap_or("without a name");
        clean(&format!("{} {name}", self.kind_name))
    }

    /// The object as it was written.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where a field stands, or as much of the way to it as is there.
    #[must_use]
    pub fn span(&self, place: Place) -> Span {
        let path = if place == Place::Name {
            place.to_string()
        } else {
            format!("{}{place}", self.kind.path())
        };
        let mut node = &self.node;
        for key in path.split(['.', '[', ']']).filter(|key| !key.is_empty()) {
            let index = key
                .parse()
                .ok()
                .and_then(|index: usize| node.items().get(index));
            let Some(next) = index.or_else(|| node.get(key)) else {
                return node.span;
            };
            node = next;
        }
        // A message names the field of a reference, and the report shows its value.
        node.get("name").unwrap_or(node).span
    }

    /// Where its type stands, or else its name or its kind: the place of a finding about its content, which must not be
    /// shown.
    #[must_use]
    pub fn type_span(&self) -> Span {
        let name = self
            .node
            .get("metadata")
            .and_then(|metadata| metadata.get("name"));
        let shown = [self.node.get("type"), name, self.node.get("kind")];
        let scalar = shown
            .into_iter()
            .flatten()
            .find(|node| node.text().is_some());
        scalar.map_or_else(
            || Span {
                end: self.node.span.start,
                ..self.node.span
            },
            |node| node.span,
        )
    }
}
