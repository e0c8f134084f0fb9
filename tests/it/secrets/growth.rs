//! Tests of the cost of an object that names secrets or images many times. Each secret is looked at once.

use super::{POLICY, auths, facts, key, pod};
use crate::support::{Setting, create};
use pullgate::facts::inventory::{Inventory, InventoryMode, Names};
use serde_json::{Value, json};

/// How many secrets a rule injects that cannot be read.
const UNREADABLE: usize = 50;

/// A world in which the secrets `wide-N` have as many entries as are kept, one of which is banned, and those of a rule
/// cannot be read.
fn world() -> Setting {
    let names: Vec<_> = (0..UNREADABLE).map(|i| format!("bad-{i}")).collect();
    let rule = format!(
        "  - {{name: many, images: [many.io], secrets: [{}]}}\nbans:",
        names.join(", ")
    );
    let mut setting = Setting::new(&POLICY.replacen("bans:", &rule, 1));
    setting
        .facts
        .set_inventory_mode(InventoryMode::Contents, Some(key()));
    let hosts: Vec<_> = (0..255).map(|i| format!("host-{i}.example.com")).collect();
    let mut entries: Vec<_> = hosts
        .iter()
        .map(|host| (host.as_str(), "robot", "x"))
        .collect();
    entries.push(("contoso.azurecr.io", "contoso", "s3cret"));
    let wide = auths(&entries);
    let (mut inventory, mut names) = (Inventory::default(), Names::default());
    for i in 0..8 {
        inventory.set("ns", &format!("wide-{i}"), Some(facts(&wide)), &mut names);
    }
    for i in 0..UNREADABLE {
        inventory.set("ns", &format!("bad-{i}"), Some(facts("{")), &mut names);
    }
    setting.facts.set_inventory(inventory);
    setting.facts.set_service_accounts_synced();
    setting
}

fn deployment(pod: &Value) -> Value {
    let template = json!({"spec": pod["request"]["object"]["spec"]});
    create(
        "apps",
        "Deployment",
        json!({"metadata": {"name": "web"}, "spec": {"template": template}}),
    )
}

/// Allocations for each of the things of which the object has so many. Parsing is the same for all, and small.
fn allocations_each(count: u64, ask: impl Fn()) -> u64 {
    allocation_counter::measure(ask).count_total / count
}

#[test]
fn a_secret_that_is_named_many_times_is_judged_once() {
    let setting = world();
    let review = deployment(&pod(&["x.io/a"], &vec!["wide-0"; 2_000]));
    let answer = setting.validate(&review);
    assert!(!answer.allowed(), "{answer:?}");
    let each = allocations_each(2_000, || drop(setting.validate(&review)));
    assert!(
        each < 60,
        "{each} allocations for each reference, of a secret with 256 entries"
    );
}

/// Each image is looked up in one keyring, which is made once.
#[test]
fn images_are_looked_up_in_one_keyring() {
    let setting = world();
    let images: Vec<_> = (0..2_000).map(|i| format!("many.io/{i}")).collect();
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    let secrets: Vec<_> = (0..8).map(|i| format!("wide-{i}")).collect();
    let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
    let review = pod(&images, &secrets);
    let each = allocations_each(2_000, || drop(setting.mutate(&review)));
    assert!(
        each < 60,
        "{each} allocations for each image, of a keyring with 2 048 entries"
    );
}

/// A pod may list a thousand secrets that each hold as many credentials as are kept: they are not all compared with its
/// images.
#[test]
fn the_credentials_that_images_are_compared_with_are_limited() {
    let mut setting = Setting::new(POLICY);
    setting
        .facts
        .set_inventory_mode(InventoryMode::Contents, Some(key()));
    let hosts: Vec<_> = (0..256).map(|i| format!("host-{i}.example.com")).collect();
    let entries: Vec<_> = hosts
        .iter()
        .map(|host| (host.as_str(), "robot", "x"))
        .collect();
    let (mut inventory, mut names) = (Inventory::default(), Names::default());
    let wide = facts(&auths(&entries));
    let secrets: Vec<_> = (0..1_000).map(|i| format!("wide-{i}")).collect();
    for secret in secrets.iter().chain([&"contoso-pull".to_owned()]) {
        inventory.set("ns", secret, Some(wide.clone()), &mut names);
    }
    setting.facts.set_inventory(inventory);
    setting.facts.set_service_accounts_synced();
    let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
    let images: Vec<_> = (0..1_000)
        .map(|i| format!("contoso.azurecr.io/{i}"))
        .collect();
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    let cost = |count: usize| {
        let review = pod(&images[..count], &secrets[..count]);
        allocations_each(count as u64, || drop(setting.mutate(&review)))
    };
    assert!(
        cost(1_000) <= cost(500) + 1,
        "{} {}",
        cost(1_000),
        cost(500)
    );
    assert!(cost(1_000) < 60, "{}", cost(1_000));
    // One secret is compared with the first images.
    let told = setting.mutate(&pod(&images, &[])).warnings().join("\n");
    assert!(
        told.contains("has a credential for contoso.azurecr.io"),
        "{told}"
    );
}
