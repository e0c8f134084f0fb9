//! Finds the faults of an object, and decides their effects.

use super::bans::{BanOn, bans_on};
use super::coverage::{self, Coverage};
use super::grounds::{self, Holder};
use super::references::{Use, uses};
use crate::kubelet::docker_config::Form;
use crate::kubelet::image::ImageError;
use crate::objects::kind::Kind;
use crate::objects::subject::{ImageUse, Object, Operation, Place, PodSpec, Subject};
use crate::policy::selector::{Match, Namespace};
use crate::policy::{Ban, CredentialBan, Lifted, Mode, RegistryRule, Running, Unmatched};
use crate::verdict::finding::{Effect, Fault, Finding, Grounds, WhyNotDenied};
use crate::verdict::world::World;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use std::cell::OnceCell;

/// Returns all faults of a subject under a policy, in the order of its fields. Takes time in proportion to the size of
/// the object, because any user who may create a Pod chooses that size.
pub(super) fn guard<'a>(
    world: &World<'a>,
    subject: &'a Subject<'_>,
    coverage: &Coverage<'a>,
    phase: Phase,
) -> Vec<Finding<'a>> {
    let namespace = world.namespace(subject);
    let exempt = world.policy.exempt(namespace);
    if subject.operation == Operation::Delete || exempt == Match::Yes {
        return Vec::new();
    }
    let mut judge = Judge {
        world: *world,
        subject,
        coverage,
        phase,
        namespace,
        by_controller: world.controllers.created(subject),
        may_be_exempt: exempt == Match::Unknown,
        lifted: HashMap::new(),
        injected: OnceCell::new(),
        findings: Vec::new(),
    };
    if subject.kind == Kind::Secret {
        judge.secret();
    } else {
        judge.object();
    }
    judge.findings
}

/// The phase of admission in which a subject is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Another webhook may still change the object.
    Mutation,
    /// The object is final.
    Validation,
}

struct Judge<'a, 'c> {
    world: World<'a>,
    subject: &'a Subject<'a>,
    coverage: &'c Coverage<'a>,
    phase: Phase,
    namespace: Namespace<'a>,
    by_controller: bool,
    may_be_exempt: bool,
    /// For each ban (or `unmatched`, as `None`), whether an exception lifts it. An exception in use is reported once.
    lifted: HashMap<Option<usize>, Lifted<'a>>,
    /// The secrets that the policy injects into pods of this subject.
    injected: OnceCell<HashSet<&'a str>>,
    findings: Vec<Finding<'a>>,
}

