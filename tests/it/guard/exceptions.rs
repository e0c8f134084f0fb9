//! Tests of exceptions and exempt namespaces.

use super::banned_pod;
use crate::support::{POLICY, Setting, create_pod, in_namespace};
use jiff::civil::date;
use serde_json::json;

#[test]
fn an_exception_holds_until_the_end_of_its_day() {
    let policy = format!(
        "{POLICY}exceptions: [{{bans: [legacy-shared], namespaces: {{names: [ns]}}, owner: me, reason: PAY-1, expires: 2027-01-31}}]\n"
    );
    let mut setting = Setting::new(&policy);
    setting.today = date(2027, 1, 31);
    let answer = setting.validate(&banned_pod());
    assert_eq!(
        (answer.allowed(), answer.warnings()),
        (
            true,
            vec!["ban \"legacy-shared\" is lifted until 2027-01-31 for me (PAY-1)"]
        )
    );
    assert!(
        !setting
            .validate(&in_namespace(banned_pod(), "elsewhere"))
            .allowed()
    );
    setting.today = date(2027, 2, 1);
    assert!(!setting.validate(&banned_pod()).allowed());
}

#[test]
fn an_exception_can_lift_unmatched() {
    let policy = "unmatched: deny\nexceptions: [{unmatched: true, namespaces: {names: [ns]}, owner: me, reason: r, expires: 2027-01-31}]\n";
    let answer = Setting::new(policy).validate(&create_pod(
        json!({"containers": [{"name": "c", "image": "x"}, {"name": "d", "image": "y"}]}),
    ));
    assert_eq!(
        (answer.allowed(), answer.warnings()),
        (
            true,
            vec!["\"unmatched\" is lifted until 2027-01-31 for me (r)"]
        )
    );
}

#[test]
fn exempt_namespaces_get_no_findings() {
    let setting = Setting::new(&format!("unmatched: deny\n{POLICY}"));
    let review = in_namespace(banned_pod(), "exempt");
    assert!(setting.validate(&review).allowed() && setting.validate(&review).warnings().is_empty());
}

#[test]
fn unknown_labels_never_deny() {
    let policy = format!(
        "{POLICY}exceptions: [{{bans: [legacy-shared], namespaces: {{labels: {{matchLabels: {{team: a}}}}}}, owner: me, reason: r, expires: 2027-01-31}}]\n"
    );
    let unknown = Setting::new(&policy).validate(&banned_pod());
    assert!(
        unknown.allowed() && unknown.warnings()[0].contains("; labels of the namespace unknown"),
        "{unknown:?}"
    );
    assert!(
        !Setting::new(&policy)
            .with_labels("ns", &[("team", "b")])
            .validate(&banned_pod())
            .allowed()
    );
    let known = Setting::new(&policy)
        .with_labels("ns", &[("team", "a")])
        .validate(&banned_pod());
    assert!(
        known.warnings()[0].starts_with("ban \"legacy-shared\" is lifted"),
        "{known:?}"
    );
}
