//! What the parts of a review take, and how much memory they ask for. `cargo bench --bench review [-- FILTER]`
//!
//! Times differ from run to run by a fifth and more; `cargo bench --bench instructions` counts what does not.

#![expect(clippy::expect_used, reason = "it measures, or says why not")]

#[path = "common/recorded.rs"]
mod recorded;
#[path = "common/scene.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod scene;
#[path = "common/typed.rs"]
mod typed;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use jiff::Timestamp;
use jiff::civil::date;
use pullgate::admission;
use pullgate::admission::endpoint::Endpoint;
use pullgate::facts::Facts;
use pullgate::kubelet::image::Image;
use pullgate::policy::Policy;
use pullgate::policy::selector::Namespace;
use pullgate::verdict::world::{Controllers, World};
use scene::{Scene, Size};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const RULES: [usize; 4] = [10, 100, 1_000, 10_000];
const KNOWN: [usize; 3] = [0, 1_000, 50_000];

fn main() {
    divan::main();
}

/// From bytes to a subject.
#[divan::bench(args = Size::ALL)]
fn parse(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    bencher
        .counter(BytesCount::of_slice(&scene.body))
        .bench_local(|| drop(black_box(scene.parse())));
}

/// The rule for an image.
#[divan::bench(args = RULES)]
fn find_rule(bencher: Bencher<'_, '_>, rules: usize) {
    let policy = scene::policy(rules);
    let image = Image::parse("contoso.azurecr.io/shop/app:1.4").expect("an image");
    let namespace = Namespace {
        name: "team-1",
        labels: None,
    };
    bencher.bench_local(|| {
        policy
            .rule_for(black_box(&image), namespace)
            .map(|rule| rule.images.len())
    });
}

/// From a subject to what becomes of it.
#[divan::bench(args = Size::ALL)]
fn judge(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    let review = scene.parse();
    bencher.bench_local(|| drop(black_box(scene.judge(&review))));
}

/// From what becomes of it to bytes.
#[divan::bench(args = Size::ALL)]
fn answer(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    let review = scene.parse();
    let mutation = scene.judge(&review);
    bencher.bench_local(|| drop(black_box(review.answer(&mutation))));
}

/// All of it, for a pod that gets a secret.
#[divan::bench(args = Size::ALL)]
fn injected(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    bencher.bench_local(|| drop(black_box(scene.answer())));
}

/// All of it, for a pod that needs nothing.
#[divan::bench(args = Size::ALL)]
fn admitted(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::with_nothing_to_do(size);
    bencher.bench_local(|| drop(black_box(scene.answer())));
}

/// All of it, with so many rules.
#[divan::bench(args = RULES)]
fn with_rules(bencher: Bencher<'_, '_>, rules: usize) {
    let scene = Scene::new(Size::Typical).with_rules(rules);
    bencher.bench_local(|| drop(black_box(scene.answer())));
}

/// All of it, with so many namespaces, service accounts and Secrets known.
#[divan::bench(args = KNOWN)]
fn with_facts(bencher: Bencher<'_, '_>, known: usize) {
    let scene = Scene::new(Size::Typical).with_facts(known);
    bencher.bench_local(|| drop(black_box(scene.answer())));
}

/// All reviews that a real API server sent, one after the other.
#[divan::bench]
fn recorded_reviews(bencher: Bencher<'_, '_>) {
    let example = include_str!("../src/commands/example-policy.yaml");
    let policy = Policy::load(example, date(2026, 1, 1))
        .policy
        .expect("a policy");
    let (facts, controllers) = (Facts::default(), Controllers::new(Vec::new()));
    let world = World {
        policy: &policy,
        facts: &facts,
        controllers: &controllers,
        now: Timestamp::UNIX_EPOCH,
    };
    let reviews = recorded::reviews();
    bencher.bench_local(|| {
        for (endpoint, body) in &reviews {
            let review = admission::parse(body).expect("a review");
            let endpoint = Endpoint::at(endpoint).expect("an endpoint");
            let mutation = endpoint.judge(&world, &review.subject);
            drop(black_box(review.answer(&mutation)));
        }
    });
}

/// What most webhooks do, for a pod that gets a secret.
#[divan::bench(args = Size::ALL)]
fn typed_and_compared(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    bencher.bench_local(|| drop(black_box(typed::answer(&scene.body, &scene.policy))));
}
