//! Collects the references of an object to Secrets, with their origin.

use crate::facts::{Facts, ServiceAccountFacts};
use crate::objects::kind::Kind;
use crate::objects::subject::{Object, ObjectSource, Place, PodSpec, Subject};
use crate::verdict::finding::Origin;
use std::borrow::Cow;
use std::collections::HashSet;

/// A reference to a Secret, with its origin.
pub(super) struct Use<'o> {
    pub(super) place: Place,
    pub(super) secret: &'o str,
    pub(super) origin: Origin<'o>,
}

/// Returns every reference of an object, including those that its pods get from their `ServiceAccount`.
pub(super) fn uses<'o>(
    facts: &'o Facts,
    subject: &Subject<'_>,
    object: &'o Object<'_>,
) -> Vec<Use<'o>> {
    let pod = object.pod.as_ref();
    let is_filled = subject.kind == Kind::Pod && subject.source == ObjectSource::Request;
    let account = pod.map(|pod| PodServiceAccount::of(facts, &subject.namespace, pod));
    let inherited = match (&account, pod) {
        (Some(account), Some(pod)) if is_filled => account.inherited(pod),
        _ => Inherited::Nothing,
    };
    let own = object.references.iter().map(|reference| Use {
        place: reference.place,
        secret: &reference.secret,
        origin: if matches!(reference.place, Place::PullSecret(_)) {
            inherited.origin(&reference.secret)
        } else {
            Origin::Own
        },
    });
    let inheriting = pod.filter(|pod| !is_filled && pod.pull_secrets.is_empty());
    let passed_on = account
        .filter(|_| inheriting.is_some())
        .into_iter()
        .flat_map(PodServiceAccount::passed_on);
    own.chain(passed_on).collect()
}

/// The `ServiceAccount` of a pod or template, as far as it is known.
struct PodServiceAccount<'o> {
    name: &'o str,
    facts: Option<&'o ServiceAccountFacts>,
    is_absence_known: bool,
}

/// The pull secrets of a pod that come from its `ServiceAccount`.
enum Inherited<'o> {
    Nothing,
    /// Unknown, because this account is unknown.
    Possibly(&'o str),
    /// These secrets come from this account.
    From(&'o str, HashSet<&'o str>),
}

impl<'o> PodServiceAccount<'o> {
    fn of(facts: &'o Facts, namespace: &str, pod: &'o PodSpec<'_>) -> Self {
        let name = pod.service_account();
        let is_absence_known = facts.service_accounts_synced();
        Self {
            name,
            facts: facts.service_account(namespace, name),
            is_absence_known,
        }
    }

    /// The API server copies the whole list of the `ServiceAccount`, and only if the list of the pod is empty. So a pod
    /// that lacks one of these secrets got none of them.
    fn inherited(&self, pod: &PodSpec<'_>) -> Inherited<'o> {
        let Some(facts) = self.facts else {
            return if self.is_absence_known {
                Inherited::Nothing
            } else {
                Inherited::Possibly(self.name)
            };
        };
        let listed: HashSet<&str> = pod.pull_secrets.iter().map(Cow::as_ref).collect();
        let theirs: HashSet<&str> = facts.image_pull_secrets.iter().map(AsRef::as_ref).collect();
        if theirs.is_subset(&listed) {
            Inherited::From(self.name, theirs)
        } else {
            Inherited::Nothing
        }
    }

    /// The pods of a template without pull secrets get those of the `ServiceAccount`. A template with pull secrets
    /// prevents that.
    fn passed_on(self) -> impl Iterator<Item = Use<'o>> {
        let secrets = self
            .facts
            .into_iter()
            .flat_map(|facts| &facts.image_pull_secrets);
        let origin = Origin::PassedOn(self.name);
        secrets.map(move |secret| Use {
            place: Place::ServiceAccountName,
            secret,
            origin,
        })
    }
}

impl<'o> Inherited<'o> {
    fn origin(&self, secret: &str) -> Origin<'o> {
        match self {
            Self::Possibly(name) => Origin::PossiblyInherited(name),
            Self::From(name, secrets) if secrets.contains(secret) => Origin::Inherited(name),
            Self::Nothing | Self::From(..) => Origin::Own,
        }
    }
}
