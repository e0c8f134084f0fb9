//! Manifests: objects as files hold them, each value with its place.

use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::document;
use crate::facts::{ENFORCE_MOUNTABLE_SECRETS, Facts, Labels, ServiceAccountFacts};
use crate::names;
use crate::object;
use crate::policy::{Loaded, Policy};
use crate::subject::{Kind, Object, Operation, Place, Source, Subject};
use crate::words;
use crate::yaml::{self, Node, Plain, Value, plain};
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

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
    let (documents, error) = yaml::parse_all(text);
    let mut manifests = Manifests::default();
    for mut document in documents {
        // A policy is no object that kubectl reads: there a key that is there twice is a fault.
        if !is_policy(&document) {
            document.resolve(&mut manifests.doubles);
        }
        manifests.add(document, None);
    }
    manifests.fault = error.map(|error| {
        let help = if text.contains('\0') {
            "save it as UTF-8"
        } else if text.contains("{{") {
            "a template is no manifest yet: check what `helm template` makes of it"
        } else {
            "what comes after it in this file was not looked at"
        };
        Diagnostic {
            severity: Severity::Fault,
            path: String::new(),
            span: error.span,
            message: error.message,
            help: Some(help.to_owned()),
        }
    });
    manifests
}

fn is_policy(node: &Node) -> bool {
    let text = |key| node.get(key).and_then(Node::text).unwrap_or_default();
    text("kind") == document::KIND && text("apiVersion").starts_with("pullgate.dev/")
}

/// Loads a policy, also one that is in a `ConfigMap`, alone or among other objects; the places are those of the text.
#[must_use]
pub fn load_policy(text: &str, today: Date) -> Loaded {
    let manifests = read(text);
    let mut policies = manifests
        .objects
        .iter()
        .filter(|manifest| manifest.kind == Kind::ConfigMap && manifest.policy_value().is_some());
    match (policies.next(), policies.next()) {
        (Some(manifest), None) => manifest.policy(text, today),
        _ => None,
    }
    .unwrap_or_else(|| Policy::load(text, today))
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
    /// A field that matters has a value of the wrong type.
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
        object::read(self.kind, &self.json).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &serde_json::Error) -> Unreadable {
        let line = error.line().saturating_sub(1);
        let mut path = String::new();
        path_to(&self.node, &mut line.clone(), &mut path);
        // What comes before it quotes the value.
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
        words::clean(&format!("{} {name}", self.kind_name))
    }

    /// What a Namespace or `ServiceAccount` says.
    fn fact(&self, namespace: &str) -> Option<(Fact, FactKey)> {
        let texts = |of: &str| -> Vec<(String, String)> {
            let map = self
                .node
                .get("metadata")
                .and_then(|metadata| metadata.get(of));
            let text = |node: &Node| node.text().map(str::to_owned);
            map.map_or(&[][..], Node::entries)
                .iter()
                .filter_map(|(key, value)| Some((text(key)?, text(value)?)))
                .collect()
        };
        let name = self.name()?.to_owned();
        if self.kind == Kind::ServiceAccount {
            let named = |secret: &Node| secret.get("name").and_then(Node::text).map(Into::into);
            let secrets = self.node.get("imagePullSecrets");
            let secrets = secrets.map_or(&[][..], Node::items);
            let account = ServiceAccountFacts {
                image_pull_secrets: secrets.iter().filter_map(named).collect(),
                enforce_mountable_secrets: texts("annotations")
                    .iter()
                    .any(|(key, value)| key == ENFORCE_MOUNTABLE_SECRETS && value == "true"),
            };
            let namespace = self.namespace().unwrap_or(namespace).to_owned();
            return Some((Fact::ServiceAccount(account), (namespace, Some(name))));
        }
        if (&*self.kind_name, &*self.api_version) != ("Namespace", "v1") {
            return None;
        }
        let mut labels = texts("labels");
        // The API server sets it (KEP-2161).
        labels.push(("kubernetes.io/metadata.name".to_owned(), name.clone()));
        let short = |(key, value): (String, String)| (key.into(), value.into());
        let labels = labels.into_iter().map(short).collect();
        Some((Fact::Labels(labels), (name, None)))
    }

    /// The policy that it is or holds, loaded.
    #[must_use]
    pub fn policy(&self, text: &str, today: Date) -> Option<Loaded> {
        if is_policy(&self.node) {
            return Some(Policy::load_node(&self.node, today));
        }
        let value = self
            .policy_value()
            .filter(|_| self.kind == Kind::ConfigMap)?;
        let mut loaded = Policy::load(value.text()?, today);
        for diagnostic in &mut loaded.diagnostics {
            relocate(diagnostic, value, text);
        }
        Some(loaded)
    }

    /// Whether it is a policy, or a `ConfigMap` that is meant to hold one.
    #[must_use]
    pub fn is_policy(&self) -> bool {
        let is_meant = |value: &Node| {
            self.name() == Some(names::POLICY_CONFIG_MAP)
                || value.text().is_some_and(|text| {
                    text.contains("pullgate.dev/") && text.contains(document::KIND)
                })
        };
        is_policy(&self.node)
            || self.kind == Kind::ConfigMap && self.policy_value().is_some_and(is_meant)
    }

    fn policy_value(&self) -> Option<&Node> {
        let value = self.node.get("data")?.get(POLICY_KEY)?;
        value.text().map(|_| value)
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

    /// Whether it holds credentials of a registry that anyone can read.
    #[must_use]
    pub fn is_docker_secret(&self) -> bool {
        let of_type = self.node.get("type").and_then(Node::text);
        // What SOPS has encrypted is no credential to whoever reads it.
        let is_encrypted = self.node.get("sops").is_some();
        self.kind == Kind::Secret && !is_encrypted && of_type.is_some_and(names::is_docker_type)
    }

    /// Where its type stands.
    #[must_use]
    pub fn type_span(&self) -> Span {
        self.node.get("type").unwrap_or(&self.node).span
    }
}