impl<'a> Judge<'a, '_> {
    fn object(&mut self) {
        let uses_of = |object| uses(self.world.facts, self.subject, object);
        let old: Vec<Use<'_>> = self.subject.old.iter().flat_map(uses_of).collect();
        let old: HashSet<&str> = old.iter().map(|used| used.secret).collect();
        let uses = uses_of(&self.subject.object);
        // A tenant may name one secret a hundred thousand times, so its bans are looked up once.
        let mut known: HashMap<&str, Vec<BanOn<'a>>> = HashMap::new();
        for used in uses {
            let is_old = old.contains(used.secret);
            let find = || bans_on(&self.world, self.namespace, used.secret);
            for banned in known.entry(used.secret).or_insert_with(find).iter() {
                self.banned(&used, banned.clone(), is_old);
            }
        }
        if let Some(pod) = &self.subject.object.pod {
            self.images(pod);
        }
    }

    fn banned(&mut self, used: &Use<'a>, banned: BanOn<'a>, is_old: bool) {
        let BanOn {
            number,
            ban,
            grounds,
            why_not_denied,
        } = banned;
        if self.is_excused(is_old) {
            return;
        }
        let Some(mut effect) = self.unless_lifted(Some((number, ban)), used.place, ban.mode.into())
        else {
            return;
        };
        if let Some(why) = why_not_denied {
            effect = effect.downgrade(why);
        }
        if is_old {
            effect = effect.downgrade(WhyNotDenied::AlreadyThere);
        }
        let may_be_ours =
            self.subject.kind == Kind::Pod && matches!(used.place, Place::PullSecret(_));
        if effect == Effect::Deny && may_be_ours && self.injects(used.secret) {
            effect = effect.downgrade(WhyNotDenied::InjectedByPolicy);
        }
        let is_pull_secret = matches!(used.place, Place::PullSecret(_) | Place::ServiceAccountName);
        let fault = Fault::Banned {
            secret: used.secret,
            ban,
            is_pull_secret,
            origin: used.origin,
            grounds,
        };
        self.add(
            used.place,
            fault,
            self.downgrade_by_circumstance(effect, ban.running),
        );
    }

    /// Returns whether a finding is left out: an object that is being deleted held this before, and a warning would be
    /// useless.
    fn is_excused(&self, is_old: bool) -> bool {
        is_old && self.subject.is_deleting()
    }

    /// Returns the effect, or `None` if an exception lifts the ban. The exception is reported once.
    fn unless_lifted(
        &mut self,
        ban: Option<(usize, &'a Ban)>,
        place: Place,
        effect: Effect,
    ) -> Option<Effect> {
        let number = ban.map(|(number, _)| number);
        let (policy, namespace, today) = (self.world.policy, self.namespace, self.world.today());
        let is_first = !self.lifted.contains_key(&number);
        let lifted = *self.lifted.entry(number).or_insert_with(|| match number {
            Some(number) => policy.lifted(number, namespace, today),
            None => policy.unmatched_lifted(namespace, today),
        });
        match lifted {
            Lifted::Not => Some(effect),
            Lifted::Unknown => Some(effect.downgrade(WhyNotDenied::LabelsUnknown)),
            Lifted::By(exception) => {
                if is_first && !matches!(effect, Effect::Audit(_)) {
                    let fault = Fault::Lifted {
                        ban: ban.map(|(_, ban)| ban),
                        exception,
                    };
                    self.add(place, fault, Effect::Warn(WhyNotDenied::NotAsked));
                }
                None
            }
        }
    }

    /// Downgrades a denial where it would stop a running workload, or where the namespace may be exempt.
    fn downgrade_by_circumstance(&self, effect: Effect, running: Running) -> Effect {
        let effect = if self.may_be_exempt {
            effect.downgrade(WhyNotDenied::LabelsUnknown)
        } else {
            effect
        };
        if effect == Effect::Deny && self.by_controller && running == Running::Keep {
            return Effect::Audit(WhyNotDenied::AdmittedEarlier);
        }
        effect
    }

    /// Returns whether the policy itself puts this secret into pods here. A denial would refuse the policy's own
    /// injection.
    fn injects(&self, secret: &str) -> bool {
        let injected = self.injected.get_or_init(|| {
            let rules = self.coverage.rules();
            rules.flat_map(|(_, rule)| rule.secret_names()).collect()
        });
        injected.contains(secret)
    }

    fn images(&mut self, pod: &'a PodSpec<'_>) {
        let old = self
            .subject
            .old
            .iter()
            .filter_map(|old| old.pod.as_ref())
            .flat_map(|pod| &pod.images);
        let old: HashSet<&str> = old.map(|used| &*used.image).collect();
        let may_lack = self.is_too_late();
        let mut lacking: HashSet<&str> = HashSet::new();
        let listed: OnceCell<HashSet<&str>> = OnceCell::new();
        for (used, covering) in self.coverage.images() {
            let is_old = old.contains(&*used.image);
            match covering {
                Err(error) => self.uncovered(used, Some(error.clone()), is_old),
                Ok(None) => self.uncovered(used, None, is_old),
                Ok(Some(rule)) if may_lack && !is_old && lacking.insert(&rule.name) => {
                    let names = || pod.pull_secrets.iter().map(AsRef::as_ref).collect();
                    self.too_late(listed.get_or_init(names), used, rule);
                }
                Ok(Some(_)) => {}
            }
        }
    }

    /// Returns whether a missing pull secret cannot be added any more: the list of a Pod is immutable after its
    /// creation.
    fn is_too_late(&self) -> bool {
        self.subject.kind == Kind::Pod
            && self.subject.operation == Operation::Update
            && !self.world.injection_is_off(self.subject)
    }

    fn too_late(&mut self, listed: &HashSet<&str>, used: &ImageUse<'_>, rule: &'a RegistryRule) {
        let lacks = |name: &&str| !listed.contains(name);
        if let Some(secret) = rule.secret_names().find(lacks) {
            self.add(
                used.place,
                Fault::TooLate { rule, secret },
                Effect::Warn(WhyNotDenied::NotAsked),
            );
        }
    }

    fn uncovered(&mut self, used: &'a ImageUse<'_>, error: Option<ImageError>, is_old: bool) {
        if self.is_excused(is_old) {
            return;
        }
        let effect = match (self.world.policy.unmatched(), &error) {
            (Unmatched::Allow, None) => return,
            // The policy accepts every image, but no node can pull this one.
            (Unmatched::Allow, Some(_)) => Some(Effect::Warn(WhyNotDenied::NotAsked)),
            (Unmatched::Warn, _) => {
                self.unless_lifted(None, used.place, Effect::Warn(WhyNotDenied::NotAsked))
            }
            (Unmatched::Deny, _) => self.unless_lifted(None, used.place, Effect::Deny),
        };
        let Some(effect) = effect else { return };
        let effect = if is_old {
            effect.downgrade(WhyNotDenied::AlreadyThere)
        } else if self.coverage.is_placeholder(used) == Match::Unknown {
            effect.downgrade(WhyNotDenied::LabelsUnknown)
        } else {
            effect
        };
        let image = &*used.image;
        // The workload was admitted because something would replace `auto`. Nothing did, so no review has judged the
        // image that this pod pulls. Before the end of the mutating phase Istio may still come.
        let is_unjudged = self.subject.kind == Kind::Pod && coverage::is_auto(image);
        let running = if is_unjudged && self.phase == Phase::Validation {
            Running::Deny
        } else {
            Running::Keep
        };
        let fault = error.map_or(Fault::Uncovered { image }, |error| Fault::NoImage {
            image,
            error,
        });
        self.add(
            used.place,
            fault,
            self.downgrade_by_circumstance(effect, running),
        );
    }

    /// Judges a docker-type Secret by its name and by its content.
    fn secret(&mut self) {
        self.name_of_secret();
        self.content_of_secret();
    }

    /// Judges the credentials in a Secret. An update may keep a banned credential that the Secret held before, so that
    /// it can be rotated out gradually.
    fn content_of_secret(&mut self) {
        let (subject, world) = (self.subject, self.world);
        let key = world.facts.fingerprint_key();
        let reduce = |object: &Object<'_>| {
            let content = object.content.as_ref();
            content.map(|content| content.reduce(key))
        };
        let mut bans = world.policy.credential_bans().peekable();
        let Some(new) = bans.peek().and_then(|_| reduce(&subject.object)) else {
            return;
        };
        let old = subject.old.as_ref().and_then(reduce);
        let form = subject.object.secret_type.as_deref().and_then(Form::of);
        let place = Place::Data(form.map_or("", Form::key));
        for CredentialBan {
            number,
            ban,
            clause,
        } in bans
        {
            let find = |content, holder| grounds::of_secret(&world, clause, content, holder);
            let Some(grounds) = find(&new, Holder::With(self.namespace.name)) else {
                continue;
            };
            // A guess was admitted with a warning before. It does not excuse a certain match now.
            let old = old.as_ref().and_then(|old| find(old, Holder::Known));
            let is_old = old.is_some_and(|old| grounds.is_guess() || !old.is_guess())
                || find(&new, Holder::Joining(self.namespace.name)).is_none();
            if self.is_excused(is_old) {
                continue;
            }
            let Some(effect) = self.unless_lifted(Some((number, ban)), place, ban.mode.into())
            else {
                continue;
            };
            let effect = match (is_old, grounds.is_guess()) {
                (true, _) => effect.downgrade(WhyNotDenied::AlreadyThere),
                (_, true) => effect.downgrade(WhyNotDenied::Uncertain),
                _ => effect,
            };
            let effect = self.downgrade_by_circumstance(effect, ban.running);
            self.add(place, Fault::BannedSecret { ban, grounds }, effect);
        }
    }

    /// Warns when a Secret is created under a banned name. Updates pass without a warning, because rotation must work.
    fn name_of_secret(&mut self) {
        let subject = self.subject;
        let is_docker = subject
            .object
            .secret_type
            .as_deref()
            .and_then(Form::of)
            .is_some();
        if !is_docker || subject.operation != Operation::Create {
            return;
        }
        for (number, ban) in self
            .world
            .policy
            .bans_on(subject.own_name().unwrap_or_default())
        {
            if let Some(effect) =
                self.unless_lifted(Some((number, ban)), Place::Name, ban.mode.into())
            {
                let grounds = Grounds::Name;
                let fault = Fault::BannedSecret { ban, grounds };
                self.add(Place::Name, fault, effect.downgrade(WhyNotDenied::NotAsked));
            }
        }
    }

    fn add(&mut self, place: Place, fault: Fault<'a>, effect: Effect) {
        self.findings.push(Finding {
            place,
            fault,
            effect,
        });
    }
}

impl From<Mode> for Effect {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Enforce => Self::Deny,
            Mode::Warn => Self::Warn(WhyNotDenied::NotAsked),
            Mode::Audit => Self::Audit(WhyNotDenied::NotAsked),
        }
    }
}
