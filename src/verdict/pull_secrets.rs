//! Whether the pull secrets that a pod will have are there, can be read, still work, and serve its images.

use super::distinct::{Distinct, NameList};
use crate::facts::inventory::{Inventory, SecretFacts};
use crate::kubelet::image::Image;
use crate::kubelet::keyring::{Keyring, has_glob};
use crate::objects::subject::{ImageUse, Place, PodSpec, Subject};
use crate::policy::RegistryRule;
use crate::secrets::credentials::{Content, Credential};
use crate::verdict::finding::{Effect, Fault, Finding, Trouble, WhyNotDenied};
use crate::verdict::world::World;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

/// A pull secret that a pod will have, or should have.
pub(super) struct Listed<'a> {
    pub(super) secret: &'a str,
    /// The field that lists it; `None` where a rule wants it.
    pub(super) place: Option<Place>,
    /// Whether it is left out because it would do harm.
    pub(super) is_withheld: bool,
}

/// The findings about pull secrets. As long as not all Secrets are known, only those that files prove. `uses` are the
/// rules that want some.
pub(super) fn findings<'a>(
    world: &World<'a>,
    subject: &Subject<'_>,
    uses: &[Wanted<'a>],
    listed: impl Iterator<Item = Listed<'a>>,
) -> Vec<Finding<'a>> {
    let (facts, inventory) = (world.facts, world.facts.inventory());
    if inventory.is_none() && !facts.knows_ignored_secrets() {
        return Vec::new();
    }
    let now = world.now.as_second();
    let mut wanted: HashMap<&str, &Wanted<'_>> = HashMap::new();
    for used in uses {
        for name in used.rule.secret_names() {
            wanted.entry(name).or_insert(used);
        }
    }
    // A pod may list one secret a hundred thousand times.
    let mut known: HashMap<(&str, bool), Option<Trouble<'a>>> = HashMap::new();
    let look = |listed: Listed<'a>| {
        let find = || {
            if let Some(of_type) = facts.ignored_secret_type(&subject.namespace, listed.secret) {
                return Some(Trouble::WrongType { of_type });
            }
            match inventory?.get(&subject.namespace, listed.secret) {
                None => Some(missing(inventory?, listed.secret)),
                Some(facts) => trouble(facts, listed.is_withheld, now),
            }
        };
        let key = (listed.secret, listed.is_withheld);
        let trouble = known.entry(key).or_insert_with(find).clone()?;
        let wanted = wanted.get(listed.secret);
        let wanted = wanted.filter(|_| listed.place.is_none());
        let place = wanted.map(|wanted| wanted.used.place);
        Some(Finding {
            place: listed.place.or(place).unwrap_or(Place::ServiceAccountName),
            fault: Fault::PullSecret {
                secret: listed.secret,
                wanted_for: wanted.map(|wanted| (wanted.rule, wanted.registry())),
                trouble,
            },
            effect: Effect::Warn(WhyNotDenied::NotAsked),
        })
    };
    listed.filter_map(look).collect()
}

/// The names of these secrets that are in no Secret of the namespace; none as long as not all Secrets are known.
pub(super) fn absent<'a>(
    world: &World<'_>,
    subject: &Subject<'_>,
    listed: impl Iterator<Item = Listed<'a>>,
) -> HashSet<&'a str> {
    let Some(inventory) = world.facts.inventory() else {
        return HashSet::new();
    };
    let names: HashSet<&str> = listed.map(|listed| listed.secret).collect();
    let is_absent = |name: &&str| inventory.get(&subject.namespace, name).is_none();
    names.into_iter().filter(is_absent).collect()
}

/// A rule that wants secrets for a pod, and an image that it covers. Two are equal if their rule is the same.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) used: &'a ImageUse<'a>,
    pub(super) rule: &'a RegistryRule,
}

impl PartialEq for Wanted<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.rule, other.rule)
    }
}

impl Eq for Wanted<'_> {}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.rule).hash(state);
    }
}

impl Wanted<'_> {
    /// The registry of the image.
    fn registry(&self) -> String {
        let image = Image::parse(&self.used.image);
        image.map_or_else(|_| String::new(), |image| image.registry().to_owned())
    }
}

/// How many images of a pod are looked up, and how many secrets and credentials they are compared with. Pods with more
/// secrets are left out: a tenant can list a thousand of them with 256 credentials each.
const MAX_IMAGES: usize = 64;
const MAX_SECRETS: usize = 64;
const MAX_CREDENTIALS: usize = 256;

