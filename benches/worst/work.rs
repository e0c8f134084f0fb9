//! The work that the cases measure, under a policy and in a cluster that make it expensive.

use super::bodies::{self, HEAD};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use pullgate::admission;
use pullgate::admission::endpoint::Endpoint;
use pullgate::facts::Facts;
use pullgate::facts::inventory::{Inventory, InventoryMode, Names, SecretFacts};
use pullgate::kubelet::docker_config::Form;
use pullgate::objects::kind::Kind;
use pullgate::objects::manifest;
use pullgate::policy::Policy;
use pullgate::reports::check::{Input, Report, Settings};
use pullgate::reports::impact::{Extent, Impact};
use pullgate::secrets::credentials::{Content, FingerprintKey, SecretContent};
use pullgate::verdict::world::{Controllers, World};
use serde_json::Value;
use std::hint::black_box;
use std::rc::Rc;
use zeroize::Zeroizing;

const TODAY: Date = date(2026, 1, 1);

/// The work on an input.
pub(crate) struct Work {
    /// The length of the input, in bytes.
    pub(crate) bytes: usize,
    /// Does the work once.
    pub(crate) run: Box<dyn Fn()>,
}

/// A policy and a cluster that make verdicts expensive.
struct Stage {
    policy: Policy,
    facts: Facts,
    controllers: Controllers,
}

impl Stage {
    /// Returns the stage of this thread.
    fn shared() -> Rc<Self> {
        thread_local! {
            static STAGE: Rc<Stage> = Rc::new(Stage::new());
        }
        STAGE.with(Rc::clone)
    }

    /// Builds a policy that uses every feature, and a cluster with known Secrets.
    fn new() -> Self {
        let tenants = (0..1_000).map(|i| {
            format!("- {{name: tenant-{i}, images: [tenants.io], secrets: [t-{i}], namespaces: {{names: ['t{i}-*']}}}}\n")
        });
        let each = (0..2_000)
            .map(|i| format!("- {{name: each-{i}, images: [each.io/{i}], secrets: [each-{i}]}}\n"));
        let bad: Vec<_> = (0..16).map(|i| format!("bad-{i}")).collect();
        let text = format!(
            "{HEAD}unmatched: warn\nbans:\n- {{name: legacy, secrets: ['legacy-*', '*-a-*-b', '*z'], reason: r, contact: c}}\n\
             - {{name: admin, credentials: {{class: [admin]}}}}\n- {{name: spread, credentials: {{sharedAcrossNamespaces: 3}}, mode: warn}}\n\
             registries:\n- {{name: many, images: [many.io], secrets: [{}]}}\n- {{name: reg, images: [reg.io], secrets: [s]}}\n{}{}",
            bad.join(", "),
            tenants.collect::<String>(),
            each.collect::<String>()
        );
        let loaded = Policy::load(&text, TODAY);
        let key = FingerprintKey::new(&[7; FingerprintKey::LENGTH]).expect("a key");
        let mut facts = Facts::default();
        let (mut inventory, mut names) = (Inventory::default(), Names::default());
        let mut set = |namespace: &str, name: &str, content: &str| {
            let facts = SecretFacts {
                form: Form::ConfigJson,
                content: reduce(content, Some(&key)),
                changed: None,
            };
            inventory.set(namespace, name, Some(facts), &mut names);
        };
        let wide = bodies::docker_config(bodies::ENTRIES);
        (0..8).for_each(|i| set("ns", &format!("wide-{i}"), &wide));
        for name in &bad {
            set("ns", name, "{");
        }
        (0..500).for_each(|i| set(&format!("other-{i}"), "gone-1", "{\"auths\":{}}"));
        facts.set_inventory_mode(InventoryMode::Contents, Some(key));
        facts.set_inventory(inventory);
        facts.set_service_accounts_synced();
        facts.set_labels("ns", Some([("t".into(), "x".into())].into()));
        Self {
            policy: loaded.policy.expect("a policy"),
            facts,
            controllers: Controllers::new(Vec::new()),
        }
    }

    fn world(&self) -> World<'_> {
        World {
            policy: &self.policy,
            facts: &self.facts,
            controllers: &self.controllers,
            now: Timestamp::UNIX_EPOCH,
        }
    }
}

fn reduce(content: &str, key: Option<&FingerprintKey>) -> Content {
    let bytes = Zeroizing::new(content.as_bytes().to_vec());
    SecretContent::new(Form::ConfigJson, bytes)
        .expect("not empty")
        .reduce(key)
}

/// Returns the work of a whole review: parse, look for missing Secrets, judge, answer.
pub(crate) fn reviewed(endpoint: Endpoint, body: Vec<u8>) -> Work {
    let stage = Stage::shared();
    Work {
        bytes: body.len(),
        run: Box::new(move || {
            let review = admission::parse(&body).expect("a review");
            black_box(pullgate::verdict::lacking_secrets(
                &stage.world(),
                &review.subject,
            ));
            let mutation = endpoint.judge(&stage.world(), &review.subject);
            drop(black_box(review.answer(&mutation)));
        }),
    }
}

pub(crate) fn mutated(spec: Value) -> Work {
    reviewed(Endpoint::Mutate, bodies::with_spec(Kind::Pod, spec))
}

pub(crate) fn deployment(spec: Value) -> Work {
    reviewed(
        Endpoint::Validate,
        bodies::with_spec(Kind::Deployment, spec),
    )
}

pub(crate) fn policy(text: String) -> Work {
    Work {
        bytes: text.len(),
        run: Box::new(move || drop(black_box(Policy::load(&text, TODAY)))),
    }
}

pub(crate) fn configuration(content: String) -> Work {
    Work {
        bytes: content.len(),
        run: Box::new(move || drop(black_box(reduce(&content, None)))),
    }
}

pub(crate) fn yaml(text: String) -> Work {
    Work {
        bytes: text.len(),
        run: Box::new(move || drop(black_box(manifest::read(&text)))),
    }
}

pub(crate) fn checked(text: String, show: fn(&Report)) -> Work {
    let stage = Stage::shared();
    Work {
        bytes: text.len(),
        run: Box::new(move || {
            let mut report = Report::default();
            let input = Input {
                name: "all.yaml".to_owned(),
                text: text.clone(),
                is_policy: false,
            };
            let settings = Settings {
                policy: &stage.policy,
                namespace: "ns",
                now: Timestamp::UNIX_EPOCH,
                strict_names: true,
            };
            report.add_manifests(vec![input], &settings);
            show(&report);
        }),
    }
}

/// Returns the work of previewing a policy edit on one workload.
pub(crate) fn previewed(bytes: usize) -> Work {
    let stage = Stage::shared();
    let after = Policy::load(&bodies::policy_of_selectors(10_000), TODAY)
        .policy
        .expect("a policy");
    let body = bodies::with_spec(Kind::Deployment, bodies::busy_spec(bytes));
    Work {
        bytes: body.len(),
        run: Box::new(move || {
            let review = admission::parse(&body).expect("a review");
            let mut impact = Impact::default();
            impact.add(&stage.world(), &after, &review.subject);
            black_box(impact.warnings(Extent::All));
        }),
    }
}
