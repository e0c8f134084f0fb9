//! The report of `check`: the judgement of [`verdict`] on manifests, with places in files.

mod item;
mod json;
mod misplaced;
mod sarif;
mod short_names;
mod summary;
mod text;
mod unjudged;

use crate::objects::kind::Kind;
use crate::objects::manifest::{self, Manifest, Manifests};
use crate::objects::names::MAX_SUBDOMAIN;
use crate::objects::secret_makers::{self, MadeSecret};
use crate::objects::subject::{Object, ObjectSource, Operation, Place, Subject};
use crate::policy::selector::Match;
use crate::policy::source;
use crate::policy::{Loaded, Policy};
use crate::secrets::document::Filling;
use crate::text::diagnostic::{Diagnostic, Severity, Span};
use crate::text::excerpt::{clean, shorten};
use crate::verdict::code::FindingCode;
use crate::verdict::finding::{Effect, Fault, Finding};
use crate::verdict::words;
use crate::verdict::world::{Controllers, World};
use crate::verdict::{self, PodPreview};
use item::{ReportItem, ReportedObject, diagnostic};
use jiff::Timestamp;
use jiff::civil::Date;
use unjudged::UnjudgedKinds;

/// The most characters of a key of a Secret that are shown.
const MAX_FIELD: usize = 100;

/// A file, or stdin.
#[derive(Debug)]
pub struct Input {
    /// The path as it was given, or `<stdin>`.
    pub name: String,
    /// Whether it is the file of the policy: its diagnostics are in the report already.
    pub is_policy: bool,
    /// The text.
    pub text: String,
}

/// The settings with which manifests are judged.
#[derive(Debug)]
pub struct Settings<'s> {
    /// The policy.
    pub policy: &'s Policy,
    /// The namespace of objects without one.
    pub namespace: &'s str,
    /// The time of the judgement.
    pub now: Timestamp,
    /// Whether an image without a registry is a finding.
    pub strict_names: bool,
}

/// The findings, and everything else that the report shows.
#[derive(Debug, Default)]
pub struct Report {
    /// The files that were read.
    pub inputs: Vec<Input>,
    /// The findings, in the order of the inputs and of their texts.
    pub items: Vec<ReportItem>,
    injections: Vec<InjectionRow>,
    exceptions: Vec<ExceptionUse>,
    exempt: Vec<ReportedObject>,
    policies: usize,
    /// The number of objects that were judged.
    objects: usize,
    /// The number of objects of each kind that is not judged.
    unjudged: UnjudgedKinds,
    others: usize,
    is_judged: bool,
    strict_names: bool,
}

/// The place of a finding, and the words before it.
struct FindingPlace {
    span: Span,
    field: String,
    lead: String,
}

/// The secrets of a rule that would be injected into the pods of an object.
#[derive(Debug)]
struct InjectionRow {
    object: ReportedObject,
    rule: String,
    secrets: Vec<String>,
}

