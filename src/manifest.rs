//! Manifests: objects as files hold them, each value with its place.

use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::facts::{ENFORCE_MOUNTABLE_SECRETS, Facts, ServiceAccountFacts};
use crate::names;
use crate::object;
use crate::policy::{Loaded, Policy};
use crate::subject::{Kind, Object, Operation, Place, Source, Subject};
use crate::yaml::{self, Node, Plain, Value, plain};
use jiff::civil::Date;

/// The key of a `ConfigMap` under which a policy is.
const POLICY_KEY: &str = "policy.yaml";

/// What a text holds.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Its objects, those in lists too.
    pub objects: Vec<Manifest>,
    /// How many documents are no objects of Kubernetes.
    pub others: usize,
    /// Keys that are there twice.
    pub doubles: Vec<Span>,
    /// Where the text ends to be YAML.
    pub fault: Option<Diagnostic>,
}

/// One object.
#[derive(Debug)]
pub struct Manifest {
    node: Node,
    kind: Kind,
    kind_name: String,
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
    let (documents, error) = yaml::parse_all(text);
    let mut manifests = Manifests::default();
    for mut document in documents {
        document.resolve(&mut manifests.doubles);
        manifests.add(document, None);
    }
    manifests.fault = error.map(|error| Diagnostic {
        severity: Severity::Fault,
        path: String::new(),
        span: error.span,
        message: error.message,
        help: Some("what comes after it in this file was not looked at".to_owned()),
    });
    manifests
}

/// Loads a policy, also one that is in a `ConfigMap`; the places are those of the text.
#[must_use]
pub fn load_policy(text: &str, today: Date) -> Loaded {
    let manifests = read(text);
    let mut policies = manifests
        .objects
        .iter()
        .filter_map(|manifest| manifest.policy(text, today));
    match policies.next() {
        Some(loaded) if manifests.objects.len() == 1 => loaded,
        _ => Policy::load(text, today),
    }
}

