//! Tests of the versions of Kubernetes that pages name, and of the public workflow.

use super::{files, read};
use serde_json::Value;
use std::collections::BTreeMap;

/// The minor versions of `tests/cluster/modules`, with the exact ones.
fn versions() -> BTreeMap<u32, String> {
    let modules = files(&["mod"]).into_iter().filter_map(|path| {
        let minor = path.strip_prefix("tests/cluster/modules/kubernetes-1.")?;
        let minor = minor.strip_suffix("/go.mod")?.parse().ok()?;
        let text = read(&path);
        let version = text.split("k8s.io/kubernetes v").nth(1)?;
        Some((minor, version.split_whitespace().next()?.to_owned()))
    });
    modules.collect()
}

#[test]
fn the_pages_name_the_versions_of_kubernetes_that_run() {
    let versions = versions();
    assert!(versions.len() >= 5, "{versions:?}");
    let minors: Vec<_> = versions.keys().map(|minor| format!("1.{minor}")).collect();
    let matrix = read("tests/cluster/matrix");
    let default = format!("minors=({})", minors.join(" "));
    assert!(matrix.contains(&default), "tests/cluster/matrix: {default}");
    let (newest, exact) = versions.last_key_value().expect("a version");
    let build = read("tests/cluster/build");
    assert!(
        build.contains(&format!("newest=1.{newest}\n")),
        "tests/cluster/build"
    );
    let guide = read("CONTRIBUTING.md").replace('\n', " ");
    let chart = read("charts/pullgate/README.md").replace('\n', " ");
    let (last, first) = minors.split_last().expect("a version");
    for version in versions.values() {
        assert!(
            guide.contains(version.as_str()),
            "{version} in CONTRIBUTING.md"
        );
    }
    let all = format!("{} and {last}", first.join(", "));
    assert!(
        guide.contains(&format!("Kubernetes {all}")),
        "{all} in CONTRIBUTING.md"
    );
    for minor in &minors {
        assert!(
            chart.contains(minor.as_str()),
            "{minor} in the README of the chart"
        );
    }
    assert!(
        chart.contains(&format!("to {last}.")),
        "{exact} in the README of the chart"
    );
}

/// Every job of the public workflow runs a script of the repository, or cargo-deny with the advisories.
#[test]
fn the_workflow_runs_the_scripts_of_everybody() {
    let workflow: Value = serde_saphyr::from_str(&read(".github/workflows/ci.yml")).expect("YAML");
    let jobs = workflow["jobs"].as_object().expect("jobs");
    for name in ["fast", "deep", "chart", "cluster", "nodes", "advisories"] {
        let steps = jobs[name]["steps"].as_array().expect("steps");
        let last = steps.last().and_then(|step| step["run"].as_str());
        let command = last.expect("a command");
        let expected = match name {
            "advisories" => "cargo deny check".to_owned(),
            part => format!("tests/run {part}"),
        };
        assert!(command.ends_with(&expected), "{name}: {command}");
    }
    assert_eq!(jobs.len(), 6);
    assert!(read("deny.toml").contains("[advisories]"));
}
