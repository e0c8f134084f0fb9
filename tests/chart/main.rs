//! The chart, rendered and linted by a real helm. `BLESS=1` writes `default.yaml` here and the table in the chart's README.

#![expect(
    clippy::expect_used,
    reason = "tests fail by panicking and say what they do"
)]

use clap::Parser;
use pullgate::cli::Cli;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// The oldest and the newest Kubernetes that the chart is for.
const MINORS: std::ops::RangeInclusive<u32> = 28..=37;

/// Each is a set of `--set` arguments.
const COMBINATIONS: &[&[&str]] = &[
    &[],
    &["replicas=1", "podDisruptionBudget.enabled=false"],
    &[
        "image.repository=registry.example.com/pullgate",
        "image.tag=1.2.3",
        "image.pullPolicy=Always",
    ],
    &["image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],
    &[
        "imagePullSecrets[0].name=own-pull",
        "priorityClassName=system-cluster-critical",
    ],
    &["policy.create=true", "policy.document.unmatched=warn"],
    &["policy.preview=false", "inventory=off"],
    &[
        "inventory=contents",
        "webhooks.secrets.failurePolicy=Fail",
        "webhooks.secrets.timeoutSeconds=5",
    ],
    &["inventory=names", "monitoring.prometheusRule.enabled=true"],
    &["tls.mode=cert-manager"],
    &[
        "tls.mode=cert-manager",
        "tls.certManager.issuerRef.name=corp",
        "tls.certManager.issuerRef.kind=ClusterIssuer",
    ],
    &[
        "tls.mode=provided",
        "tls.provided.secretName=mine",
        "tls.provided.caBundle=PEM",
    ],
    &[
        "tls.clientCASecretName=front",
        "tls.clientNames[0]=apiserver",
    ],
    &[
        "webhooks.inject.failurePolicy=Fail",
        "webhooks.guard.failurePolicy=Ignore",
        "webhooks.guard.timeoutSeconds=10",
    ],
    &[
        "webhooks.policy.failurePolicy=Fail",
        "webhooks.policy.timeoutSeconds=15",
    ],
    &[
        "webhooks.extraExcludedNamespaces[0]=calico-system",
        "webhooks.disableAKSAdmissionsEnforcer=true",
        "webhooks.annotations.team=platform",
    ],
    &["extraControllers[0]=system:serviceaccount:argo-rollouts:argo-rollouts"],
    &[
        "hostNetwork=true",
        "webhookPort=10443",
        "adminPort=10080",
        "bindAddress=[::]",
        "dnsPolicy=ClusterFirst",
    ],
    &[
        "service.port=8443",
        "service.annotations.a=b",
        "log.format=text",
        "log.filter=pullgate=debug",
    ],
    &[
        "extraArgs[0]=--max-connections=100",
        "resources.limits.cpu=1",
        "terminationGracePeriodSeconds=60",
    ],
    &[
        "nodeSelector.disk=ssd",
        "tolerations[0].operator=Exists",
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution=null",
    ],
    &[
        "topologySpreadConstraints[0].maxSkew=1",
        "topologySpreadConstraints[0].topologyKey=rack",
        "topologySpreadConstraints[0].whenUnsatisfiable=DoNotSchedule",
    ],
    &[
        "annotations.a=b",
        "podAnnotations.a=b",
        "podLabels.a=b",
        "extraLabels.a=b",
        "serviceAccount.annotations.a=b",
    ],
    &[
        "serviceAccount.create=false",
        "serviceAccount.name=mine",
        "rbac.create=false",
    ],
    &[
        "networkPolicy.enabled=true",
        "networkPolicy.apiServerPorts[0]=6443",
    ],
    &[
        "monitoring.serviceMonitor.enabled=true",
        "monitoring.serviceMonitor.labels.a=b",
        "monitoring.serviceMonitor.interval=10s",
    ],
    &[
        "monitoring.podMonitor.enabled=true",
        "monitoring.podMonitor.labels.a=b",
        "monitoring.podMonitor.interval=10s",
    ],
    &[
        "monitoring.prometheusRule.enabled=true",
        "monitoring.prometheusRule.labels.a=b",
        "monitoring.prometheusRule.alertLabels.team=platform",
    ],
    &[
        "monitoring.dashboard.enabled=true",
        "monitoring.dashboard.labels.a=b",
    ],
];

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/pullgate")
}

