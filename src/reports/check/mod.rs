//! What `check` has to say about manifests: the judgement of [`verdict`], with places in files.

mod json;
mod sarif;
mod text;

use crate::objects::kind::Kind;
use crate::objects::manifest::{self, Manifest, Manifests};
use crate::objects::subject::{Place, Subject};
use crate::policy::selector::Match;
use crate::policy::source;
use crate::policy::{Loaded, Policy};
use crate::text::diagnostic::{Diagnostic, Severity, Span};
use crate::text::excerpt::clean;
use crate::verdict::code::FindingCode;
use crate::verdict::finding::{Effect, Fault, Finding};
use crate::verdict::words;
use crate::verdict::world::{Controllers, World};
use crate::verdict::{self, PodPreview};
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt::Write as _;

/// A text and how it is called.
#[derive(Debug)]
pub struct Input {
    /// The path as it was given, or `<stdin>`.
    pub name: String,
    /// Whether it is the file of the policy, which was told of already.
    pub is_policy: bool,
    /// What it holds.
    pub text: String,
}

/// What manifests are judged by.
#[derive(Debug)]
pub struct Settings<'s> {
    /// The policy.
    pub policy: &'s Policy,
    /// The namespace of objects that name none.
    pub namespace: &'s str,
    /// Now.
    pub now: Timestamp,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Report {
    /// What was looked at.
    pub inputs: Vec<Input>,
    /// What was found, in the order of the inputs and of their texts.
    pub items: Vec<ReportItem>,
    injections: Vec<InjectionRow>,
    exceptions: Vec<ExceptionUse>,
    exempt: Vec<ReportedObject>,
    policies: usize,
    objects: usize,
    others: usize,
    is_judged: bool,
}

/// One finding in one place.
#[derive(Debug)]
pub struct ReportItem {
    input: usize,
    code: FindingCode,
    diagnostic: Diagnostic,
    object: Option<ReportedObject>,
    field: Option<String>,
    ban: Option<String>,
}

/// An object, as people and programs know it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReportedObject {
    input: usize,
    span: Span,
    kind: &'static str,
    namespace: String,
    name: String,
    shown: String,
}

/// What the pods of an object would get.
#[derive(Debug)]
struct InjectionRow {
    object: ReportedObject,
    rule: String,
    secrets: Vec<String>,
}

/// An exception without which there would be a finding.
#[derive(Debug)]
struct ExceptionUse {
    input: usize,
    span: Span,
    object: ReportedObject,
    ban: Option<String>,
    owner: String,
    reason: String,
    expires: Date,
    days_left: i32,
}

impl Report {
    /// What there is to say about a policy.
    pub fn add_policy(&mut self, input: Input, diagnostics: Vec<Diagnostic>) {
        let number = self.inputs.len();
        self.inputs.push(input);
        self.policies += 1;
        self.add_policy_items(number, diagnostics);
    }

    fn add_policy_items(&mut self, input: usize, diagnostics: Vec<Diagnostic>) {
        self.items.extend(diagnostics.into_iter().map(|diagnostic| {
            let path = diagnostic.path.clone();
            ReportItem {
                field: Some(path).filter(|path| !path.is_empty()),
                ..ReportItem::of(input, FindingCode::Policy, diagnostic)
            }
        }));
    }

    /// Judges the objects of some texts. Namespaces and service accounts among them are facts for the others.
    pub fn add_manifests(&mut self, inputs: Vec<Input>, settings: &Settings<'_>) {
        self.is_judged = true;
        let read: Vec<_> = inputs
            .iter()
            .map(|input| manifest::read(&input.text))
            .collect();
        let manifests = read.iter().flat_map(|manifests| &manifests.objects);
        let facts = manifest::facts(manifests, settings.namespace);
        let controllers = Controllers::new(Vec::new());
        let world = World {
            policy: settings.policy,
            facts: &facts,
            controllers: &controllers,
            now: settings.now,
        };
        for (input, manifests) in inputs.into_iter().zip(read) {
            let number = self.inputs.len();
            let first = self.items.len();
            self.inputs.push(input);
            self.add_objects(number, manifests, &world, settings.namespace);
            self.items[first..].sort_by_key(|item| item.diagnostic.span.start);
        }
    }

    fn add_objects(&mut self, input: usize, read: Manifests, world: &World<'_>, namespace: &str) {
        self.objects += read.objects.len();
        self.others += read.others;
        for manifest in &read.objects {
            let text = &self.inputs[input].text;
            let policy = source::is_meant(manifest)
                .then(|| source::in_manifest(manifest, text, world.today()));
            if let Some(Loaded { diagnostics, .. }) = policy.flatten() {
                if !self.inputs[input].is_policy {
                    self.add_policy_items(input, diagnostics);
                }
                continue;
            }
            if manifest.is_docker_secret() {
                self.items.push(credential(input, manifest, namespace));
            }
            match manifest.subject(namespace) {
                Ok(subject) => self.judge(input, manifest, &subject, world),
                Err((span, message)) => {
                    let fault = diagnostic(Severity::Fault, span, message, None);
                    self.items
                        .push(ReportItem::of(input, FindingCode::Unreadable, fault));
                }
            }
        }
        let double = |span| {
            let message = "this key is there twice, and the last one counts".to_owned();
            let help = Some("keep one of them".to_owned());
            let diagnostic = diagnostic(Severity::Warning, span, message, help);
            ReportItem::of(input, FindingCode::DoubleKey, diagnostic)
        };
        self.items.extend(read.doubles.into_iter().map(double));
        let unreadable = |fault| ReportItem::of(input, FindingCode::Unreadable, fault);
        self.items.extend(read.faults.into_iter().map(unreadable));
    }

