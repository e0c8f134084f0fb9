//! Tests of how the work of the checks grows with the document, on documents that are made to be expensive.

use super::*;
use crate::policy::document;
use std::fmt::Write as _;

/// A policy of a size, and the size at which it is close to 1 MiB.
type Sized<'p> = (&'static str, &'p dyn Fn(usize) -> String, usize);

const TODAY: Date = jiff::civil::date(2026, 11, 22);

/// The result of the checks on a text.
struct Checked {
    bytes: usize,
    spent: [usize; 3],
    diagnostics: Vec<Diagnostic>,
}

impl Checked {
    fn of(body: &str) -> Self {
        Self::within(MAX_COMPARED, body)
    }

    fn within(limit: usize, body: &str) -> Self {
        let text = format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{body}");
        let (document, faults) = document::read(&text);
        assert!(faults.is_empty(), "{:?}", faults.first());
        let efforts = Efforts::new(limit, None);
        let mut report = Report::default();
        compare(&document, TODAY, &efforts, &mut report).expect("nobody ends it");
        Self {
            bytes: text.len(),
            spent: [
                efforts.banned.spent(),
                efforts.same_patterns.spent(),
                efforts.exempt.spent(),
            ],
            diagnostics: report.diagnostics,
        }
    }

    fn count(&self, message: &str) -> usize {
        let messages = self.diagnostics.iter();
        let messages = messages.filter(|diagnostic| diagnostic.message.contains(message));
        messages.count()
    }
}

/// Entries of a list in one line, each from its number.
fn list(numbers: std::ops::Range<usize>, entry: impl Fn(usize) -> String) -> String {
    numbers.map(entry).collect::<Vec<_>>().join(",")
}

/// Entries of a list, a line each.
fn lines(numbers: std::ops::Range<usize>, entry: impl Fn(usize) -> String) -> String {
    numbers.map(entry).collect::<Vec<_>>().concat()
}

fn rule(name: &str, images: &str, secrets: &str, names: &str) -> String {
    format!(
        "- {{name: {name}, images: [{images}], secrets: [{secrets}], namespaces: {{names: [{names}]}}}}\n"
    )
}

/// The policy that once froze the process: two rules with the same patterns, and globs that begin alike.
fn two_rules_of_many_globs(patterns: usize, globs: usize) -> String {
    let images = list(0..patterns / 2, |i| format!("a.b/{i:x}"));
    let names = |end: &'static str| list(0..globs / 2, move |i| format!("'*{i:04x}{end}'"));
    let rule = |name, names: String| rule(name, &images, "s", &names);
    format!(
        "registries:\n{}{}",
        rule("a", names("a")),
        rule("b", names("b"))
    )
}

/// Rules of one pattern, each for the namespaces of one team.
fn a_rule_for_each_team(rules: usize) -> String {
    let rule = |i| rule(&format!("r{i}"), "a.b", "s", &format!("t{i:05}-*,u{i:05}"));
    format!("registries:\n{}", lines(0..rules, rule))
}

/// Rules that select their namespaces only by labels.
fn rules_by_labels(rules: usize) -> String {
    let rule = |i| {
        format!(
            "- {{name: r{i}, images: [a.b], public: true, namespaces: {{labels: {{matchLabels: {{t: v{i}}}}}}}}}\n"
        )
    };
    format!("registries:\n{}", lines(0..rules, rule))
}

/// Rules with banned secrets, and exceptions that lift each ban where the rule exists.
fn lifted_bans(count: usize) -> String {
    let mut text = String::from("registries:\n");
    for i in 0..count {
        text += &rule(
            &format!("r{i}"),
            &format!("a.b/{i}"),
            &format!("s{i:04}"),
            &format!("n{i:04}"),
        );
    }
    text += "bans:\n";
    for i in 0..count {
        let _ = writeln!(text, "- {{name: b{i}, secrets: ['s{i:04}*']}}");
    }
    text += "exceptions:\n";
    for i in 0..count {
        let _ = writeln!(
            text,
            "- {{bans: [b{i}], namespaces: {{names: [n{i:04}]}}, owner: o, reason: r, expires: 2099-01-31}}"
        );
    }
    text
}

fn exempt_namespaces(rules: usize) -> String {
    let exempt = list(0..rules, |i| format!("'e{i:05}-*'"));
    format!(
        "exempt: {{namespaces: {{names: [{exempt}]}}}}\n{}",
        a_rule_for_each_team(rules)
    )
}

