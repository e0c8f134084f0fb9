//! The repository keeps its own rules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The modules that take values and return values.
const PURE: [&str; 31] = [
    "account",
    "census",
    "credentials",
    "diagnostic",
    "docker_config",
    "document",
    "facts",
    "finding",
    "glob",
    "golang",
    "image",
    "impact",
    "inventory",
    "keyring",
    "manifest",
    "names",
    "object",
    "patch",
    "pattern",
    "policy",
    "report",
    "review",
    "scan",
    "selector",
    "subject",
    "suggest",
    "verdict",
    "words",
    "world",
    "yaml",
    "lib",
];
/// The modules that touch a socket, a file, a clock or the API server.
const EDGES: [&str; 11] = [
    "authority",
    "cli",
    "cluster",
    "commands",
    "deadline",
    "files",
    "lifecycle",
    "live",
    "metrics",
    "server",
    "telemetry",
];

/// What a pure module must not name.
const IMPURE: [&str; 19] = [
    "tokio",
    "axum",
    "hyper",
    "rustls",
    "tracing",
    "kube::",
    "rcgen",
    "arc_swap",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "async ",
];

/// The webhook configurations as the chart renders them by default; `tests/chart` holds the file against helm.
pub(crate) fn configurations() -> Vec<serde_json::Value> {
    let path = root().join("tests/chart/default.yaml");
    let text = std::fs::read_to_string(path).expect("the recorded chart");
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let is_configuration = |document: &serde_json::Value| {
        let kind = document["kind"].as_str();
        kind.is_some_and(|kind| kind.ends_with("WebhookConfiguration"))
    };
    let found: Vec<_> = documents.into_iter().filter(is_configuration).collect();
    assert_eq!(found.len(), 2);
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `src/policy/index.rs` is in the module `policy`.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).expect("in src");
    relative
        .with_extension("")
        .components()
        .next()
        .expect("a name")
        .as_os_str()
        .to_str()
        .expect("UTF-8")
        .to_owned()
}

fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| {
            line.split(" //")
                .next()
                .filter(|line| !line.trim_start().starts_with("//"))
                .unwrap_or_default()
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// `crate::live` and `use crate::{facts, live::Live}`.
fn names_edge(text: &str, edge: &str) -> bool {
    let groups = text
        .split("use crate::{")
        .skip(1)
        .filter_map(|rest| rest.split(';').next());
    let is_edge = |word: &str| {
        word.split("::")
            .next()
            .is_some_and(|first| first.trim_matches(['{', '}', ' ', '\n']) == edge)
    };
    text.contains(&format!("crate::{edge}"))
        || groups.flat_map(|group| group.split(',')).any(is_edge)
}

#[test]
fn pure_modules_name_nothing_impure() {
    for path in files(&root().join("src"), "rs")
        .into_iter()
        .filter(|path| PURE.contains(&module(path).as_str()))
    {
        if module(&path) == "lib" {
            continue;
        }
        let text = without_comments(&std::fs::read_to_string(&path).expect("a file"));
        for word in IMPURE {
            assert!(
                !text.contains(word),
                "{} is pure and names {word:?}",
                path.display()
            );
        }
        for edge in EDGES {
            assert!(
                !names_edge(&text, edge),
                "{} is pure and names the edge {edge}",
                path.display()
            );
        }
    }
}

#[test]
fn every_module_is_pure_or_an_edge_and_says_what_it_is() {
    let known: BTreeSet<&str> = PURE.into_iter().chain(EDGES).chain(["main"]).collect();
    for path in files(&root().join("src"), "rs") {
        assert!(
            known.contains(module(&path).as_str()),
            "{} is neither in PURE nor in EDGES",
            path.display()
        );
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(
            text.starts_with("//! "),
            "{} does not say what it is",
            path.display()
        );
    }
}

/// The server and the cluster meet in `commands::serve` alone.
#[test]
fn server_and_cluster_do_not_name_each_other() {
    for path in files(&root().join("src"), "rs") {
        let text = without_comments(&std::fs::read_to_string(&path).expect("a file"));
        match module(&path).as_str() {
            "server" => assert!(!text.contains("cluster::"), "{}", path.display()),
            "cluster" => assert!(!text.contains("server::"), "{}", path.display()),
            _ => {}
        }
    }
}

/// The picture for newcomers has to name every module.
#[test]
fn architecture_names_every_module() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for name in PURE.into_iter().chain(EDGES).filter(|name| *name != "lib") {
        assert!(
            text.contains(&format!("`{name}`")),
            "ARCHITECTURE.md does not name `{name}`"
        );
    }
}

