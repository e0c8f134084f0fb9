//! Tests of the metrics and of their table in docs/metrics.md.

use super::{Process, until};
use crate::policy::EXAMPLE;
use crate::support::{POLICY, Setting, create_pod};
use crate::webhook::start;
use pullgate::reports::secret_statistics::{InjectedSecret, SecretState, SecretStatistics};
use pullgate::runtime::metrics::{Metrics, PolicySource, Unanswered};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Promise 4, seen in the metrics.
#[test]
fn promise_4_a_bad_policy_file_shows_in_the_metrics_and_replaces_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let process = Process::start(dir.path(), &[]);
    let path = dir.path().join("policy.yaml");
    assert_eq!(process.metric("pullgate_policy_generation"), Some(1.0));
    std::fs::write(&path, "kind: PullPolicy\nbans: [{}]\n").expect("a file");
    until("the faults are counted", || {
        process.metric("pullgate_policy_faults") == Some(3.0)
    });
    assert_eq!(process.metric("pullgate_policy_generation"), Some(1.0));
    assert_eq!(process.get("/readyz").0, 200);
    std::fs::write(&path, format!("{EXAMPLE}\n# changed\n")).expect("a file");
    until("the policy is in force", || {
        process.metric("pullgate_policy_generation") == Some(2.0)
    });
    assert_eq!(process.metric("pullgate_policy_faults"), Some(0.0));
}

/// Names and labels of metrics are an interface. This test compares the table in `docs/metrics.md` with the metrics of
/// the code.
#[tokio::test]
async fn the_table_lists_exactly_the_metrics_of_the_code() {
    let running = start().await;
    let pod = |secret: &str| {
        create_pod(
            json!({"imagePullSecrets": [{"name": secret}], "containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]}),
        )
    };
    let client = running.client();
    assert!(
        !Setting::new(POLICY)
            .validate(&pod("regcred-shared"))
            .allowed()
    );
    assert_eq!(
        client
            .post("/mutate", pod("x").to_string().as_bytes())
            .await
            .0,
        200
    );
    assert_eq!(
        client
            .post("/validate", pod("regcred-shared").to_string().as_bytes())
            .await
            .0,
        200
    );
    let metrics: &Metrics = &running.metrics;
    metrics.policy.in_force(0, PolicySource::Accepted);
    metrics.watch_failed("namespaces", 0);
    metrics.unreadable("namespaces", 1);
    metrics.secrets.count(&statistics());
    metrics.reviews.unanswered(Unanswered::Panic);
    metrics.connections.closed("total");
    metrics.connections.refused("total");
    let text = metrics.text(true);
    let shown: BTreeSet<_> = types(&text).into_keys().map(str::to_owned).collect();
    assert_eq!(shown, registered(), "count the new metric in this test");
    assert_eq!(families(&text), table(&read("docs/metrics.md")));
    running.end().await;
}

/// Alerts, dashboard and documents name only metrics of the table. The test above compares the table with the code.
#[test]
fn alerts_dashboard_and_pages_name_metrics_of_the_table() {
    let documented = table(&read("docs/metrics.md"));
    let is_documented = |name: &str| {
        let parts = ["_bucket", "_count", "_sum"];
        let histogram = parts.iter().find_map(|part| name.strip_suffix(part));
        let histogram = histogram.and_then(|name| documented.get(name));
        documented.contains_key(name) || histogram.is_some_and(|(kind, _)| kind == "histogram")
    };
    let alerts = "charts/pullgate/templates/alerts.yaml";
    let dashboard = "charts/pullgate/dashboards/pullgate.json";
    for path in [alerts, dashboard] {
        assert!(!named(&read(path)).is_empty(), "{path} names no metric");
    }
    let pages = crate::pages::pages();
    let pages = pages.into_iter().map(|page| (page.path, page.text));
    let others = [alerts, dashboard].map(|path| (path.to_owned(), read(path)));
    for (path, text) in pages.chain(others) {
        for name in named(&text) {
            assert!(is_documented(&name), "{path} names {name}");
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).expect("a text of the repository")
}

/// Returns the words of a text that begin like a metric name.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("pullgate_"))
        .map(str::to_owned)
        .collect()
}

/// Statistics with a value in every field.
fn statistics() -> SecretStatistics {
    let injected = InjectedSecret {
        rule: "contoso".to_owned(),
        secret: "contoso-pull".to_owned(),
        present: [(SecretState::Good, 1)].into(),
        absent: Some(1),
        expires: Some(1),
        changed: Some(1),
    };
    SecretStatistics {
        injected: vec![injected],
        ..SecretStatistics::default()
    }
}

type Families = BTreeMap<String, (String, BTreeSet<String>)>;

/// Returns the names of all registered metrics. They are read from the debug output, because the text format leaves out
/// metrics without samples.
fn registered() -> BTreeSet<String> {
    let metrics = format!("{:?}", Metrics::default());
    let descriptors = metrics.split("Descriptor { name: \"").skip(1);
    let names = descriptors.map(|rest| {
        let (name, rest) = rest.split_once('"').expect("the end of the name");
        let (rest, _) = rest.split_once(" }").expect("the end of the descriptor");
        let has_unit = rest.ends_with("unit: Some(Seconds)");
        format!("pullgate_{name}{}", if has_unit { "_seconds" } else { "" })
    });
    names.collect()
}

/// Returns the types of the metrics by name.
fn types(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect()
}

/// Returns type and labels of each metric, by the name in its samples.
fn families(text: &str) -> Families {
    let mut families = Families::new();
    for (name, kind) in types(text) {
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let samples = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| {
                rest.starts_with([' ', '{'])
                    || rest.starts_with(suffix) && !suffix.is_empty()
                    || rest.starts_with("_bucket")
            })
        });
        let labels = samples
            .filter_map(|line| line.split_once('{')?.1.split('}').next())
            .flat_map(|labels| labels.split(','))
            .filter_map(|label| label.split_once('='))
            .map(|(label, _)| label.to_owned())
            .filter(|label| label != "le")
            .collect();
        families.insert(format!("{name}{suffix}"), (kind.to_owned(), labels));
    }
    families
}

/// Returns the same from the rows `| NAME | TYPE | LABELS | … |` of the table.
fn table(markdown: &str) -> Families {
    let rows = markdown
        .lines()
        .filter(|line| line.starts_with("| `pullgate_"));
    rows.map(|row| {
        let cells: Vec<_> = row
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        let labels = cells[3]
            .split(", ")
            .map(str::to_owned)
            .filter(|label| !label.is_empty());
        (cells[1].clone(), (cells[2].clone(), labels.collect()))
    })
    .collect()
}