/// The path of the value that is so many values further, as they are written to JSON.
fn path_to(node: &Node, further: &mut usize, path: &mut String) -> bool {
    if *further == 0 {
        return true;
    }
    let length = path.len();
    let mut enter = |name: &dyn std::fmt::Display, node: &Node| {
        *further -= 1;
        let _ = write!(path, "{name}");
        let is_there = path_to(node, further, path);
        if !is_there {
            path.truncate(length);
        }
        is_there
    };
    match &node.value {
        Value::Scalar { .. } => false,
        Value::Sequence(items) => {
            let mut items = items.iter().enumerate();
            items.any(|(i, item)| enter(&format_args!("[{i}]"), item))
        }
        Value::Mapping(entries) => {
            let dot = if length == 0 { "" } else { "." };
            let mut entries = entries.iter();
            entries.any(|(key, value)| {
                let key = key.text().unwrap_or_default();
                enter(&format_args!("{dot}{key}"), value)
            })
        }
    }
}

/// What is known from manifests.
#[derive(PartialEq, Eq)]
enum Fact {
    ServiceAccount(ServiceAccountFacts),
    Labels(Labels),
}

/// A namespace, and what it is about in it if it is not about itself.
type FactKey = (String, Option<String>);

/// What Namespaces and service accounts say about the others. Where two of the same name say different things, as
/// in overlays for several clusters, nothing is known.
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
    for ((namespace, name), fact) in known {
        match (name, fact) {
            (Some(name), Some(Fact::ServiceAccount(account))) => {
                facts.set_service_account(&namespace, &name, Some(account));
            }
            (None, Some(Fact::Labels(labels))) => facts.set_labels(&namespace, Some(labels)),
            _ => {}
        }
    }
    facts
}

/// From the place in a text within a text to the place in the outer one: line by line in a block (`|`), else where the
/// value begins.
fn relocate(diagnostic: &mut Diagnostic, value: &Node, text: &str) {
    let inner = value.text().unwrap_or_default();
    let number = diagnostic.span.line;
    // The place of a block is that of its first line that is not empty.
    let empty = inner.bytes().take_while(|byte| *byte == b'\n').count();
    let line_of = |text: &str, number: usize| -> Option<(usize, usize)> {
        let start = text
            .split_inclusive('\n')
            .take(number - 1)
            .map(str::len)
            .sum();
        let length = text.get(start..)?.lines().next()?.len();
        Some((start, length))
    };
    let outer_number = (value.span.line + number - 1).saturating_sub(empty).max(1);
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
