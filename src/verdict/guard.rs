//! What is wrong with an object, and what comes of it.

use super::{Denial, Notes, Ruling, World};
use crate::diagnostic::Severity;
use crate::finding::{Effect, Fault, Finding, Mercy, Origin};
use crate::image::{Image, ImageError};
use crate::policy::{Ban, Lifted, Mode, Policy, Running, Unmatched};
use crate::selector::{Match, Namespace};
use crate::subject::{ImageUse, Kind, Object, Operation, Place, PodSpec, Reference, Subject};
use crate::words;
use std::borrow::Cow;
use std::collections::HashSet;

/// Secrets that hold registry credentials.
const DOCKER_TYPES: [&str; 2] = ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"];

/// Everything that is wrong with a subject under a policy, in the order of its fields.
pub(super) fn guard<'a>(world: &World<'a>, subject: &'a Subject<'_>) -> Vec<Finding<'a>> {
    let is_deleting = subject.operation == Operation::Delete || subject.object.metadata.is_deleting;
    let namespace = world.namespace(subject);
    let exempt = world.policy.exempt(namespace);
    if is_deleting || exempt == Match::Yes {
        return Vec::new();
    }
    let by_controller = world.controllers.created(subject);
    let judge = Judge {
        world,
        subject,
        namespace,
        by_controller,
        may_be_exempt: exempt == Match::Unknown,
    };
    match subject.kind {
        Kind::Secret => judge.secret(),
        _ => judge.object(),
    }
}

/// A `ConfigMap` with a policy is refused with all faults, and its warnings are shown.
pub(super) fn policy_document(world: &World<'_>, subject: &Subject<'_>) -> Option<Ruling> {
    let text = subject
        .object
        .policy
        .as_ref()
        .filter(|_| subject.operation != Operation::Delete)?;
    let loaded = Policy::load(text, world.today);
    let (faults, warnings): (Vec<_>, Vec<_>) = loaded
        .diagnostics
        .iter()
        .partition(|d| d.severity == Severity::Fault);
    let lines = faults
        .iter()
        .map(|fault| (fault.path.clone(), fault.line("policy.yaml")));
    let message = |causes: &[(String, String)]| words::list(subject, causes);
    let causes: Vec<_> = lines.collect();
    let denial = (!causes.is_empty()).then(|| Denial {
        message: message(&causes),
        causes,
    });
    let told = warnings.iter().map(|warning| warning.line("policy.yaml"));
    Some(Ruling {
        denial,
        notes: Notes {
            warnings: words::within_limits(told),
            ..Notes::default()
        },
    })
}

struct Judge<'a, 's> {
    world: &'s World<'a>,
    subject: &'a Subject<'a>,
    namespace: Namespace<'a>,
    by_controller: bool,
    may_be_exempt: bool,
}

/// A reference, and how it came into the object.
struct Use<'a> {
    place: Place,
    secret: &'a str,
    origin: Origin<'a>,
}