/// The images for which no pull secret of the pod holds a credential, the first of each rule that wants secrets for
/// them.
///
/// There are other findings for secrets that are expired, malformed or not there. So there is none here as long as one
/// of the secrets is not completely known: it may hold the credential, or hold it soon.
pub(super) fn without_key<'a, L: Iterator<Item = Listed<'a>>>(
    world: &World<'a>,
    subject: &Subject<'_>,
    rules: impl Iterator<Item = (&'a ImageUse<'a>, &'a RegistryRule)>,
    listed: impl Fn() -> L,
) -> Vec<Finding<'a>> {
    let Some(inventory) = world.facts.inventory() else {
        return Vec::new();
    };
    let content = |name: &str| Some(&inventory.get(&subject.namespace, name)?.content);
    let contents = || listed().map(|listed| content(listed.secret));
    if !are_known(contents()) {
        return Vec::new();
    }
    let credentials = || contents().flatten().flat_map(Content::credentials);
    let credentials = || credentials().filter(|credential| credential.has_password());
    let is_asked = |(used, rule): &(&ImageUse<'_>, &RegistryRule)| {
        used.is_pulled_at_start() && rule.secret_names().next().is_some()
    };
    let images = rules.filter(is_asked).take(MAX_IMAGES);
    let images =
        images.filter_map(|(used, rule)| Some((used, rule, Image::parse(&used.image).ok()?)));
    // Most keys are the registry itself, and for those no keyring has to be made. Only an IPv6 address may not match
    // itself.
    let is_registry = |image: &Image<'_>| {
        let registry = image.registry();
        !registry.starts_with('[') && credentials().any(|known| *known.key == *registry)
    };
    let mut others = images.filter(|(.., image)| !is_registry(image)).peekable();
    if others.peek().is_none() {
        return Vec::new();
    }
    let mut keyring = Keyring::default();
    credentials().for_each(|credential| keyring.add(credential.key.as_bytes(), ()));
    let mut told = HashSet::new();
    let find = |(used, rule, image): (&'a ImageUse<'a>, &'a RegistryRule, Image<'a>)| {
        let lacks = keyring.lookup(&image).is_empty() && told.insert(std::ptr::from_ref(rule));
        let secret = rule.secret_names().next().filter(|_| lacks)?;
        let own = content(secret).map_or(&[][..], Content::credentials);
        let other = own.iter().find(|credential| credential.has_password());
        Some(Finding {
            place: used.place,
            fault: Fault::NoKey {
                rule,
                registry: image.registry().to_owned(),
                secret,
                other: other.map(|credential| &*credential.key),
            },
            effect: Effect::Warn(WhyNotDenied::NotAsked),
        })
    };
    others.filter_map(find).collect()
}

/// Whether all contents are known, and not more than can be compared.
fn are_known<'c>(contents: impl Iterator<Item = Option<&'c Content>>) -> bool {
    let (mut secrets, mut credentials, mut globs) = (0, 0, 0);
    for content in contents {
        let Some(Content::Credentials(known)) = content else {
            return false;
        };
        let has_glob = |credential: &&Credential| has_glob(credential.registry().as_bytes());
        secrets += 1;
        credentials += known.len();
        globs += known.iter().filter(has_glob).count();
        if secrets > MAX_SECRETS || credentials > MAX_CREDENTIALS || globs > MAX_GLOBS {
            return false;
        }
    }
    true
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
    let is_working = |credential: &&Credential| !credential.is_expired(now);
    let working = credentials.iter().filter(is_working);
    let working: HashSet<&str> = working.map(|credential| &*credential.key).collect();
    let expired = credentials
        .iter()
        .find(|credential| !working.contains(&*credential.key))?;
    Some(Trouble::Expired {
        registry: expired.registry(),
        at: expired.expires?,
    })
}

/// How many keys with a glob in their host are tried for each image. Each has to be compared, and a pod may list a
/// thousand secrets with 256 keys each.
const MAX_GLOBS: usize = 64;

/// The wanted secrets that would stop pulls which go well without them: the kubelet cannot read them, the pod
/// does not list them, and some image of the pod does not need them. `uses` are the rules of the images that are pulled
/// when the pod starts.
pub(super) fn harmful<'a>(
    world: &World<'_>,
    subject: &Subject<'_>,
    pod: &PodSpec<'_>,
    own: &NameList<'_>,
    uses: &[Wanted<'_>],
    wanted: &Distinct<&'a str>,
) -> Distinct<&'a str> {
    let Some(inventory) = world.facts.inventory() else {
        return Distinct::default();
    };
    let content = |name: &str| Some(&inventory.get(&subject.namespace, name)?.content);
    let is_unreadable =
        |name: &&str| matches!(content(name), Some(Content::Malformed(_))) && !own.contains(name);
    let wanted = wanted.as_slice().iter().copied();
    let (unreadable, readable): (Vec<_>, Vec<_>) = wanted.partition(is_unreadable);
    if unreadable.is_empty() {
        return Distinct::default();
    }
    // An unreadable Secret holds no credential, so one keyring serves for all of them.
    let own = pod.pull_secrets.iter().map(AsRef::as_ref);
    let others: Distinct<&str> = readable.into_iter().chain(own).collect();
    let others = others.as_slice().iter().filter_map(|name| content(name));
    if some_image_is_pulled(world, subject, pod, others) {
        return unreadable.into_iter().collect();
    }
    // The number of rules that name a secret: an image is pulled without it if its rule does not name it.
    let mut askers: HashMap<&str, usize> = HashMap::new();
    for used in uses {
        let names: HashSet<&str> = used.rule.secret_names().collect();
        for name in names {
            *askers.entry(name).or_default() += 1;
        }
    }
    let is_spared = |name: &&str| askers.get(name) != Some(&uses.len());
    unreadable.into_iter().filter(is_spared).collect()
}

/// Returns whether an image of a pod can be pulled with these secrets, or has no rule that asks for one.
fn some_image_is_pulled<'c>(
    world: &World<'_>,
    subject: &Subject<'_>,
    pod: &PodSpec<'_>,
    contents: impl Iterator<Item = &'c Content>,
) -> bool {
    let mut keyring = Keyring::default();
    let mut globs = 0;
    for credential in contents.flat_map(Content::credentials) {
        let host = credential.key.split('/').next().unwrap_or_default();
        globs += usize::from(has_glob(host.as_bytes()));
        if globs <= MAX_GLOBS || !has_glob(host.as_bytes()) {
            keyring.add(credential.key.as_bytes(), ());
        }
    }
    let rules = world.policy.rules_in(world.namespace(subject));
    pod.pulled_at_start().any(|used| {
        Image::parse(&used.image).is_ok_and(|image| {
            rules.rule_for(&image).is_none() || !keyring.lookup(&image).is_empty()
        })
    })
}
