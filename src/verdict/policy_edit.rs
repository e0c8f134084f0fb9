//! The judgement of an edit of the policy.

use crate::facts::inventory::InventoryMode;
use crate::objects::kind::Kind;
use crate::objects::names;
use crate::objects::subject::{Object, Operation, Subject};
use crate::policy::source::PolicyText;
use crate::policy::{Loading, Policy};
use crate::text::diagnostic::Severity;
use crate::verdict::ruling::{Notes, Ruling};
use crate::verdict::words;
use crate::verdict::world::World;
use std::sync::atomic::AtomicBool;

/// Judges an edit of the `ConfigMap` with the policy: all faults refuse it, and warnings are shown. The old policy is
/// not judged. A `ConfigMap` that a finalizer keeps is still the policy. When another thread sets `stop`, the checks
/// end soon, with the fault that they took too long.
#[must_use]
pub fn judge<'a>(
    world: &World<'a>,
    subject: &Subject<'_>,
    stop: Option<&AtomicBool>,
) -> Ruling<'a> {
    let lacks_policy = |object: &Object<'_>| object.policy.is_none();
    let is_new = !subject.old.as_ref().is_some_and(lacks_policy);
    if is_policy(subject) && lacks_policy(&subject.object) && is_new {
        let line = format!(
            "data: the key `{}` is missing: the policy is its value",
            names::POLICY_KEY
        );
        return Ruling {
            denial: words::policy_denial(subject, &[("data".to_owned(), line)]),
            ..Ruling::admit()
        };
    }
    let Some(text) = text(subject) else {
        return Ruling::admit();
    };
    let loaded = PolicyText::Value(text).load_as(&Loading {
        stop,
        ..Loading::edit(world.today())
    });
    let (faults, warnings): (Vec<_>, Vec<_>) = loaded
        .diagnostics
        .iter()
        .partition(|diagnostic| diagnostic.severity == Severity::Fault);
    let faults: Vec<_> = faults
        .into_iter()
        .map(|fault| (fault.path.clone(), fault.line(names::POLICY_KEY)))
        .collect();
    let told = warnings
        .into_iter()
        .map(|warning| warning.line(names::POLICY_KEY));
    let told = told.chain(without_inventory(world, loaded.policy.as_ref()));
    let notes = Notes {
        warnings: words::within_limits(told, 0),
        ..Notes::default()
    };
    Ruling {
        denial: words::policy_denial(subject, &faults),
        notes,
        findings: Vec::new(),
    }
}

/// Returns a warning about the parts of a policy that have no effect while the content of Secrets is not known.
fn without_inventory(world: &World<'_>, policy: Option<&Policy>) -> Option<String> {
    let bans = policy.into_iter().flat_map(Policy::credential_bans);
    let names: Vec<_> = bans
        .map(|banned| format!("`{}`", banned.ban.name))
        .collect();
    let is_idle = world.facts.inventory_mode() != InventoryMode::Contents && !names.is_empty();
    is_idle.then(|| {
        format!(
            "bans by `credentials` do nothing here, for no Secret is read: {}; install the chart with inventory=contents",
            names.join(", ")
        )
    })
}

fn is_policy(subject: &Subject<'_>) -> bool {
    subject.kind == Kind::ConfigMap
        && subject.own_name() == Some(names::POLICY_CONFIG_MAP)
        && subject.operation != Operation::Delete
}

/// The text of a policy that a request is to put into the `ConfigMap` of the policy, where it is such a request.
#[must_use]
pub fn text<'s>(subject: &'s Subject<'_>) -> Option<&'s str> {
    let old = subject.old.as_ref().and_then(|old| old.policy.as_ref());
    let text = subject.object.policy.as_ref();
    text.filter(|text| is_policy(subject) && old != Some(text))
        .map(|text| &**text)
}