impl<'a> Judge<'a, '_> {
    fn object(&self) -> Vec<Finding<'a>> {
        let mut findings = Vec::new();
        let uses = self.uses(&self.subject.object);
        let old: Vec<Use<'_>> = self
            .subject
            .old
            .iter()
            .flat_map(|old| self.uses(old))
            .collect();
        let old: HashSet<&str> = old.iter().map(|used| used.secret).collect();
        for used in uses {
            for (number, ban) in self.world.policy.bans_on(used.secret) {
                self.banned(
                    &mut findings,
                    &used,
                    (number, ban),
                    old.contains(used.secret),
                );
            }
        }
        if let Some(pod) = &self.subject.object.pod {
            self.images(&mut findings, pod);
        }
        findings
    }

    /// Every reference of an object, also those that its pods get from their `ServiceAccount`.
    fn uses<'o>(&self, object: &'o Object<'_>) -> Vec<Use<'o>>
    where
        'a: 'o,
    {
        let origin = |reference: &Reference<'_>| match (reference.place, &object.pod) {
            (Place::PullSecret(_), Some(pod)) if self.subject.kind == Kind::Pod => {
                self.origin(pod, &reference.secret)
            }
            _ => Origin::Own,
        };
        let own = object.references.iter().map(|reference| Use {
            place: reference.place,
            secret: &reference.secret,
            origin: origin(reference),
        });
        own.chain(object.pod.iter().flat_map(|pod| self.passed_on(pod)))
            .collect()
    }

    /// A pod without pull secrets gets those of its `ServiceAccount`; a template with some switches that off.
    fn passed_on<'o>(&self, pod: &'o PodSpec<'_>) -> Vec<Use<'o>>
    where
        'a: 'o,
    {
        let name = pod.service_account();
        let account = self
            .world
            .facts
            .service_account(&self.subject.namespace, name);
        let inherits = self.subject.kind != Kind::Pod && pod.pull_secrets.is_empty();
        let secrets = account
            .filter(|_| inherits)
            .map(|account| account.image_pull_secrets.iter());
        let used = |secret: &'o str| Use {
            place: Place::ServiceAccountName,
            secret,
            origin: Origin::PassedOn(name),
        };
        secrets
            .into_iter()
            .flatten()
            .map(|secret| used(secret))
            .collect()
    }

    /// Where a pull secret of a pod comes from. The API server copies the whole list of the `ServiceAccount` and only
    /// into an empty one, so a pod that lacks one of them got none of them.
    fn origin<'o>(&self, pod: &'o PodSpec<'_>, secret: &str) -> Origin<'o> {
        let name = pod.service_account();
        match self
            .world
            .facts
            .service_account(&self.subject.namespace, name)
        {
            None if self.world.facts.service_accounts_synced() => Origin::Own,
            None => Origin::PossiblyInherited(name),
            Some(account) => {
                let lists = |name: &str| {
                    account
                        .image_pull_secrets
                        .iter()
                        .any(|listed| **listed == *name)
                };
                let all_there = account
                    .image_pull_secrets
                    .iter()
                    .all(|s| pod.pull_secrets.iter().any(|p| **p == **s));
                if lists(secret) && all_there {
                    Origin::Inherited(name)
                } else {
                    Origin::Own
                }
            }
        }
    }

    fn banned(
        &self,
        findings: &mut Vec<Finding<'a>>,
        used: &Use<'a>,
        (number, ban): (usize, &'a Ban),
        is_old: bool,
    ) {
        let is_pull_secret = matches!(used.place, Place::PullSecret(_) | Place::ServiceAccountName);
        let effect = match self
            .world
            .policy
            .lifted(number, self.namespace, self.world.today)
        {
            Lifted::By(exception) => {
                let is_known = |finding: &Finding<'_>| matches!(finding.fault, Fault::Lifted { ban: Some(known), .. } if std::ptr::eq(known, ban));
                if ban.mode != Mode::Audit && !findings.iter().any(is_known) {
                    let fault = Fault::Lifted {
                        ban: Some(ban),
                        exception,
                    };
                    findings.push(Finding {
                        field: self.field(used.place),
                        fault,
                        effect: Effect::Warn(Mercy::None),
                    });
                }
                return;
            }
            Lifted::Unknown => Effect::from(ban.mode).soften(Mercy::UnknownLabels),
            Lifted::Not => ban.mode.into(),
        };
        let effect = if is_old {
            effect.soften(Mercy::Old)
        } else {
            effect
        };
        let effect = if self.injects(used.secret) {
            effect.soften(Mercy::InjectedHere)
        } else {
            effect
        };
        let effect = self.spare(effect, ban.running);
        let fault = Fault::Banned {
            secret: used.secret,
            ban,
            is_pull_secret,
            origin: used.origin,
        };
        findings.push(Finding {
            field: self.field(used.place),
            fault,
            effect,
        });
    }

    /// What already runs keeps running, and what may be exempt is not refused.
    fn spare(&self, effect: Effect, running: Running) -> Effect {
        let effect = if self.may_be_exempt {
            effect.soften(Mercy::UnknownLabels)
        } else {
            effect
        };
        match effect {
            Effect::Deny if self.by_controller && running == Running::Keep => {
                Effect::Audit(Mercy::Running)
            }
            effect => effect,
        }
    }

    /// Whether the policy itself puts this secret into pods here: refusing it would refuse its own work.
    fn injects(&self, secret: &str) -> bool {
        let images = self.subject.object.pod.iter().flat_map(|pod| &pod.images);
        let mut rules = images
            .filter_map(|used| Image::parse(&used.image).ok())
            .filter_map(|image| self.world.policy.rule_for(&image, self.namespace));
        rules.any(|rule| rule.secrets().iter().any(|name| name.as_str() == secret))
    }

    fn images(&self, findings: &mut Vec<Finding<'a>>, pod: &'a PodSpec<'_>) {
        let old = self.subject.old.as_ref().and_then(|old| old.pod.as_ref());
        let old: HashSet<&str> = old
            .iter()
            .flat_map(|pod| &pod.images)
            .map(|used| &*used.image)
            .collect();
        let mut lacking: HashSet<&str> = HashSet::new();
        for used in &pod.images {
            let is_old = old.contains(&*used.image);
            match Image::parse(&used.image) {
                Err(error) => self.uncovered(findings, used, Some(error), is_old),
                Ok(image) => match self.world.policy.rule_for(&image, self.namespace) {
                    None => self.uncovered(findings, used, None, is_old),
                    Some(rule) => {
                        let mut names = rule
                            .secrets()
                            .iter()
                            .map(super::super::names::SecretName::as_str);
                        let secret = names
                            .find(|name| !pod.pull_secrets.iter().any(|listed| listed == name));
                        let is_too_late = self.subject.kind == Kind::Pod
                            && self.subject.operation == Operation::Update;
                        if let Some(secret) =
                            secret.filter(|_| is_too_late && !is_old && lacking.insert(&rule.name))
                        {
                            let fault = Fault::TooLate { rule, secret };
                            findings.push(Finding {
                                field: self.field(used.place),
                                fault,
                                effect: Effect::Warn(Mercy::None),
                            });
                        }
                    }
                },
            }
        }
    }

    fn uncovered(
        &self,
        findings: &mut Vec<Finding<'a>>,
        used: &'a ImageUse<'_>,
        error: Option<ImageError>,
        is_old: bool,
    ) {
        let effect = match (self.world.policy.unmatched(), &error) {
            (Unmatched::Allow, None) => return,
            (Unmatched::Allow, Some(_)) | (Unmatched::Warn, _) => Effect::Warn(Mercy::None),
            (Unmatched::Deny, _) => Effect::Deny,
        };
        let effect = match self
            .world
            .policy
            .unmatched_lifted(self.namespace, self.world.today)
        {
            Lifted::By(exception) => {
                let is_known = |finding: &Finding<'_>| {
                    matches!(finding.fault, Fault::Lifted { ban: None, .. })
                };
                if self.world.policy.unmatched() != Unmatched::Allow
                    && !findings.iter().any(is_known)
                {
                    let fault = Fault::Lifted {
                        ban: None,
                        exception,
                    };
                    findings.push(Finding {
                        field: self.field(used.place),
                        fault,
                        effect: Effect::Warn(Mercy::None),
                    });
                }
                return;
            }
            Lifted::Unknown => effect.soften(Mercy::UnknownLabels),
            Lifted::Not => effect,
        };
        let effect = if is_old {
            effect.soften(Mercy::Old)
        } else {
            effect
        };
        let image = &*used.image;
        let fault = error.map_or(Fault::Uncovered { image }, |error| Fault::NoImage {
            image,
            error,
        });
        findings.push(Finding {
            field: self.field(used.place),
            fault,
            effect: self.spare(effect, Running::Keep),
        });
    }

    /// A docker-type Secret under a banned name is warned of when it is made; later it passes, because rotation must work.
    fn secret(&self) -> Vec<Finding<'a>> {
        let subject = self.subject;
        let is_docker = subject
            .object
            .secret_type
            .as_deref()
            .is_some_and(|kind| DOCKER_TYPES.contains(&kind));
        if !is_docker || subject.operation != Operation::Create {
            return Vec::new();
        }
        let name: &str = match &subject.name {
            Cow::Borrowed(name) if !name.is_empty() => name,
            Cow::Owned(name) if !name.is_empty() => name,
            _ => subject.object.metadata.name.as_deref().unwrap_or_default(),
        };
        let bans = self.world.policy.bans_on(name);
        let holds = |number| {
            !matches!(
                self.world
                    .policy
                    .lifted(number, self.namespace, self.world.today),
                Lifted::By(_)
            )
        };
        let finding = |ban: &'a Ban| Finding {
            field: "metadata.name".to_owned(),
            fault: Fault::BannedName { ban },
            effect: if ban.mode == Mode::Audit {
                Effect::Audit(Mercy::None)
            } else {
                Effect::Warn(Mercy::None)
            },
        };
        bans.filter(|(number, _)| holds(*number))
            .map(|(_, ban)| finding(ban))
            .collect()
    }

    fn field(&self, place: Place) -> String {
        format!("{}{place}", self.subject.kind.path())
    }
}

impl From<Mode> for Effect {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Enforce => Self::Deny,
            Mode::Warn => Self::Warn(Mercy::None),
            Mode::Audit => Self::Audit(Mercy::None),
        }
    }
}
