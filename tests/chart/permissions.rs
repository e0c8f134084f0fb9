//! Tests of the permissions that the chart gives Pullgate.

use crate::{of_kind, render};
use serde_json::Value;

/// The first question of a security review.
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
