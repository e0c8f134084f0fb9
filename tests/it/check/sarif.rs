//! Tests of the SARIF output of `check`.

use super::{DEPLOYMENT, Folder};
use pullgate::verdict::code::FindingCode;
use serde_json::Value;

/// The types of that crate are made from the schema: a field that they do not know is lost on the way.
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

/// A Secret with banned content: the rule of its code was missing, and `ruleIndex` was null.
#[test]
fn a_banned_credential_has_its_rule() {
    let auth = "Y29udG9zbzpzZWNyZXQ="; // contoso:secret
    let config = format!(r#"{{"auths": {{"contoso.azurecr.io": {{"auth": "{auth}"}}}}}}"#);
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: mine, namespace: shop}}\n\
         type: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{config}'\n"
    );
    let folder = Folder::new(&[("secret.yaml", &secret)]);
    let run = folder.check(&["-f", "secret.yaml", "-o", "sarif"], "");
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let run = &report["runs"][0];
    let results = run["results"].as_array().expect("a list");
    let banned = |result: &&Value| result["ruleId"] == "banned-credential";
    let result = results.iter().find(banned).expect("the finding");
    let index = result["ruleIndex"].as_u64().expect("a number");
    let rule = &run["tool"]["driver"]["rules"][usize::try_from(index).expect("small")];
    assert_eq!(rule["id"], "banned-credential");
}

/// Each code has a rule, at the place that its results name, and the types of SARIF take a result of it.
#[test]
fn every_code_has_a_rule_that_its_results_name() {
    let folder = Folder::new(&[("a.yaml", DEPLOYMENT)]);
    let run = folder.check(&["-f", "a.yaml", "-o", "sarif"], "");
    let mut report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let rules = report["runs"][0]["tool"]["driver"]["rules"].clone();
    let sample = report["runs"][0]["results"][0].clone();
    let result = |code: FindingCode| {
        assert_eq!(rules[code.index()]["id"], code.name());
        assert_eq!(
            rules[code.index()]["shortDescription"]["text"],
            code.summary()
        );
        let mut result = sample.clone();
        result["ruleId"] = code.name().into();
        result["ruleIndex"] = code.index().into();
        result
    };
    report["runs"][0]["results"] = FindingCode::ALL.map(result).into_iter().collect();
    let typed: serde_sarif::sarif::Sarif = serde_json::from_value(report.clone()).expect("SARIF");
    assert_eq!(serde_json::to_value(&typed).expect("JSON"), report);
}
