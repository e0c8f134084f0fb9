//! Tests of the alerts and the dashboard of the chart.

use crate::{of_kind, render};
use std::collections::BTreeSet;
use std::path::Path;

fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

/// Alerts and dashboard use only metrics that exist, and the operations guide explains each alert.
#[test]
fn alerts_and_dashboard_name_documented_metrics() {
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