impl Manifests {
    /// `of` is the type of the items where the list says it and not they.
    fn add(&mut self, node: Node, of: Option<(&str, &str)>) {
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
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let kind_of = Kind::of(group, &kind);
        let mut writer = Writer::default();
        // Nobody looks into the others, and a CRD may be a megabyte.
        if kind_of != Kind::Other {
            writer.write(&node);
        }
        self.objects.push(Manifest {
            node,
            kind: kind_of,
            kind_name: kind,
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
        let text = self.node.get("metadata")?.get(key)?.text()?;
        (!text.is_empty()).then_some(text)
    }

    /// The object as somebody who creates it in this namespace would ask for it.
    ///
    /// # Errors
    /// A field that matters has a value of the wrong type, or is there twice.
    pub fn subject<'m>(&'m self, namespace: &'m str) -> Result<Subject<'m>, Unreadable> {
        let object = self.object()?;
        Ok(Subject {
            kind: self.kind,
            operation: Operation::Create,
            source: Source::Manifest,
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
        object::read(self.kind, &self.json).map_err(|error| {
            let place = error
                .line()
                .checked_sub(1)
                .and_then(|line| self.places.get(line));
            let message = format!(
                "{}: a value of another type is needed here; the API server would not take it",
                self.title()
            );
            (place.copied().unwrap_or(self.node.span), message)
        })
    }

    /// `Deployment api`.
    #[must_use]
    pub fn title(&self) -> String {
        format!(
            "{} {}",
            self.kind_name,
            self.name().unwrap_or("without a name")
        )
    }

    /// Tells facts what a Namespace or `ServiceAccount` says.
    pub fn teach(&self, facts: &mut Facts, namespace: &str) {
        let texts = |node: &Node, of: &str| -> Vec<(String, String)> {
            let map = node.get("metadata").and_then(|metadata| metadata.get(of));
            let text = |node: &Node| node.text().map(str::to_owned);
            map.map_or(&[][..], Node::entries)
                .iter()
                .filter_map(|(key, value)| Some((text(key)?, text(value)?)))
                .collect()
        };
        let Some(name) = self.name() else { return };
        if self.kind == Kind::ServiceAccount {
            let named = |secret: &Node| secret.get("name").and_then(Node::text).map(Into::into);
            let secrets = self
                .node
                .get("imagePullSecrets")
                .map_or(&[][..], Node::items);
            let annotations = texts(&self.node, "annotations");
            let account = ServiceAccountFacts {
                image_pull_secrets: secrets.iter().filter_map(named).collect(),
                enforce_mountable_secrets: annotations
                    .iter()
                    .any(|(key, value)| key == ENFORCE_MOUNTABLE_SECRETS && value == "true"),
            };
            let namespace = self.namespace().unwrap_or(namespace);
            facts.set_service_account(namespace, name, Some(account));
        } else if self.kind_name == "Namespace" {
            let mut labels = texts(&self.node, "labels");
            // The API server sets it (KEP-2161).
            labels.push(("kubernetes.io/metadata.name".to_owned(), name.to_owned()));
            let short = |(key, value): (String, String)| (key.into(), value.into());
            facts.set_labels(name, Some(labels.into_iter().map(short).collect()));
        }
    }

    /// The policy that it is or holds, loaded.
    #[must_use]
    pub fn policy(&self, text: &str, today: Date) -> Option<Loaded> {
        if self.kind_name == "PullPolicy" {
            return Some(Policy::load_node(&self.node, today));
        }
        if self.kind != Kind::ConfigMap {
            return None;
        }
        let value = self.node.get("data")?.get(POLICY_KEY)?;
        let inner = value.text()?;
        if self.name() != Some(names::POLICY_CONFIG_MAP) && !inner.contains("kind: PullPolicy") {
            return None;
        }
        let mut loaded = Policy::load(inner, today);
        for diagnostic in &mut loaded.diagnostics {
            relocate(diagnostic, value, text);
        }
        Some(loaded)
    }

    /// Where a field stands, or as much of the way to it as is there.
    #[must_use]
    pub fn span(&self, place: Place) -> Span {
        let path = match place {
            Place::Name => "metadata.name".to_owned(),
            place => format!("{}{place}", self.kind.path()),
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
        // A reference is told by its field, and shown by what it says.
        node.get("name").unwrap_or(node).span
    }

    /// Where it says something that must not be shown: the content of a Secret, with what tools copy of it into
    /// annotations, and the values of variables.
    pub fn hidden(&self, spans: &mut Vec<Span>) {
        if self.kind == Kind::Secret {
            for (key, value) in self.node.entries() {
                match key.text() {
                    Some("apiVersion" | "kind" | "type") => {}
                    Some("metadata") => value
                        .entries()
                        .iter()
                        .filter(|(key, _)| !matches!(key.text(), Some("name" | "namespace")))
                        .for_each(|(_, value)| scalars(value, spans)),
                    _ => scalars(value, spans),
                }
            }
        } else {
            variables(&self.node, spans);
        }
    }

    /// Whether it holds credentials of a registry.
    #[must_use]
    pub fn is_docker_secret(&self) -> bool {
        let of_type = self.node.get("type").and_then(Node::text);
        self.kind == Kind::Secret && of_type.is_some_and(names::is_docker_type)
    }

    /// Where its type stands.
    #[must_use]
    pub fn type_span(&self) -> Span {
        self.node.get("type").unwrap_or(&self.node).span
    }
}

fn scalars(node: &Node, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar { .. } => spans.push(node.span),
        Value::Sequence(items) => items.iter().for_each(|item| scalars(item, spans)),
        Value::Mapping(entries) => entries.iter().for_each(|(_, value)| scalars(value, spans)),
    }
}

fn variables(node: &Node, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::Sequence(items) => items.iter().for_each(|item| variables(item, spans)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                if key.text() == Some("env") {
                    let values = value.items().iter().filter_map(|item| item.get("value"));
                    values.for_each(|value| scalars(value, spans));
                }
                variables(value, spans);
            }
        }
    }
}

/// From the place in a text within a text to the place in the outer one: line by line in a block (`|`), else where the
/// value begins.
fn relocate(diagnostic: &mut Diagnostic, value: &Node, text: &str) {
    let inner = value.text().unwrap_or_default();
    let number = diagnostic.span.line;
    let line_of = |text: &str, number: usize| -> Option<(usize, usize)> {
        let start = text
            .split_inclusive('\n')
            .take(number - 1)
            .map(str::len)
            .sum();
        let length = text.get(start..)?.lines().next()?.len();
        Some((start, length))
    };
    let outer_number = value.span.line + number - 1;
    let moved = line_of(inner, number)
        .zip(line_of(text, outer_number))
        .and_then(|((inner_start, inner_length), (start, length))| {
            let indent = length.checked_sub(inner_length)?;
            let inner_line = &inner[inner_start..inner_start + inner_length];
            let is_same = text[start..start + length]
                .strip_suffix(inner_line)?
                .trim()
                .is_empty();
            let shift =
                |at: usize| start + indent + at.saturating_sub(inner_start).min(inner_length);
            is_same.then(|| Span {
                line: outer_number,
                column: diagnostic.span.column + indent,
                start: shift(diagnostic.span.start),
                end: shift(diagnostic.span.end),
            })
        });
    diagnostic.span = moved.unwrap_or(value.span);
}

/// Writes a node as JSON, each value on a line of its own, so that the line of an error is a place.
#[derive(Default)]
struct Writer {
    json: Vec<u8>,
    places: Vec<Span>,
}

impl Writer {
    fn write(&mut self, node: &Node) {
        self.places.push(node.span);
        match &node.value {
            Value::Scalar { text, plain: true } => match plain(text) {
                Plain::Null => self.json.extend(b"null"),
                Plain::Bool(value) => self.json.extend(value.to_string().bytes()),
                // No number matters, only that it is one.
                Plain::Number => self.json.push(b'0'),
                Plain::Text => self.text(text),
            },
            Value::Scalar { text, .. } => self.text(text),
            Value::Sequence(items) => {
                self.json.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    self.json.extend(if i == 0 { &b"\n"[..] } else { b",\n" });
                    self.write(item);
                }
                self.json.push(b']');
            }
            Value::Mapping(entries) => self.mapping(entries),
        }
    }

    fn mapping(&mut self, entries: &[(Node, Node)]) {
        self.json.push(b'{');
        for (i, (key, value)) in entries.iter().enumerate() {
            self.json.extend(if i == 0 { &b"\n"[..] } else { b",\n" });
            self.text(key.text().unwrap_or_default());
            self.json.push(b':');
            self.write(value);
        }
        self.json.push(b'}');
    }

    fn text(&mut self, text: &str) {
        // A text always has a JSON.
        let _ = serde_json::to_writer(&mut self.json, text);
    }
}
