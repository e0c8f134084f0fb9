//! Whether the pull secrets that a pod will have are there, can be read, and still work.

use crate::facts::inventory::{Inventory, SecretFacts};
use crate::kubelet::image::Image;
use crate::kubelet::keyring::Keyring;
use crate::objects::subject::{Place, PodSpec, Subject};
use crate::policy::RegistryRule;
use crate::secrets::credentials::Content;
use crate::verdict::finding::{Effect, Fault, Finding, Trouble, WhyNotDenied};
use crate::verdict::world::World;

/// A pull secret that a pod will have, or should have.
pub(super) struct Listed<'a> {
    pub(super) secret: &'a str,
    /// The field that lists it; `None` where a rule wants it.
    pub(super) place: Option<Place>,
    /// Whether it is left out because it would do harm.
    pub(super) is_withheld: bool,
}

/// What is wrong with pull secrets; nothing as long as not all Secrets are known.
pub(super) fn findings<'a>(
    world: &World<'a>,
    subject: &Subject<'_>,
    pod: &PodSpec<'_>,
    listed: impl Iterator<Item = Listed<'a>>,
) -> Vec<Finding<'a>> {
    let Some(inventory) = world.facts.inventory() else {
        return Vec::new();
    };
    let now = world.now.as_second();
    let look = |listed: Listed<'a>| {
        let facts = inventory.get(&subject.namespace, listed.secret);
        let trouble = match facts {
            None => missing(inventory, listed.secret),
            Some(facts) => trouble(facts, listed.is_withheld, now)?,
        };
        let wanted_for = match listed.place {
            None => wanted_for(world, subject, pod, listed.secret),
            Some(_) => None,
        };
        let place = wanted_for.as_ref().map(|wanted| wanted.place);
        Some(Finding {
            place: listed.place.or(place).unwrap_or(Place::ServiceAccountName),
            fault: Fault::PullSecret {
                secret: listed.secret,
                wanted_for: wanted_for.map(|wanted| (wanted.rule, wanted.registry)),
                trouble,
            },
            effect: Effect::Warn(WhyNotDenied::NotAsked),
        })
    };
    listed.filter_map(look).collect()
}

/// The rule that wants a secret for a pod, and the first image that it covers.
struct Wanted<'a> {
    rule: &'a RegistryRule,
    /// The registry of the image.
    registry: String,
    /// The field of the image.
    place: Place,
}

fn wanted_for<'a>(
    world: &World<'a>,
    subject: &Subject<'_>,
    pod: &PodSpec<'_>,
    secret: &str,
) -> Option<Wanted<'a>> {
    let namespace = world.namespace(subject);
    pod.pulled_at_start().find_map(|used| {
        let image = Image::parse(&used.image).ok()?;
        let rule = world.policy.rule_for(&image, namespace)?;
        let wants_it = rule.secret_names().any(|name| name == secret);
        wants_it.then(|| Wanted {
            rule,
            registry: image.registry().to_owned(),
            place: used.place,
        })
    })
}

fn missing<'a>(inventory: &'a Inventory, secret: &str) -> Trouble<'a> {
    let mut elsewhere = inventory.namespaces_of(secret);
    Trouble::Missing {
        elsewhere: elsewhere.next().map(|first| (first, elsewhere.count())),
    }
}

fn trouble(facts: &SecretFacts, is_withheld: bool, now: i64) -> Option<Trouble<'_>> {
    if let Content::Malformed(error) = &facts.content {
        return Some(Trouble::Malformed {
            error: *error,
            is_withheld,
        });
    }
    let credentials = facts.content.credentials();
    let works = |key: &str| {
        let mut same = credentials.iter().filter(|other| *other.key == *key);
        same.any(|other| !other.is_expired(now))
    };
    let expired = credentials
        .iter()
        .find(|credential| !works(&credential.key))?;
    Some(Trouble::Expired {
        registry: expired.registry(),
        at: expired.expires?,
    })
}

/// The secrets that would stop pulls which go well without them, and the others: the kubelet cannot read them, nobody has
/// listed them, and some image of the pod does not need them.
pub(super) fn harmful<'a>(
    world: &World<'_>,
    subject: &Subject<'_>,
    pod: &PodSpec<'_>,
    wanted: Vec<&'a str>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    let Some(inventory) = world.facts.inventory() else {
        return (Vec::new(), wanted);
    };
    let content = |name: &str| Some(&inventory.get(&subject.namespace, name)?.content);
    let is_harmful = |secret: &&str| {
        let is_malformed = matches!(content(secret), Some(Content::Malformed(_)));
        let own = pod.pull_secrets.iter().map(|name| &**name);
        let others = wanted.iter().copied().chain(own);
        let others = others.filter(|name| *name != *secret).filter_map(content);
        is_malformed
            && !pod.lists(secret)
            && some_image_is_pulled(world, subject, pod, secret, others)
    };
    wanted.iter().copied().partition(is_harmful)
}

/// Whether an image of a pod is pulled without a secret, by the content of others or because its rule does not ask for it.
fn some_image_is_pulled<'c>(
    world: &World<'_>,
    subject: &Subject<'_>,
    pod: &PodSpec<'_>,
    secret: &str,
    others: impl Iterator<Item = &'c Content>,
) -> bool {
    let mut keyring = Keyring::default();
    for credential in others.flat_map(Content::credentials) {
        keyring.add(credential.key.as_bytes(), ());
    }
    let namespace = world.namespace(subject);
    pod.pulled_at_start().any(|used| {
        Image::parse(&used.image).is_ok_and(|image| {
            let rule = world.policy.rule_for(&image, namespace);
            let asks = |rule: &RegistryRule| rule.secret_names().any(|name| name == secret);
            !rule.is_some_and(asks) || !keyring.lookup(&image).is_empty()
        })
    })
}