/// An exception that lifts a finding.
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
    /// Adds the diagnostics of a policy.
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
        self.strict_names = settings.strict_names;
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
        self.others += read.others;
        for manifest in &read.objects {
            let text = &self.inputs[input].text;
            let policy = source::is_meant(manifest)
                .then(|| source::in_manifest(manifest, text, world.today()));
            if let Some(Loaded { diagnostics, .. }) = policy.flatten() {
                self.objects += 1;
                if !self.inputs[input].is_policy {
                    self.add_policy_items(input, diagnostics);
                }
                continue;
            }
            self.count_object(manifest);
            self.items.extend(credential(input, manifest, namespace));
            for made in secret_makers::made_by(manifest) {
                self.judge_made(input, manifest, &made, world, namespace);
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

    /// Counts an object as judged, or else by its kind.
    fn count_object(&mut self, manifest: &Manifest) {
        let is_other = matches!(manifest.kind(), Kind::Other | Kind::ConfigMap);
        if is_other && !secret_makers::is_maker(manifest) {
            self.unjudged
                .count(manifest.kind_name(), manifest.api_version());
        } else {
            self.objects += 1;
        }
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
        if !is_exempt {
            self.items.extend(misplaced::items(manifest, &object));
        }
        if self.strict_names {
            let items = short_names::items(world, manifest, subject, &object);
            self.items.extend(items);
        }
        let PodPreview {
            injections,
            findings: refused,
        } = verdict::preview(world, subject);
        let mut findings = verdict::validate(world, subject).findings;
        findings.extend(refused);
        let place = |finding: &Finding<'_>| FindingPlace {
            span: manifest.span(finding.place),
            field: format!("{}{}", path(subject, finding), finding.place),
            lead: String::new(),
        };
        self.add_findings(&object, world, subject, &findings, place);
        self.injections
            .extend(injections.iter().map(|injection| InjectionRow {
                object: object.clone(),
                rule: injection.rule.name.clone(),
                secrets: injection.secrets.iter().map(ToString::to_string).collect(),
            }));
    }

    /// Judges a Secret that a controller of another project would make, as if a user created it.
    fn judge_made(
        &mut self,
        input: usize,
        manifest: &Manifest,
        made: &MadeSecret<'_>,
        world: &World<'_>,
        namespace: &str,
    ) {
        let namespace = manifest.namespace().unwrap_or(namespace);
        let subject = Subject {
            kind: Kind::Secret,
            operation: Operation::Create,
            source: ObjectSource::Manifest,
            namespace: namespace.into(),
            name: made.name.into(),
            user: "".into(),
            object: Object {
                secret_type: Some(made.secret_type.into()),
                ..Object::default()
            },
            old: None,
        };
        let name = manifest.name().unwrap_or_default();
        let object = ReportedObject {
            input,
            span: manifest.span(Place::Name),
            kind: made.kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            shown: clean(&format!("{} {namespace}/{name}", made.kind)),
        };
        let findings = verdict::validate(world, &subject).findings;
        let secret = shorten(&clean(made.name), MAX_SUBDOMAIN);
        let place = |_: &Finding<'_>| FindingPlace {
            span: made.span,
            field: made.field.clone(),
            lead: format!("makes the Secret \"{secret}\": "),
        };
        self.add_findings(&object, world, &subject, &findings, place);
    }

    /// Adds the findings about a subject, each at its place in the file.
    fn add_findings(
        &mut self,
        object: &ReportedObject,
        world: &World<'_>,
        subject: &Subject<'_>,
        findings: &[Finding<'_>],
        place: impl Fn(&Finding<'_>) -> FindingPlace,
    ) {
        for (finding, told) in findings.iter().zip(words::tell(world, subject, findings)) {
            let FindingPlace { span, field, lead } = place(finding);
            if let Fault::Lifted { ban, exception } = finding.fault {
                self.exceptions.push(ExceptionUse {
                    input: object.input,
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
            let message = format!("{}: {lead}{}", object.shown, told.message);
            let diagnostic = diagnostic(severity(finding), span, message, told.help);
            self.items.push(ReportItem {
                ban: finding.fault.ban().map(|ban| ban.name.clone()),
                ..ReportItem::about(object, finding.fault.code(), diagnostic, field)
            });
        }
    }
}

/// Returns the finding of a registry credential in a file, or the note that it is not filled in yet.
fn credential(input: usize, manifest: &Manifest, namespace: &str) -> Option<ReportItem> {
    let (filling, field) = manifest.held_credential()?;
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
    let place = match &*field {
        "type" => String::new(),
        field => format!(" ({})", clean(&shorten(field, MAX_FIELD))),
    };
    let diagnostic = if filling == Filling::Credential {
        let message = format!("{}: a registry credential in a file{place}", object.shown);
        let help = "Keep it out of files and repositories: let an operator put it into the cluster, and change it if it was \
                    ever committed.";
        diagnostic(Severity::Fault, object.span, message, Some(help.to_owned()))
    } else {
        let message = format!("{}: the registry credential is not filled in", object.shown);
        diagnostic(Severity::Note, object.span, message, None)
    };
    Some(ReportItem {
        field: Some(field),
        object: Some(object),
        ..ReportItem::of(input, FindingCode::Credential, diagnostic)
    })
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