/// What the chart installs must never read a field that may be absent without asking: under `Fail` an evaluation error
/// is a refusal.
#[test]
fn trap_20_match_conditions_ask_before_they_read() {
    let optional = [
        "metadata.annotations",
        "metadata.ownerReferences",
        "owner.controller",
        "object.data",
        "oldObject.data",
        "request.name",
        "request.userInfo.username",
    ];
    let mut conditions = 0;
    for configuration in configurations() {
        for webhook in configuration["webhooks"].as_array().expect("a list") {
            for condition in webhook["matchConditions"].as_array().into_iter().flatten() {
                conditions += 1;
                let expression = condition["expression"].as_str().expect("a text");
                for field in optional.iter().filter(|field| expression.contains(*field)) {
                    assert!(expression.contains("has("), "{field} in {expression}");
                    let asked = expression.find(&format!("{field})")).unwrap_or(usize::MAX);
                    let read = expression
                        .match_indices(field)
                        .map(|(at, _)| at)
                        .min()
                        .unwrap_or_default();
                    assert!(
                        asked <= read,
                        "{field} is read before it is asked for: {expression}"
                    );
                }
            }
        }
    }
    assert!(conditions >= 4, "only {conditions} conditions");
}

/// Trap 19: a guard with `Fail` must not stand over what its own start depends on, by a name that nobody can take.
#[test]
fn trap_19_our_own_namespace_and_kube_system_are_left_out_by_name() {
    for configuration in configurations() {
        for webhook in configuration["webhooks"].as_array().expect("a list") {
            let selector = &webhook["namespaceSelector"]["matchExpressions"][0];
            assert_eq!(selector["key"], "kubernetes.io/metadata.name");
            let is_policy = webhook["name"] == "policy.pullgate.dev";
            assert_eq!(selector["operator"], if is_policy { "In" } else { "NotIn" });
            let names = selector["values"].as_array().expect("a list");
            assert!(
                is_policy
                    || names.contains(&"kube-system".into()) && names.contains(&"pullgate".into())
            );
            assert!(
                webhook["objectSelector"].is_null(),
                "anyone can set a label"
            );
            assert_eq!(webhook["sideEffects"], "None");
        }
    }
}

/// Trap 10, where it is registered.
#[test]
fn trap_10_the_guard_is_registered_for_ephemeral_containers() {
    let configurations = configurations();
    let webhooks = configurations
        .iter()
        .flat_map(|configuration| configuration["webhooks"].as_array().expect("a list"));
    let guard = webhooks
        .into_iter()
        .find(|webhook| webhook["name"] == "guard.pullgate.dev")
        .expect("the guard");
    let rules = guard["rules"].as_array().expect("a list");
    assert!(rules.iter().any(|rule| {
        rule["resources"]
            .as_array()
            .is_some_and(|r| r.contains(&"pods/ephemeralcontainers".into()))
    }));
}

/// No Docker runs in the tests: they put into an image what the Dockerfile would.
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

#[test]
fn the_version_is_in_the_changelog() {
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    assert!(text.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
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
    for path in files(&root().join("src"), "rs") {
        if ["server", "live"].contains(&module(&path).as_str()) {
            let text = std::fs::read_to_string(&path).expect("a file");
            assert!(
                !text.contains("kube::"),
                "{} names a client",
                path.display()
            );
        }
    }
    for configuration in configurations() {
        for webhook in configuration["webhooks"].as_array().expect("a list") {
            assert_eq!(webhook["sideEffects"], "None");
        }
    }
}

/// Trap 17: what is not asked for cannot be cached. Whole Secrets are only asked for where they are our own, by name; of
/// others `cluster/secrets.rs` takes what it reduces.
#[test]
fn trap_17_no_secret_is_kept_but_our_own() {
    for path in files(&root().join("src"), "rs") {
        let text = without_comments(&std::fs::read_to_string(&path).expect("a file"));
        let is_ours = ["certificates.rs", "fingerprint.rs"].map(|name| path.ends_with(name));
        let whole = [
            "Api::<Secret>::all",
            "Api<Secret>::all",
            "reflector",
            "Store<",
        ];
        assert!(
            !whole.iter().any(|word| text.contains(word)),
            "{}",
            path.display()
        );
        let is_asked = text.contains("Api::<Secret>") || text.contains("Api<Secret>");
        assert!(!is_asked || is_ours.contains(&true), "{}", path.display());
    }
}