static HELM: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/build");
    let output = Command::new(script).output().expect("bash");
    assert!(output.status.success(), "{script}: {output:?}");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("helm")
});

fn helm(args: &[&str], values: &[&str]) -> Output {
    let mut helm = Command::new(&*HELM);
    helm.args(args).arg(chart());
    for value in values {
        helm.args(["--set", value]);
    }
    helm.output().expect("helm")
}

/// What helm makes of values.
fn render(values: &[&str]) -> String {
    let output = helm(&["template", "pullgate", "--namespace", "pullgate"], values);
    assert!(
        output.status.success(),
        "{values:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    documents.into_iter().filter(Value::is_object).collect()
}

fn of_kind(text: &str, kind: &str) -> Vec<Value> {
    let documents = documents(text).into_iter();
    documents
        .filter(|document| document["kind"] == kind)
        .collect()
}

fn blessed(path: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, text).expect("a file");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == text,
        "{} is not what it should be: run with BLESS=1",
        path.display()
    );
}

/// Trap 13: nothing is made up while rendering, so that two of them are equal, and GitOps sees no change. The file is what
/// the other tests register.
#[test]
fn trap_13_the_defaults_render_as_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chart/default.yaml");
    blessed(&path, &render(&[]));
    assert_eq!(render(&[]), render(&[]));
    for file in std::fs::read_dir(chart().join("templates"))
        .expect("a folder")
        .flatten()
    {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        for word in ["lookup", "genCA", "genSignedCert", "rand", "now"] {
            assert!(
                !text.contains(&format!("{word} ")),
                "{word} in {:?}",
                file.path()
            );
        }
    }
}