/// A policy that a person can mean is compared to its end, even a large one, with work in proportion to the document.
#[test]
fn work_grows_with_the_document() {
    let policies: [Sized<'_>; 5] = [
        ("two rules", &|n| two_rules_of_many_globs(4 * n, n), 20_000),
        ("teams", &a_rule_for_each_team, 10_000),
        ("labels", &rules_by_labels, 8_000),
        ("lifted bans", &lifted_bans, 4_000),
        ("exempt", &exempt_namespaces, 6_666),
    ];
    for (name, policy, limit) in policies {
        let (half, whole) = (Checked::of(&policy(limit / 2)), Checked::of(&policy(limit)));
        assert!(whole.bytes < 1024 * 1024, "{name}: {}", whole.bytes);
        assert_eq!(whole.count("that would take too long"), 0, "{name}");
        for (half, whole) in half.spent.into_iter().zip(whole.spent) {
            assert!(
                whole <= half * 22 / 10,
                "{name}: {half} for half of it, {whole} for all"
            );
        }
        let all: usize = whole.spent.into_iter().sum();
        assert!(
            all <= 20 * whole.bytes,
            "{name}: {all} for {} bytes",
            whole.bytes
        );
    }
}

/// The same 250 bytes in each glob, as in the policy that once froze the process for hours.
#[test]
fn long_globs_that_begin_alike_are_compared_by_their_ends() {
    let long = |end: &'static str| {
        list(0..1_000, move |i| {
            format!("'*{i:04}{}{end}'", end.repeat(240))
        })
    };
    let images = list(0..20_000, |i| format!("a.io/{i}"));
    let rule = |name, end| rule(name, &images, "s", &long(end));
    let checked = Checked::of(&format!(
        "registries:\n{}{}",
        rule("a", "x"),
        rule("b", "y")
    ));
    assert_eq!(checked.diagnostics, []);
    let spent: usize = checked.spent.into_iter().sum();
    assert!(
        spent < 2 * checked.bytes,
        "{spent} for {} bytes",
        checked.bytes
    );
}

/// Globs of which each begins like half of the others and ends like the other half are compared up to a limit.
#[test]
fn what_is_made_to_be_compared_for_ever_ends_with_a_warning() {
    /// A smaller effort than in production, because tests run without optimisation.
    const LIMIT: usize = MAX_COMPARED / 20;
    let secrets = list(0..20_000, |i| format!("s{i:04x}"));
    let bans = |i| format!("- {{name: b{i}, secrets: ['*x{i:04}*']}}\n");
    let bans = lines(0..10_000, bans);
    let many_bans =
        format!("registries:\n- {{name: a, images: [a.b], secrets: [{secrets}]}}\nbans:\n{bans}");
    let glob = |i: usize| {
        if i.is_multiple_of(2) {
            format!("'a*x{i:05}'")
        } else {
            format!("'*y{i:05}'")
        }
    };
    let rules = |i| {
        rule(
            &format!("r{i}"),
            "a.b",
            "s",
            &format!("{},{}", glob(i), glob(i + 10_000)),
        )
    };
    let many_rules = format!("registries:\n{}", lines(0..10_000, rules));
    for (policy, check, message) in [
        (
            many_bans,
            0,
            "not all secrets of rules are compared with the bans",
        ),
        (
            many_rules,
            1,
            "not all rules with the same pattern are compared",
        ),
    ] {
        let checked = Checked::within(LIMIT, &policy);
        assert!(checked.bytes < 1024 * 1024, "{}", checked.bytes);
        assert_eq!(checked.count(message), 1, "{message}: {:?}", checked.spent);
        assert!(checked.spent[check] < LIMIT + 1_000, "{:?}", checked.spent);
    }
}

#[test]
fn a_fault_does_not_hide_behind_a_thousand_warnings() {
    let mut body = a_rule_for_each_team(1).replace("t00000-*", "'*'");
    for i in 0..1_200 {
        body += &rule(&format!("w{i}"), "a.b", "s", "x");
    }
    body +=
        "- {name: one, images: [z.b], public: true}\n- {name: two, images: [z.b], public: true}\n";
    let checked = Checked::of(&body);
    assert_eq!(checked.count("this can never apply"), 1_000);
    assert_eq!(
        checked.count("the pattern `z.b` is in rule `one` already"),
        1
    );
}

#[test]
fn each_fault_is_counted_once_and_not_more_than_a_thousand_are_told() {
    let secrets = list(0..5_000, |i| format!("s{i}"));
    let bans = lines(0..5_000, |i| format!("- {{name: b{i}, secrets: ['s*']}}\n"));
    let checked = Checked::of(&format!(
        "registries:\n- {{name: a, images: [a.b], secrets: [{secrets}]}}\nbans:\n{bans}"
    ));
    assert_eq!(checked.count("is banned by"), 1_000);
    assert!(checked.spent[0] < 2_000_000, "{:?}", checked.spent);
}

