//! Tests of which rule of a policy applies to an image.

use super::{load, policy};
use proptest::prelude::*;
use pullgate::kubelet::image::Image;
use pullgate::policy::Policy;
use pullgate::policy::selector::{Match, Namespace};

/// An absent policy is an empty one.
#[test]
fn the_default_covers_nothing_and_bans_nothing() {
    let policy = Policy::default();
    assert!(
        policy
            .rule_for(
                &Image::parse("nginx").unwrap(),
                Namespace {
                    name: "n",
                    labels: None
                }
            )
            .is_none()
    );
    assert_eq!(policy.bans_on("x").count(), 0);
}

#[test]
fn the_most_specific_rule_wins() {
    let policy = policy(
        "registries:
  - {name: host, images: [reg.io], public: true}
  - {name: path, images: [reg.io/team], public: true}
  - {name: path-there, images: [reg.io/team], public: true, namespaces: {names: [there]}}
  - {name: longer, images: ['*.io/team/app'], public: true}
  - {name: glob, images: ['*.io'], public: true}
  - {name: more-literals, images: ['r*.io', 'abc*.io'], public: true}
",
    );
    for (image, namespace, rule) in [
        ("reg.io/x", "n", Some("host")),
        ("reg.io/team/x", "n", Some("path")),
        ("reg.io/team/x", "there", Some("path-there")),
        ("reg.io/team/app", "there", Some("longer")),
        ("reg.io/team-b/x", "there", Some("host")),
        ("REG.IO/x", "n", Some("host")),
        ("other.io/x", "n", Some("glob")),
        ("ro.io/x", "n", Some("more-literals")),
        ("reg.io:5000/x", "n", None),
        ("foo_bar.com/x", "n", None),
        ("nginx", "n", Some("glob")),
    ] {
        let found = policy.rule_for(
            &Image::parse(image).unwrap(),
            Namespace {
                name: namespace,
                labels: None,
            },
        );
        assert_eq!(
            found.map(|rule| rule.name.as_str()),
            rule,
            "{image} in {namespace}"
        );
    }
}

#[test]
fn a_selector_by_unknown_labels_matches_for_a_rule() {
    let policy = policy(
        "registries: [{name: a, images: [reg.io], public: true, namespaces: {labels: {matchLabels: {team: a}}}}]\n",
    );
    let image = Image::parse("reg.io/x").unwrap();
    let labels = |value: &str| [("team".into(), value.into())].into();
    for (labels, expected) in [
        (None, true),
        (Some(labels("a")), true),
        (Some(labels("b")), false),
    ] {
        let found = policy
            .rule_for(
                &image,
                Namespace {
                    name: "n",
                    labels: labels.as_ref(),
                },
            )
            .is_some();
        assert_eq!(found, expected, "{labels:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The index finds the same rule as a comparison with every rule.
    #[test]
    fn the_index_agrees_with_the_order_of_candidates(
        rules in proptest::collection::vec((pattern(), proptest::option::of("(a|b|\\*|a\\*)")), 1..8),
        image in "(a|b|ab)\\.(a|b|ab)(:1)?(/(a|b)){1,3}",
        namespace in "(a|b|ab)",
    ) {
        let entry = |(number, (pattern, namespace)): (usize, &(String, Option<String>))| {
            let namespaces = namespace.as_ref().map(|n| format!(", namespaces: {{names: ['{n}']}}")).unwrap_or_default();
            format!("- {{name: r{number}, images: ['{pattern}'], public: true{namespaces}}}\n")
        };
        let body = rules.iter().enumerate().map(entry).collect::<Vec<_>>().concat();
        let loaded = load(&format!("registries:\n{body}"));
        prop_assume!(loaded.policy.is_some());
        let policy = loaded.policy.unwrap();
        let image = Image::parse(&image).unwrap();
        let namespace = Namespace { name: &namespace, labels: None };
        let candidates = policy.candidates(&image, namespace);
        let expected = candidates.iter().find(|c| c.applies != Match::No).map(|c| &c.rule.name);
        prop_assert_eq!(policy.rule_for(&image, namespace).map(|rule| &rule.name), expected, "{}", body);
    }
}

fn pattern() -> impl Strategy<Value = String> {
    "(a|b|\\*|a\\*|\\*b)\\.(a|b|\\*|\\*b)(:1)?(/(a|b)){0,2}"
}
