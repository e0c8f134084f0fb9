//! Tests of the limits of a policy, and of the cost of loading a large one.

use super::{HEAD, TODAY};
use pullgate::policy::{Loaded, Loading, Policy};
use pullgate::text::diagnostic::Severity;
use std::sync::atomic::{AtomicBool, Ordering};

/// A policy of a size.
type Policies = fn(usize) -> String;

/// Entries of a list in one line, each from its number.
fn list(numbers: std::ops::Range<usize>, entry: impl Fn(usize) -> String) -> String {
    numbers.map(entry).collect::<Vec<_>>().join(",")
}

/// Entries of a list, a line each.
fn lines(numbers: std::ops::Range<usize>, entry: impl Fn(usize) -> String) -> String {
    numbers.map(entry).collect::<Vec<_>>().concat()
}

fn rules(count: usize) -> String {
    let rule = |i| format!("- {{name: r{i}, images: [a.b/{i}], public: true}}\n");
    format!("registries:\n{}", lines(0..count, rule))
}

fn patterns(count: usize) -> String {
    let images = list(0..count, |i| format!("a.b/{i:x}"));
    format!("registries:\n- {{name: a, images: [{images}], public: true}}\n")
}

/// In a rule, an exception and `exempt`.
fn namespace_globs(count: usize) -> String {
    let names = list(0..count - 2, |i| format!("'n{i}-*'"));
    format!(
        "registries:\n- {{name: a, images: [a.b], public: true, namespaces: {{names: [{names}]}}}}\nexceptions:\n\
         - {{unmatched: true, namespaces: {{names: [x]}}, owner: o, reason: r, expires: 2099-01-31}}\n\
         exempt: {{namespaces: {{names: [y]}}}}\n"
    )
}

#[test]
fn above_a_limit_an_edit_is_refused_and_a_policy_in_force_stays() {
    let limits: [(Policies, usize, &str, &str); 3] = [
        (rules, 10_000, "registry rules", "registries[10000]"),
        (patterns, 100_000, "image patterns", "registries[0].images"),
        (
            namespace_globs,
            20_000,
            "globs of namespaces",
            "exempt.namespaces.names",
        ),
    ];
    for (policy, limit, of, path) in limits {
        let load = |count: usize, loading: Loading<'_>| {
            Policy::load_as(&format!("{HEAD}{}", policy(count)), &loading)
        };
        let at_the_limit = load(limit, Loading::edit(TODAY));
        assert_eq!(at_the_limit.diagnostics, [], "{of}");
        assert!(at_the_limit.policy.is_some(), "{of}");
        let said = |loaded: &Loaded| {
            let said = loaded.diagnostics.iter();
            let said = said.map(|told| (told.severity, told.path.clone(), told.message.clone()));
            said.collect::<Vec<_>>()
        };
        let message = format!("{} {of}; a policy has at most {limit}", limit + 1);
        let edit = load(limit + 1, Loading::edit(TODAY));
        assert_eq!(
            said(&edit),
            [(Severity::Fault, path.to_owned(), message.clone())]
        );
        assert!(edit.policy.is_none(), "{of}");
        let in_force = load(limit + 1, Loading::in_force(TODAY));
        assert_eq!(
            said(&in_force),
            [(Severity::Warning, path.to_owned(), message)]
        );
        assert!(in_force.policy.is_some(), "{of}");
    }
}

/// The memory of a valid policy and the diagnostics of a bad one grow with the text, not with products of its lists.
#[test]
fn loading_allocates_in_proportion_to_the_text() {
    let names_and_patterns = |n: usize| {
        let names = list(0..n, |i| format!("n{i:05}"));
        let images = list(0..n, |i| format!("a.b/{i:05}"));
        format!(
            "registries:\n- {{name: a, images: [{images}], public: true, namespaces: {{names: [{names}]}}}}\n"
        )
    };
    let hosts_and_ports = |n: usize| {
        let images = list(0..n, |i| format!("'*.h{i:05}*.b:{i:05}'"));
        format!("registries:\n- {{name: a, images: [{images}], public: true}}\n")
    };
    let exceptions = |n: usize| {
        let names = list(0..n, |i| format!("b{i:05}"));
        let bans = lines(0..n, |i| format!("- {{name: b{i:05}, secrets: [x]}}\n"));
        format!(
            "bans:\n{bans}exceptions:\n- {{bans: [{names}], namespaces: {{names: [x]}}, owner: o, reason: r, expires: 2099-01-31}}\n"
        )
    };
    let aliases = |n: usize| {
        let all = list(0..n, |_| "*b".to_owned());
        format!(
            "bans:\n- &b {{name: b, secrets: [x], reason: {}}}\n- {{name: c, secrets: [{all}]}}\n",
            "r".repeat(20 * n)
        )
    };
    let suggestions = |n: usize| {
        let name = |i: usize| format!("{i:05}-{}", "x".repeat(57));
        let bans = lines(0..n, |i| format!("- {{name: {}, secrets: [x]}}\n", name(i)));
        let unknown = list(n..2 * n, name);
        format!(
            "bans:\n{bans}exceptions:\n- {{bans: [{unknown}], namespaces: {{names: [x]}}, owner: o, reason: r, expires: 2099-01-31}}\n"
        )
    };
    let policies: [(&str, &dyn Fn(usize) -> String); 5] = [
        ("names and patterns", &names_and_patterns),
        ("hosts and ports", &hosts_and_ports),
        ("exceptions", &exceptions),
        ("aliases", &aliases),
        ("suggestions", &suggestions),
    ];
    for (name, policy) in policies {
        let allocated = |n: usize| {
            let text = format!("{HEAD}{}", policy(n));
            let info = allocation_counter::measure(|| drop(Policy::load(&text, TODAY)));
            info.bytes_total
        };
        let (half, whole) = (allocated(2_500), allocated(5_000));
        assert!(
            whole <= half * 23 / 10,
            "{name}: {half} bytes for half of it, {whole} for all"
        );
    }
}

#[test]
fn a_caller_can_end_the_checks() {
    let text = format!("{HEAD}{}", rules(3));
    let stop = AtomicBool::new(false);
    let load = || Policy::load_as(&text, &Loading::edit(TODAY).until(&stop));
    assert!(load().policy.is_some());
    stop.store(true, Ordering::Relaxed);
    let loaded = load();
    let messages = loaded.diagnostics.iter().map(|fault| &*fault.message);
    let messages: Vec<_> = messages.collect();
    assert!(loaded.policy.is_none());
    assert_eq!(messages, ["the policy took too long to check"]);
}
