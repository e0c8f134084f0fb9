//! The files of the project agree with each other, and the code keeps to the traps that a search can find.

use super::{configurations, root, sources};
use proc_macro2::TokenStream;
use syn::visit::Visit;
use syn::{Attribute, LitByteStr, LitStr};

/// No Docker runs in the tests: they put the same files into an image as the Dockerfile.
#[test]
fn the_tests_build_the_binary_as_the_dockerfile_does() {
    for file in ["Dockerfile", "tests/cluster/binary"] {
        let text = std::fs::read_to_string(root().join(file)).expect("a file");
        for part in [
            "_RUSTFLAGS=",
            "-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs",
            "cargo build --release --locked --target ",
            " --bin pullgate",
        ] {
            assert!(text.contains(part), "{part} is not in {file}");
        }
    }
}

/// The form of Keep a Changelog: the unreleased changes first, and their kinds as headings.
#[test]
fn the_changelog_has_the_form_of_keep_a_changelog() {
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    assert!(text.contains(env!("CARGO_PKG_VERSION")));
    let versions: Vec<_> = text.lines().filter(|l| l.starts_with("## ")).collect();
    assert_eq!(versions[0], "## [Unreleased]");
    let released = |heading: &str| {
        let date = heading
            .strip_prefix("## [")
            .and_then(|rest| rest.split_once("] - "));
        date.is_some_and(|(_, date)| date.parse::<jiff::civil::Date>().is_ok())
    };
    assert!(
        versions[1..].iter().all(|heading| released(heading)),
        "{versions:?}"
    );
    let mut kinds = text.lines().filter_map(|line| line.strip_prefix("### "));
    let known = [
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    ];
    assert_eq!(kinds.find(|kind| !known.contains(kind)), None);
}

/// The policy of the README is the example that the demo serves.
#[test]
fn the_readme_shows_the_example_policy() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let block = readme
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a policy in the README");
    assert_eq!(block.trim(), crate::policy::EXAMPLE.trim());
}

/// Trap 7: nothing on the admission path can write, or read, the API; and the webhooks say so.
#[test]
fn trap_7_admission_has_no_side_effects() {
    for source in sources(&["src/server", "src/runtime/live.rs"]) {
        let path = &source.path;
        assert!(
            !code(&source.text).contains("kube::"),
            "{path} names a client"
        );
    }
    for configuration in configurations() {
        for webhook in configuration["webhooks"].as_array().expect("a list") {
            assert_eq!(webhook["sideEffects"], "None");
        }
    }
}

/// Trap 17: an object that is not read cannot be cached. Whole Secrets are read only by name: our own, and those that a
/// pod lists, for `why`, which reduces them. `cluster/secrets.rs` reduces all others as they arrive.
#[test]
fn trap_17_no_secret_is_kept_but_our_own() {
    let mut asking = Vec::new();
    for source in sources(&["src"]) {
        let text = code(&source.text);
        let path = source.path;
        assert!(
            !text.contains("reflector") && !text.contains("Store<"),
            "{path}"
        );
        let ways = [
            "Source::all::<Secret>",
            "Source::one_in::<Secret>",
            "Collection::of::<Secret>",
        ];
        let found = ways.into_iter().filter(|way| text.contains(way));
        asking.extend(found.map(|way| format!("{path} {way}")));
    }
    asking.sort();
    assert_eq!(
        asking,
        [
            "src/cluster/certificates.rs Collection::of::<Secret>",
            "src/cluster/certificates.rs Source::one_in::<Secret>",
            "src/cluster/fingerprint.rs Collection::of::<Secret>",
            "src/cluster/pods.rs Collection::of::<Secret>",
            "src/cluster/secrets.rs Source::all::<Secret>",
        ]
    );
}

/// Trap 25: kube decodes objects into types of Kubernetes, all of them or none.
#[test]
fn trap_25_no_object_of_a_cluster_is_decoded_into_a_type_of_kubernetes() {
    for source in sources(&["src"]) {
        let text = code(&source.text);
        for word in ["Api<", "Api::", "ObjectList", "watcher("] {
            assert!(!text.contains(word), "{} has {word}", source.path);
        }
    }
}

/// Patches are operations of `json_patch`, answers are types with `Serialize`: no text of JSON that could be wrong.
#[test]
fn no_json_is_written_by_hand() {
    let by_hand = r#"fn f() { text.push_str("{\"op\":\"add\""); }"#;
    assert!(has_json(by_hand) && has_json(r##"const A: &str = r#"{"a": 1}"#;"##));
    assert!(!has_json(
        "/// Writes `{\"a\": 1}`.\nconst A: &str = \"imagePullSecrets\";"
    ));
    for source in sources(&["src/admission", "src/verdict/patch.rs"]) {
        assert!(!has_json(&source.text), "{}", source.path);
    }
}

/// Whether a literal text of this code looks like JSON: it has a key in quotes.
fn has_json(code: &str) -> bool {
    fn is_json(text: &str) -> bool {
        text.contains("{\"") || text.contains("\":")
    }
    #[derive(Default)]
    struct Literals(bool);
    impl Visit<'_> for Literals {
        fn visit_lit_str(&mut self, text: &LitStr) {
            self.0 |= is_json(&text.value());
        }

        fn visit_lit_byte_str(&mut self, text: &LitByteStr) {
            self.0 |= is_json(&String::from_utf8_lossy(&text.value()));
        }

        fn visit_attribute(&mut self, _: &Attribute) {}
    }
    let mut literals = Literals::default();
    literals.visit_file(&syn::parse_file(code).expect("Rust"));
    literals.0
}

/// The code of a file without comments and blanks.
fn code(text: &str) -> String {
    let tokens: TokenStream = text.parse().expect("Rust");
    tokens.to_string().replace(' ', "")
}
