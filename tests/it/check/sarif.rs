//! Tests of the SARIF output of `check`.

use super::{DEPLOYMENT, Folder};
use serde_json::Value;

/// The types of that crate are made from the schema: what they do not know is lost on the way.
#[test]
fn the_sarif_is_valid_by_its_schema() {
    let folder = Folder::new(&[("a b#.yaml", DEPLOYMENT), ("c.yaml", "a: [\n")]);
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments-eu}, spec: {imagePullSecrets: [{name: legacy-1}]}}";
    folder.write("lifted.yaml", pod);
    let run = folder.check(
        &["-f", "./a b#.yaml", "c.yaml", "lifted.yaml", "-o", "sarif"],
        "",
    );
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let typed: serde_sarif::sarif::Sarif = serde_json::from_value(report.clone()).expect("SARIF");
    assert_eq!(serde_json::to_value(&typed).expect("JSON"), report);
    let results = report["runs"][0]["results"].as_array().expect("a list");
    let told = |i: usize| {
        let place = &results[i]["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a text");
        format!(
            "{} {} {uri}:{}",
            results[i]["ruleId"], results[i]["level"], place["region"]["startLine"]
        )
    };
    assert_eq!(told(0), "\"banned-secret\" \"error\" a%20b%23.yaml:10");
    assert_eq!(told(1), "\"unreadable\" \"error\" c.yaml:1");
    assert_eq!(told(2), "\"exception\" \"note\" lifted.yaml:1");
    let rules = report["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .expect("a list");
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("a number");
        assert_eq!(
            rules[usize::try_from(index).expect("small")]["id"],
            result["ruleId"]
        );
    }
}