mod agreement {
    use super::*;
    use crate::policy::document::NamespaceSelector;
    use crate::text::glob::Glob;
    use proptest::prelude::*;

    fn covers(a: &NamespaceSelector, b: Option<&NamespaceSelector>) -> bool {
        let any = [Glob::new("*")];
        let theirs = b.and_then(|b| b.names.as_deref()).unwrap_or(&any);
        let ours = a.names.as_deref().unwrap_or(&any);
        let same_labels = a.labels.is_none() || b.is_some_and(|b| a.labels == b.labels);
        same_labels
            && theirs
                .iter()
                .all(|glob| ours.iter().any(|our| our.covers(glob)))
    }

    fn may_overlap(a: &NamespaceSelector, b: &NamespaceSelector) -> bool {
        let (Some(a), Some(b)) = (&a.names, &b.names) else {
            return true;
        };
        a.iter().any(|a| b.iter().any(|b| a.overlaps(b)))
    }

    /// Compares each rule with each other rule, and returns the results in the order of the rules.
    fn compared(rules: &[&NamespaceSelectorOf<'_>]) -> Vec<String> {
        let mut said = Vec::new();
        for (number, (_, own)) in rules.iter().enumerate() {
            let (earlier, later) = (&rules[..number], &rules[number + 1..]);
            let taken = earlier
                .iter()
                .find(|(_, other)| own.is_none() && other.is_none());
            let clash = earlier.iter().find_map(|(name, other)| {
                let other = (*other)?;
                let hides = covers(other, *own);
                let overlaps = own.is_some_and(|own| may_overlap(other, own));
                (hides || overlaps).then(|| {
                    let what = if hides { "never" } else { "overlap" };
                    format!("{number} {what} {name}")
                })
            });
            said.extend(match taken {
                Some((name, _)) => Some(format!("{number} taken {name}")),
                None => clash,
            });
            let hidden = later
                .iter()
                .find(|(_, other)| own.is_none() && other.is_some_and(|other| covers(other, None)));
            said.extend(hidden.map(|(name, _)| format!("{number} never {name}")));
        }
        said.sort();
        said
    }

    type NamespaceSelectorOf<'d> = (&'d str, Option<&'d NamespaceSelector>);

    fn selector() -> impl Strategy<Value = String> {
        let glob = "'(a|b|ab|\\*|a\\*|\\*b|a\\*b|b\\*)'";
        let names = proptest::collection::vec(glob, 1..3)
            .prop_map(|names| format!("names: [{}]", names.join(", ")));
        let labels = "labels: \\{matchLabels: \\{t: (x|y)\\}\\}";
        prop_oneof![
            Just(String::new()),
            names
                .clone()
                .prop_map(|names| format!(", namespaces: {{{names}}}")),
            labels.prop_map(|labels| format!(", namespaces: {{{labels}}}")),
            (names, labels)
                .prop_map(|(names, labels)| format!(", namespaces: {{{names}, {labels}}}")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn rules_of_one_pattern_are_told_apart_as_by_comparing_all(selectors in proptest::collection::vec(selector(), 1..7)) {
            let rules = selectors.iter().enumerate();
            let rules = rules.map(|(i, selector)| format!("- {{name: r{i}, images: [a.b], public: true{selector}}}\n"));
            let body = format!("registries:\n{}", rules.collect::<String>());
            let text = format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{body}");
            let (document, _) = document::read(&text);
            let rules = document.registries.iter();
            let rules: Vec<NamespaceSelectorOf<'_>> =
                rules.map(|rule| (rule.value.name.value.as_str(), rule.value.namespaces.as_ref())).collect();
            let mut said: Vec<_> = Checked::of(&body).diagnostics.iter().map(|told| {
                let number = told.path.trim_start_matches("registries[").split(']').next().unwrap_or_default();
                let what = if told.message.contains("already") {
                    "taken"
                } else if told.message.contains("overlap") {
                    "overlap"
                } else {
                    "never"
                };
                let other = told.message.split("ule").nth(1).and_then(|rest| rest.split('`').nth(1)).unwrap_or_default();
                format!("{number} {what} {other}")
            }).collect();
            said.sort();
            prop_assert_eq!(said, compared(&rules.iter().collect::<Vec<_>>()), "{}", body);
        }
    }
}
