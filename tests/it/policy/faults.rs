//! Tests of the faults and warnings that are told of a policy.

use super::{EXAMPLE, TODAY, diagnostics};
use pullgate::policy::Policy;

#[test]
fn the_example_has_nothing_to_complain_about() {
    let loaded = Policy::load(EXAMPLE, TODAY);
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(loaded.policy.expect("good").registries().len(), 4);
}

#[test]
fn all_faults_are_told_at_once() {
    let body = "\
registries:
  - name: contoso
    images: [https://contoso.azurecr.io, nginx]
    secret: [contoso-pull]
  - name: contoso
    images: contoso.azurecr.io
    secrets: [Upper]
    public: true
unmatched: denyy
bans:
  - secrets: [a]
    mode: enforc
    running: 5
exceptions:
  - bans: [legacy]
    namespaces: {}
    owner: me
    expires: 31.1.2027
surprise: 1
";
    assert_eq!(
        diagnostics(body),
        [
            "3:14 fault registries[0].images[0]: \"https://contoso.azurecr.io\" has a scheme; a pattern begins with the registry host (did you mean `contoso.azurecr.io`?)",
            "3:42 fault registries[0].images[1]: \"nginx\" names no registry; a pattern begins with the registry host (did you mean `docker.io/library/nginx`?)",
            "4:5 fault registries[0].secret: unknown key `secret` (did you mean `secrets`?)",
            "5:11 fault registries[1].name: the registry rule `contoso` is there twice (the other one is on line 4: keep one of them)",
            "6:13 fault registries[1].images: expected a list, found a text (make it a list: [contoso.azurecr.io])",
            "7:15 fault registries[1].secrets[0]: \"Upper\" is not a valid name of a Secret: use lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit, at most 253 characters",
            "8:5 fault registries[1].public: only one of `secrets`, `identity`, `public` can be there (keep one of them)",
            "9:12 fault unmatched: \"denyy\" is not one of `allow`, `warn`, `deny` (did you mean `deny`?)",
            "11:5 fault bans[0]: the key `name` is missing",
            "12:11 fault bans[0].mode: \"enforc\" is not one of `enforce`, `warn`, `audit` (did you mean `enforce`?)",
            "13:14 fault bans[0].running: \"5\" is not one of `keep`, `deny`",
            "15:5 fault exceptions[0]: the key `reason` is missing",
            "15:12 fault exceptions[0].bans[0]: no ban has the name `legacy`",
            "16:17 fault exceptions[0].namespaces: one of `names`, `labels` is missing",
            "18:14 fault exceptions[0].expires: \"31.1.2027\" is not a date (write it as 2027-01-31)",
            "19:1 fault surprise: unknown key `surprise` (known here: `apiVersion`, `kind`, `registries`, `unmatched`, `bans`, `exceptions`, `exempt`)",
        ]
    );
}

/// A row has a text and its fault or warning.
#[test]
fn each_fault_and_warning_has_its_words() {
    let rule = |name: &str, more: &str| format!("- {{name: {name}, images: [reg.io], {more}}}\n");
    let exception = "owner: o, reason: r, expires: 2027-01-31";
    let rows = [
        (
            format!("registries:\n{}{}", rule("a", "public: true"), rule("b", "public: true")),
            "3:22 fault registries[1].images[0]: the pattern `reg.io` is in rule `a` already (line 4, column 22), and again in rule `b`",
        ),
        (
            "registries:\n- {name: a, images: [reg.io, REG.io], public: true}\n".to_owned(),
            "2:30 fault registries[0].images[1]: the pattern `reg.io` is there twice",
        ),
        (
            format!("registries:\n{}", rule("a", "secrets: [x, x]")),
            "2:44 fault registries[0].secrets[1]: the secret `x` is there twice",
        ),
        (
            format!("registries:\n{}bans:\n- {{name: b, secrets: [\"x*\"]}}\n", rule("a", "secrets: [xy]")),
            "2:41 fault registries[0].secrets[0]: `xy` is banned by `b`: the rule would inject a secret that the ban refuses",
        ),
        (
            "bans:\n- {name: b, secrets: [x]}\nexceptions:\n- {bans: [bb], namespaces: {names: [n]}, ".to_owned()
                + exception + "}\n",
            "4:11 fault exceptions[0].bans[0]: no ban has the name `bb` (did you mean `b`?)",
        ),
        (
            "bans:\n- {name: b, secrets: [x], instead: y}\n".to_owned(),
            "2:36 warning bans[0].instead: no registry rule injects `y`",
        ),
        (
            "bans:\n- {name: b, secrets: [x], credentials: {class: [admin]}}\n".to_owned(),
            "2:27 fault bans[0].credentials: only one of `secrets`, `credentials` can be there",
        ),
        (
            "bans:\n- {name: b, credentials: {class: [administrator]}}\n".to_owned(),
            "2:35 fault bans[0].credentials.class[0]: \"administrator\" is not one of",
        ),
        (
            "bans:\n- {name: b, credentials: {sharedAcrossNamespaces: 0}}\n".to_owned(),
            "2:51 fault bans[0].credentials.sharedAcrossNamespaces: expected a whole number from 1",
        ),
        (
            "exceptions:\n- {unmatched: true, namespaces: {names: [n]}, owner: o, reason: r, expires: 2026-11-21}\n".to_owned(),
            "2:77 warning exceptions[0].expires: the exception expired on 2026-11-21",
        ),
        (
            "exceptions:\n- {namespaces: {names: [n]}, owner: o, reason: r, expires: 2027-11-21}\n".to_owned(),
            "2:4 fault exceptions[0]: one of `bans`, `unmatched` is missing",
        ),
        (
            "exempt: {namespaces: {names: [\"pay-*\"]}}\nregistries:\n".to_owned()
                + &rule("a", "public: true, namespaces: {names: [pay-eu]}"),
            "3:4 warning registries[0].name: rule `a` can never apply: all its namespaces are exempt",
        ),
        (
            format!(
                "registries:\n{}{}",
                rule("a", "public: true, namespaces: {names: [\"*\"]}"),
                rule("b", "public: true")
            ),
            "3:22 warning registries[1].images[0]: this can never apply: rule `a` has the same pattern and wins everywhere",
        ),
        (
            format!(
                "registries:\n{}{}",
                rule("a", "public: true"),
                rule("b", "public: true, namespaces: {names: [\"*\"]}")
            ),
            "2:22 warning registries[0].images[0]: this can never apply: rule `b` has the same pattern",
        ),
        (
            format!(
                "registries:\n{}{}",
                rule("a", "public: true, namespaces: {names: [\"x*\"]}"),
                rule("b", "public: true, namespaces: {names: [\"*y\"]}")
            ),
            "3:22 warning registries[1].images[0]: rules `a` and `b` have this pattern and namespaces that can overlap",
        ),
        ("registries:\n".to_owned(), "1:11 fault registries: expected a list, found nothing (give it a value"),
        ("bans: []\nbans: []\n".to_owned(), "2:1 fault bans: the key `bans` is there twice (keep one of them)"),
        (
            format!("registries:\n{}", rule("a", "public: false")),
            "2:39 fault registries[0].public: `false` has no effect here",
        ),
        (
            format!("registries:\n{}", rule("a", "public: true, provision: {from: x/y}")),
            "2:4 fault registries[0]: `provision` without `secrets`",
        ),
        (
            format!("registries:\n{}", rule("a", "secrets: [s], provision: {from: y}")),
            "2:63 fault registries[0].provision.from: \"y\" is not the `NAMESPACE/NAME`",
        ),
        (
            format!("registries:\n{}", rule("a", "secrets: [s], provision: {from: x/y, verify: A}")),
            "2:76 fault registries[0].provision.verify: \"A\" is not a valid image reference: its repository has upper-case letters",
        ),
        (
            "exempt: {namespaces: {labels: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In}]}}}\n".to_owned(),
            "1:52 fault exempt.namespaces.labels.matchExpressions[0]: the operator `In` needs `values`",
        ),
        (
            "exempt: {namespaces: {labels: {matchLabels: {a/b/c: x}}}}\n".to_owned(),
            "1:46 fault exempt.namespaces.labels.matchLabels: \"a/b/c\" is not a label key",
        ),
        (
            "exempt: {namespaces: {names: [a], labels: {matchLabels: {team: a}}}}\n".to_owned(),
            "1:10 warning exempt: the label `team` decides which namespace is left alone entirely (select by `names`, or let",
        ),
        (
            "exceptions:\n- {unmatched: true, owner: o, reason: r, expires: 2027-11-21, namespaces: {labels: {matchExpressions: \
             [{key: kubernetes.io/metadata.name, operator: Exists}, {key: a/b, operator: DoesNotExist}]}}}\n".to_owned(),
            "2:4 warning exceptions[0]: the label `a/b` decides which namespace gets this exception",
        ),
        ("exempt: {namespaces: {names: [\"a?\"]}}\n".to_owned(), "1:31 fault exempt.namespaces.names[0]: \"a?\" matches no namespace"),
        ("bans: [\n".to_owned(), "1:7 fault : not YAML"),
        (
            "bans: [{name: b, secrets: [a..b]}]\n".to_owned(),
            "1:28 fault bans[0].secrets[0]: \"a..b\" matches no secret",
        ),
        (
            "exempt: {namespaces: {names: [a.b]}}\n".to_owned(),
            "1:31 fault exempt.namespaces.names[0]: \"a.b\" matches no namespace",
        ),
        (
            "exceptions:\n- {unmatched: false, namespaces: {names: [n]}, owner: o, reason: r, expires: 2027-11-21}\n"
                .to_owned(),
            "2:15 fault exceptions[0].unmatched: `false` has no effect here",
        ),
        (
            "exceptions:\n- {unmatched: true, namespaces: {names: [n]}, owner: o, reason: r, expires: 2027-02-30}\n"
                .to_owned(),
            "2:77 fault exceptions[0].expires: \"2027-02-30\" is not a date (the calendar has no such day)",
        ),
    ];
    for (body, expected) in rows {
        let actual = diagnostics(&body);
        assert_eq!(actual.len(), 1, "{body}\n{actual:#?}");
        let actual = &actual[0];
        assert!(
            actual.starts_with(expected),
            "{body}\nexpected {expected}\n  actual {actual}"
        );
    }
}

#[test]
fn what_is_allowed_is_not_complained_about() {
    for body in [
        // The ban is lifted wherever the rule exists, or does not enforce.
        "registries: [{name: a, images: [reg.io], secrets: [x], namespaces: {names: [n]}}]\nbans: [{name: b, secrets: [x]}]\n\
         exceptions: [{bans: [b], namespaces: {names: ['n*']}, owner: o, reason: r, expires: 2027-01-31}]\n",
        "registries: [{name: a, images: [reg.io], secrets: [x]}]\nbans: [{name: b, secrets: [x], mode: warn}]\n",
        "registries: [{name: a, images: [reg.io], public: true, namespaces: {names: [x]}}, {name: b, images: [reg.io], identity: node}]\n",
        "registries: [{name: a, images: [reg.io], public: true, namespaces: {names: [x]}}, \
         {name: b, images: [reg.io], identity: node, namespaces: {names: [y]}}]\n",
        "registries: []\nbans: []\nexceptions: []\n",
        // The API server sets this label; and only a selector that lifts bans deserves a warning.
        "exempt: {namespaces: {labels: {matchLabels: {kubernetes.io/metadata.name: a}}}}\n",
        "registries: [{name: a, images: [reg.io], public: true, namespaces: {labels: {matchLabels: {team: a}}}}]\n",
        // One exception for each namespace, or none where the rule has nothing to say.
        "registries: [{name: a, images: [reg.io], secrets: [x], namespaces: {names: [m, n]}}]\nbans: [{name: b, secrets: [x]}]\n\
         exceptions: [{bans: [b], namespaces: {names: [m]}, owner: o, reason: r, expires: 2027-01-31}]\n\
         exempt: {namespaces: {names: [n]}}\n",
    ] {
        assert_eq!(diagnostics(body), Vec::<String>::new(), "{body}");
    }
}

#[test]
fn an_empty_document_is_a_fault() {
    for text in ["", "# nothing\n", "[]", "apiVersion: v1\nkind: ConfigMap\n"] {
        assert!(Policy::load(text, TODAY).policy.is_none(), "{text:?}");
    }
}

/// A fault must not hide behind a warning about the same pattern.
#[test]
fn the_same_pattern_twice_is_a_fault_whatever_else_is() {
    let rule = |name: &str, more: &str| {
        format!("- {{name: {name}, images: [reg.io], public: true{more}}}\n")
    };
    let body = format!(
        "registries:\n{}{}{}",
        rule("a", ", namespaces: {names: ['*']}"),
        rule("b", ""),
        rule("c", "")
    );
    let told = diagnostics(&body);
    assert!(
        told.iter().any(|line| line
            .contains("fault registries[2].images[0]: the pattern `reg.io` is in rule `b`")),
        "{told:#?}"
    );
}

/// A key that is misspelt is unknown, and the key that was meant is not missing as well.
#[test]
fn a_misspelt_key_is_told_once() {
    for (body, expected) in [
        (
            "registries:\n- {nme: a, image: [reg.io], secret: [x]}\n",
            [
                "unknown key `nme` (did you mean `name`?)",
                "unknown key `image` (did you mean `images`?)",
                "unknown key `secret` (did you mean `secrets`?)",
            ],
        ),
        (
            "exceptions:\n- {ban: [b], namespace: {name: [a]}, owner: o, reason: r, expires: 2030-01-31}\nbans: [{name: b, secrets: [x]}]\n",
            [
                "unknown key `ban` (did you mean `bans`?)",
                "unknown key `namespace` (did you mean `namespaces`?)",
                "",
            ],
        ),
    ] {
        let told = diagnostics(body);
        let expected: Vec<_> = expected
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.ends_with(expected), "{told}");
        }
    }
    // Another key may be missing all the same.
    let told = diagnostics("registries:\n- {nme: a, public: true}\n");
    assert_eq!(told.len(), 2, "{told:#?}");
    let missing = "registries[0]: the key `images` is missing";
    assert!(told[1].ends_with(missing), "{told:#?}");
}