/// What is rendered has fields that Kubernetes knows, in each version.
#[test]
fn every_combination_is_valid_for_every_kubernetes() {
    let mut known = BTreeSet::new();
    for values in COMBINATIONS {
        let lint = helm(&["lint", "--strict"], values);
        let told = String::from_utf8_lossy(&lint.stdout);
        assert!(lint.status.success(), "{values:?}: {told}");
        // What CRDs define is known to nobody here. Most objects are the same in most combinations.
        let documents = documents(&render(values)).into_iter().filter(|document| {
            let version = document["apiVersion"].as_str().expect("a text");
            !version.contains("cert-manager.io") && !version.contains("monitoring.coreos.com")
        });
        known.extend(documents.map(|document| document.to_string()));
    }
    let dir = tempfile::tempdir().expect("a folder");
    for (number, text) in known.iter().enumerate() {
        std::fs::write(dir.path().join(format!("{number}.json")), text).expect("a file");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/validate");
    let versions = MINORS.map(|minor| format!("1.{minor}"));
    let output = Command::new(script)
        .arg(dir.path())
        .args(versions)
        .output()
        .expect("bash");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The chart and the program know the same flags.
#[test]
fn the_program_takes_every_argument_that_is_rendered() {
    for values in COMBINATIONS {
        let text = render(values);
        let pods = [("Deployment", "/spec/template/spec"), ("Pod", "/spec")];
        for (kind, spec) in pods {
            for workload in of_kind(&text, kind) {
                let container = workload.pointer(spec).expect("a spec")["containers"][0].clone();
                let args = container["args"].as_array().expect("arguments").clone();
                let args = args.iter().map(|arg| arg.as_str().expect("a text"));
                let parsed = Cli::try_parse_from(std::iter::once("pullgate").chain(args));
                assert!(
                    parsed.is_ok(),
                    "{values:?}: {}",
                    parsed.expect_err("an error")
                );
            }
        }
    }
}

/// In managed mode Pullgate keeps the caBundle: rendered, each upgrade would take it away.
#[test]
fn a_ca_bundle_is_rendered_only_where_it_is_provided() {
    let rendered = |values: &[&str]| render(values).contains("caBundle:");
    assert!(!rendered(&[]) && !rendered(&["tls.mode=cert-manager"]));
    let provided = render(COMBINATIONS[11]);
    assert_eq!(provided.matches("caBundle: UEVN").count(), 3);
    let injected = render(&["tls.mode=cert-manager"]);
    assert_eq!(
        injected
            .matches("cert-manager.io/inject-ca-from: pullgate/pullgate-tls")
            .count(),
        2
    );
}

/// What the security reviewer asks first.
#[test]
fn without_inventory_no_secret_outside_our_own_namespace_can_be_read() {
    for values in [&[][..], &["inventory=off"], &["policy.preview=false"]] {
        let text = render(values);
        for role in of_kind(&text, "ClusterRole") {
            assert!(!role.to_string().contains("secrets"), "{role}");
        }
        let names: Vec<_> = of_kind(&text, "Role")
            .iter()
            .flat_map(|role| role["rules"].as_array().expect("rules").clone())
            .filter(|rule| rule["resources"][0] == "secrets" && rule["verbs"][0] != "create")
            .map(|rule| rule["resourceNames"][0].clone())
            .collect();
        assert_eq!(names, ["pullgate-tls"]);
        assert!(!text.contains("secrets.guard.pullgate.dev"));
    }
    for (values, is_guarded, own) in [
        ("inventory=names", false, &["pullgate-tls"][..]),
        (
            "inventory=contents",
            true,
            &["pullgate-tls", "pullgate-fingerprints"],
        ),
    ] {
        let text = render(&[values]);
        assert_eq!(text.contains("secrets.guard.pullgate.dev"), is_guarded);
        let rules = |kind| -> Vec<Value> {
            let found = of_kind(&text, kind);
            let rules = found
                .iter()
                .flat_map(|role| role["rules"].as_array().expect("rules").clone());
            rules
                .filter(|rule| rule["resources"][0] == "secrets")
                .collect()
        };
        assert_eq!(rules("ClusterRole").len(), 1);
        assert_eq!(
            rules("ClusterRole")[0]["verbs"],
            serde_json::json!(["list", "watch"])
        );
        let named: Vec<_> = rules("Role")
            .iter()
            .filter_map(|rule| rule["resourceNames"][0].as_str().map(str::to_owned))
            .collect();
        assert_eq!(named, own);
    }
    assert!(!render(&["tls.mode=cert-manager"]).contains("resources: [secrets]"));
    assert!(
        !render(&["policy.preview=false"])
            .contains("deployments, statefulsets, daemonsets, replicasets]\n    verbs")
    );
}

/// One value for both: a controller that the API server does not ask about has to be one that Pullgate knows.
#[test]
fn extra_controllers_are_in_the_condition_and_in_the_arguments() {
    let user = "system:serviceaccount:argo-rollouts:argo-rollouts";
    let text = render(&[&format!("extraControllers[0]={user}")]);
    assert_eq!(text.matches(&format!("'{user}'")).count(), 2);
    assert!(text.contains(&format!("- \"--controller={user}\"")));
}

#[test]
fn bad_values_are_refused_by_name() {
    for (value, told) in [
        ("replcas=3", "additional properties 'replcas' not allowed"),
        ("tls.mode=vault", "/tls/mode"),
        ("tls.mode=provided", "tls.provided.caBundle is needed"),
        ("replicas=0", "/replicas"),
        (
            "webhooks.guard.failurePolicy=Maybe",
            "/webhooks/guard/failurePolicy",
        ),
        (
            "webhooks.policy.timeoutSeconds=3",
            "/webhooks/policy/timeoutSeconds",
        ),
        ("extraControllers[0]=a'b", "/extraControllers/0"),
        ("inventory=everything", "/inventory"),
        ("image.digest=latest", "/image/digest"),
        ("bindAddress=::", "/bindAddress"),
        (
            "tls.certManager.issuerRef.kind=Issuer",
            "/tls/certManager/issuerRef",
        ),
    ] {
        let output = helm(&["template", "pullgate"], &[value]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(told),
            "{value}: {error}"
        );
    }
}

/// Flux puts a commit behind the version.
#[test]
fn a_version_with_build_metadata_renders_valid_labels() {
    let dir = tempfile::tempdir().expect("a folder");
    let args = ["package", "--version", "0.1.0+abc123", "--destination"];
    let package = Command::new(&*HELM)
        .args(args)
        .arg(dir.path())
        .arg(chart())
        .output()
        .expect("helm");
    assert!(package.status.success(), "{package:?}");
    let rendered = Command::new(&*HELM)
        .args(["template", "123"])
        .arg(dir.path().join("pullgate-0.1.0+abc123.tgz"))
        .output()
        .expect("helm");
    let text = String::from_utf8(rendered.stdout).expect("UTF-8");
    assert!(text.contains("helm.sh/chart: pullgate-0.1.0_abc123") && !text.contains("+abc123"));
    assert!(text.contains("app.kubernetes.io/instance: \"123\""));
}

fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

/// Alerts and dashboard ask for metrics that there are, and the operations guide says what each alert means.
#[test]
fn alerts_and_dashboard_name_what_is_documented() {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(path).expect("a file")
    };
    let alerts = render(&[
        "monitoring.prometheusRule.enabled=true",
        "inventory=contents",
    ]);
    let rule = of_kind(&alerts, "PrometheusRule")[0].to_string();
    let dashboard = read("charts/pullgate/dashboards/pullgate.json");
    let documented = words(&read("docs/metrics.md"), "pullgate_");
    for metric in words(&rule, "pullgate_").union(&words(&dashboard, "pullgate_")) {
        let base = metric.trim_end_matches("_bucket");
        assert!(
            documented.contains(base),
            "{metric} is not in docs/metrics.md"
        );
    }
    let named = words(&rule, "Pullgate");
    let guide = words(&read("docs/operations.md"), "Pullgate");
    let alerts: Vec<_> = named.iter().filter(|name| *name != "Pullgate").collect();
    assert!(alerts.len() >= 17, "{alerts:?}");
    for alert in alerts {
        assert!(
            guide.contains(alert),
            "{alert} is not in docs/operations.md"
        );
    }
}

fn values() -> String {
    std::fs::read_to_string(chart().join("values.yaml")).expect("values.yaml")
}

/// The schema lets nothing else in, and each of its keys is a value with a default.
#[test]
fn the_schema_has_the_keys_of_the_values() {
    let values: Value = serde_saphyr::from_str(&values()).expect("YAML");
    let schema = std::fs::read_to_string(chart().join("values.schema.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    compare("", &values, &schema);
}

/// Every value has a description, and the README has them all.
#[test]
fn the_readme_of_the_chart_has_every_value() {
    let path = chart().join("README.md");
    let readme = std::fs::read_to_string(&path).expect("README.md");
    let (head, rest) = readme.split_once("<!-- values -->\n").expect("a mark");
    let (_, tail) = rest.split_once("<!-- end of values -->").expect("a mark");
    let table = table();
    blessed(
        &path,
        &format!("{head}<!-- values -->\n{table}<!-- end of values -->{tail}"),
    );
}

fn compare(path: &str, values: &Value, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{path}");
    for (key, schema) in properties.iter().filter(|(key, _)| *key != "global") {
        let path = format!("{path}.{key}");
        assert!(!values[key].is_null(), "{path} has no default");
        compare(&path, &values[key], schema);
    }
}

fn table() -> String {
    let text = values();
    let values: Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut table = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut description = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(words) = trimmed.strip_prefix("# -- ") {
            description = Some(words.to_owned());
            continue;
        }
        let Some((key, _)) = trimmed
            .split_once(':')
            .filter(|_| !trimmed.starts_with('#'))
        else {
            continue;
        };
        let indent = line.len() - trimmed.len();
        parents.retain(|(of, _)| *of < indent);
        parents.push((indent, key.to_owned()));
        let keys: Vec<_> = parents.iter().map(|(_, key)| key.as_str()).collect();
        let found = keys.iter().fold(&values, |value, key| &value[*key]);
        match description.take() {
            Some(words) => {
                let words = words.replace('|', "\\|");
                let _ = writeln!(table, "| `{}` | `{found}` | {words} |", keys.join("."));
            }
            None => assert!(
                found.is_object(),
                "{} has no description: a line `# -- …` before it",
                keys.join(".")
            ),
        }
    }
    table
}