    fn judge(
        &mut self,
        input: usize,
        manifest: &Manifest,
        subject: &Subject<'_>,
        world: &World<'_>,
    ) {
        if subject.kind == Kind::Other {
            return;
        }
        let object = ReportedObject::of(input, manifest, subject);
        let is_exempt = world.policy.exempt(world.namespace(subject)) == Match::Yes;
        if is_exempt && subject.object.pod.is_some() {
            self.exempt.push(object);
            return;
        }
        let PodPreview {
            injections,
            findings: refused,
        } = verdict::preview(world, subject);
        let mut findings = verdict::validate(world, subject).findings;
        findings.extend(refused);
        for (finding, told) in findings.iter().zip(words::tell(world, subject, &findings)) {
            let span = manifest.span(finding.place);
            if let Fault::Lifted { ban, exception } = finding.fault {
                self.exceptions.push(ExceptionUse {
                    input,
                    span,
                    object: object.clone(),
                    ban: ban.map(|ban| ban.name.clone()),
                    owner: exception.owner.clone(),
                    reason: exception.reason.clone(),
                    expires: exception.expires,
                    days_left: days(world.today(), exception.expires),
                });
                continue;
            }
            let message = format!("{}: {}", object.shown, told.message);
            self.items.push(ReportItem {
                input,
                code: finding.fault.code(),
                diagnostic: diagnostic(severity(finding), span, message, told.help),
                object: Some(object.clone()),
                field: Some(format!("{}{}", path(subject, finding), finding.place)),
                ban: finding.fault.ban().map(|ban| ban.name.clone()),
            });
        }
        self.injections
            .extend(injections.iter().map(|injection| InjectionRow {
                object: object.clone(),
                rule: injection.rule.name.clone(),
                secrets: injection.secrets.iter().map(ToString::to_string).collect(),
            }));
    }

    /// How many findings are as bad as that.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let is_so = |item: &&ReportItem| item.diagnostic.severity == severity;
        self.items.iter().filter(is_so).count()
    }

    /// How many findings there are about something else than the policy that are as bad as that.
    #[must_use]
    pub fn count_in_manifests(&self, severity: Severity) -> usize {
        let is_so = |item: &&ReportItem| {
            item.diagnostic.severity == severity && item.code != FindingCode::Policy
        };
        self.items.iter().filter(is_so).count()
    }

    /// Whether there was nothing at all to look at: most likely that is not what was meant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_of_policy = |item: &ReportItem| item.code == FindingCode::Policy;
        self.objects + self.others == 0 && self.items.iter().all(is_of_policy)
    }

    /// What was done, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let some = |number: usize, one: &str, more: &str| {
            format!("{number} {}", if number == 1 { one } else { more })
        };
        let mut text = format!(
            "checked {} in {}: {}, {}",
            some(self.objects, "object", "objects"),
            some(self.inputs.len() - self.policies, "file", "files"),
            some(self.count(Severity::Fault), "error", "errors"),
            some(self.count(Severity::Warning), "warning", "warnings"),
        );
        if self.others > 0 {
            let others = some(
                self.others,
                "document is no object",
                "documents are no objects",
            );
            let _ = write!(text, " ({others} of Kubernetes)");
        }
        text
    }
}

impl ReportItem {
    /// What is about no object that was read.
    fn of(input: usize, code: FindingCode, diagnostic: Diagnostic) -> Self {
        Self {
            input,
            code,
            diagnostic,
            object: None,
            field: None,
            ban: None,
        }
    }
}

impl ReportedObject {
    fn of(input: usize, manifest: &Manifest, subject: &Subject<'_>) -> Self {
        Self {
            input,
            span: manifest.span(Place::Name),
            kind: subject.kind.name(),
            namespace: subject.namespace.to_string(),
            name: subject.own_name().unwrap_or_default().to_owned(),
            shown: clean(&subject.to_string()),
        }
    }
}

fn credential(input: usize, manifest: &Manifest, namespace: &str) -> ReportItem {
    let name = manifest.name().unwrap_or_default();
    let namespace = manifest.namespace().unwrap_or(namespace);
    let object = ReportedObject {
        input,
        span: manifest.type_span(),
        kind: "Secret",
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        shown: clean(&format!("Secret {namespace}/{name}")),
    };
    let message = format!("{}: a registry credential in a file", object.shown);
    let help = "Keep it out of files and repositories: let an operator put it into the cluster, and change it if it was \
                ever committed.";
    ReportItem {
        field: Some("type".to_owned()),
        object: Some(object.clone()),
        ..ReportItem::of(
            input,
            FindingCode::Credential,
            diagnostic(Severity::Fault, object.span, message, Some(help.to_owned())),
        )
    }
}

fn diagnostic(severity: Severity, span: Span, message: String, help: Option<String>) -> Diagnostic {
    Diagnostic {
        severity,
        path: String::new(),
        span,
        message,
        help,
    }
}

fn severity(finding: &Finding<'_>) -> Severity {
    match finding.effect {
        Effect::Deny => Severity::Fault,
        Effect::Warn(_) => Severity::Warning,
        Effect::Audit(_) => Severity::Note,
    }
}

fn path(subject: &Subject<'_>, finding: &Finding<'_>) -> &'static str {
    if finding.place == Place::Name {
        ""
    } else {
        subject.kind.path()
    }
}

fn days(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}
