//! Tests of the policies in `examples/`: each loads without a fault or a warning, and `explain` gives the answers that
//! its comment promises.

use crate::support::run_in;
use pullgate::policy::Policy;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn examples() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("examples")).expect("examples");
    let mut files: Vec<_> = folder
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

/// Also for a day far ahead: no exception of an example ends during its life.
#[test]
fn every_example_loads_without_a_fault_or_a_warning() {
    assert_eq!(examples().len(), 3);
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    for path in examples() {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.expect("a name");
        assert!(readme.contains(&format!("(examples/{name})")), "{name}");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.starts_with("# "), "{name} has no comment");
        let loaded = Policy::load(&text, jiff::civil::date(2098, 1, 1));
        assert!(loaded.policy.is_some(), "{name}");
        assert!(
            loaded.diagnostics.is_empty(),
            "{name}: {:#?}",
            loaded.diagnostics
        );
        let path = path.to_str().expect("UTF-8");
        let run = run_in(&root(), &["check", "--policy", path], "");
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{name}");
    }
}

#[test]
fn every_example_gives_the_answers_that_it_promises() {
    for (example, namespace, image, rule, secrets) in [
        (
            "one-registry",
            "shop",
            "contoso.azurecr.io/shop/api:1.4",
            json!("contoso"),
            json!(["contoso-pull"]),
        ),
        ("one-registry", "shop", "nginx", json!("public"), json!([])),
        (
            "one-registry",
            "shop",
            "quay.io/a/b",
            Value::Null,
            json!([]),
        ),
        (
            "multi-tenant",
            "payments-eu",
            "registry.example.com/payments/api:1",
            json!("payments"),
            json!(["payments-pull"]),
        ),
        (
            "multi-tenant",
            "shop",
            "registry.example.com/payments/api:1",
            json!("shared"),
            json!(["shared-pull"]),
        ),
        (
            "multi-tenant",
            "shop",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:2",
            json!("ecr"),
            json!([]),
        ),
        (
            "migration",
            "billing",
            "registry.example.com/billing/batch:7",
            json!("team"),
            json!(["team-pull"]),
        ),
        (
            "migration",
            "shop",
            "redis:8",
            json!("hub"),
            json!(["hub-pull"]),
        ),
    ] {
        let policy = format!("examples/{example}.yaml");
        let args = [
            "explain", "--policy", &policy, "-n", namespace, "-o", "json", image,
        ];
        let run = run_in(&root(), &args, "");
        let answers: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(run.stderr, "", "{policy} {image}");
        assert_eq!(answers[0]["rule"], rule, "{policy} {image}");
        assert_eq!(answers[0]["secrets"], secrets, "{policy} {image}");
    }
}

/// Step 2 of the migration warns, and the exception of "billing" is shown.
#[test]
fn the_migration_warns_of_the_shared_secret() {
    let pod = |namespace: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: a, namespace: {namespace}}}, spec: {{imagePullSecrets: \
             [{{name: regcred}}], containers: [{{name: a, image: registry.example.com/a}}]}}}}\n"
        )
    };
    let check = |namespace: &str| {
        let args = "check --policy examples/migration.yaml -f - -o json";
        let args: Vec<_> = args.split(' ').collect();
        let run = run_in(Path::new(&root()), &args, &pod(namespace));
        serde_json::from_str::<Value>(&run.stdout).expect("JSON")
    };
    let warned = check("shop");
    assert_eq!(warned["findings"][0]["code"], "banned-secret");
    assert_eq!(warned["findings"][0]["severity"], "warning");
    assert_eq!(warned["injected"][0]["secrets"], json!(["team-pull"]));
    let lifted = check("billing");
    assert_eq!(lifted["findings"], json!([]));
    assert_eq!(lifted["exceptions"][0]["owner"], "billing@example.com");
}
