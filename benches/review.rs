//! Measures the time and the allocations of the parts of a review. `cargo bench --bench review [-- FILTER]`
//!
//! Times differ between runs by a fifth and more. `cargo bench --bench instructions` counts instructions, which do not.

#![expect(clippy::expect_used, reason = "a benchmark panics on errors")]

#[path = "common/recorded.rs"]
mod recorded;
#[path = "common/scene.rs"]
#[allow(dead_code, reason = "each benchmark uses only some items")]
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

/// Measures parsing: from the body to the subject.
#[divan::bench(args = Size::ALL)]
fn parse(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    bencher
        .counter(BytesCount::of_slice(&scene.body))
        .bench_local(|| drop(black_box(scene.parse())));
}

/// Measures finding the rule for an image.
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

/// Measures the verdict: from the subject to the ruling.
#[divan::bench(args = Size::ALL)]
fn judge(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    let review = scene.parse();
    bencher.bench_local(|| drop(black_box(scene.judge(&review))));
}

/// Measures the answer: from the ruling to bytes.
#[divan::bench(args = Size::ALL)]
fn answer(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    let review = scene.parse();
    let mutation = scene.judge(&review);
    bencher.bench_local(|| drop(black_box(review.answer(&mutation))));
}

/// Measures a whole review of a pod that gets a secret.
#[divan::bench(args = Size::ALL)]
fn injected(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    bencher.bench_local(|| drop(black_box(scene.answer())));
}

/// Measures a whole review of a pod that needs nothing.
#[divan::bench(args = Size::ALL)]
fn admitted(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::with_nothing_to_do(size);
    bencher.bench_local(|| drop(black_box(scene.answer())));
}

/// Measures a whole review under the given number of rules.
#[divan::bench(args = RULES)]
fn with_rules(bencher: Bencher<'_, '_>, rules: usize) {
    let scene = Scene::new(Size::Typical).with_rules(rules);
    bencher.bench_local(|| drop(black_box(scene.answer())));
}

/// Measures a whole review with the given number of known namespaces, `ServiceAccount`s and Secrets.
#[divan::bench(args = KNOWN)]
fn with_facts(bencher: Bencher<'_, '_>, known: usize) {
    let scene = Scene::new(Size::Typical).with_facts(known);
    bencher.bench_local(|| drop(black_box(scene.answer())));
}

/// Measures all reviews recorded from a real API server, one after the other.
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

/// Measures the approach of most webhooks, for a pod that gets a secret.
#[divan::bench(args = Size::ALL)]
fn typed_and_compared(bencher: Bencher<'_, '_>, size: Size) {
    let scene = Scene::new(size);
    bencher.bench_local(|| drop(black_box(typed::answer(&scene.body, &scene.policy))));
}
