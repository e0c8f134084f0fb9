//! Tests of the messages of denials and warnings, and of their length limits.

use crate::support::{POLICY, Setting, create_pod, update};
use serde_json::json;

#[test]
fn a_denial_is_403_forbidden_with_causes() {
    let answer = Setting::new(POLICY).validate(&create_pod(
        json!({"imagePullSecrets": [{"name": "legacy-x"}]}),
    ));
    let status = &answer.response["status"];
    assert_eq!(
        (&status["code"], &status["reason"], &status["status"]),
        (&json!(403), &json!("Forbidden"), &json!("Failure"))
    );
    assert_eq!(status["details"]["causes"].as_array().unwrap().len(), 1);
    assert_eq!(
        answer.audit("ban.legacy-shared"),
        Some("denied \"legacy-x\"")
    );
}

/// Many findings stay readable, and warnings stay within the limits of the API server.
#[test]
fn messages_have_length_limits() {
    let many: Vec<_> = (0..50)
        .map(|i| json!({"name": format!("legacy-{i}\u{7}{}", "x".repeat(200))}))
        .collect();
    let review = create_pod(json!({"imagePullSecrets": many}));
    let denied = Setting::new(POLICY).validate(&review);
    assert_eq!(denied.message().lines().count(), 12);
    assert_eq!(denied.message().lines().last(), Some("and 40 more"));
    assert_eq!(
        denied.message().matches("One expiry").count(),
        1,
        "the reason appears once"
    );
    assert_eq!(
        denied.message().lines().next(),
        Some("Pod ns/web: 50 findings")
    );
    let warned =
        Setting::new(&POLICY.replace("instead: contoso-pull", "mode: warn")).validate(&review);
    let warnings = warned.warnings();
    assert!(
        warnings
            .iter()
            .all(|warning| warning.chars().count() <= 256 && !warning.contains(char::is_control))
    );
    assert!(
        warnings
            .iter()
            .map(|warning| warning.chars().count())
            .sum::<usize>()
            <= 4096
    );
    assert!(warnings.last().unwrap().ends_with("more"), "{warnings:?}");
}

/// A user who may create a Pod decides how large it is, so the time must grow in proportion to its size. With quadratic
/// growth, this test takes minutes.
#[test]
fn an_object_of_three_mebibytes_is_judged_in_linear_time() {
    let entry = |i: usize| json!({"name": format!("legacy-{i}")});
    let secrets: Vec<_> = (0..30_000).map(entry).collect();
    let containers: Vec<_> = (0..20_000).map(|i| json!({"name": "c", "image": format!("quay.io/a{i}"), "envFrom": [{"secretRef": entry(i)}]})).collect();
    let spec = json!({"imagePullSecrets": secrets, "containers": containers});
    let review = create_pod(spec);
    let mut updated = update(review.clone(), review["request"]["object"].clone());
    updated["request"]["object"]["metadata"]["annotations"] =
        json!({"pullgate.dev/injected": "legacy-1"});
    let texts: Vec<String> = (0..30_000).map(|i| format!("legacy-{i}")).collect();
    let listed: Vec<&str> = texts.iter().map(String::as_str).collect();
    let exception = "exceptions: [{bans: [legacy-shared], namespaces: {names: [ns]}, owner: o, reason: r, expires: 2027-01-31}]\n";
    for policy in [
        format!("unmatched: deny\n{POLICY}"),
        format!("unmatched: warn\n{POLICY}{exception}"),
    ] {
        let setting = Setting::new(&policy).with_account("ns", "default", &listed);
        for review in [&review, &updated] {
            let answer = setting.validate(review);
            assert!(answer.response.to_string().len() < 100_000);
            setting.mutate(review);
        }
    }
}

/// A reference that is not one is told with its mistake and shown, also in the audit log; a password in it is not.
#[test]
fn a_bad_reference_is_shown_with_its_mistake() {
    let hex = "a".repeat(64);
    let upper = format!("reg.io/x@SHA256:{hex}");
    let lower = format!("reg.io/x@sha256:{hex}");
    let deny = Setting::new(&format!("unmatched: deny\n{POLICY}"));
    let warn = Setting::new(POLICY);
    let field = "Pod ns/web: spec.containers[0].image";
    for (image, what, meant) in [
        ("repo:tag@", "nothing follows its `@`", Some("repo:tag")),
        (
            "repo@latest",
            "a digest has to follow the `@`, like sha256:…, and a tag has to follow a `:`",
            Some("repo:latest"),
        ),
        (&upper, "its digest has to be in lower case", Some(&*lower)),
        (
            "${IMAGE}:1",
            "it has a placeholder (${) that is not filled in",
            None,
        ),
    ] {
        let review = create_pod(json!({"containers": [{"name": "c", "image": image}]}));
        let sentence = format!("{field} \"{image}\" is not a valid image reference: {what}");
        let help = meant.map_or("Correct the image.".to_owned(), |meant| {
            format!("Write \"{meant}\".")
        });
        let answer = deny.validate(&review);
        assert_eq!(answer.message(), format!("{sentence}. {help}"));
        let note = format!("denied \"{image}\"");
        assert_eq!(answer.audit("unmatched"), Some(&*note));
        let mut warning = sentence;
        let meant = meant.map_or(String::new(), |meant| format!("; write \"{meant}\""));
        // Where the warning has room for it.
        if warning.chars().count() + meant.chars().count() <= 256 {
            warning.push_str(&meant);
        }
        assert_eq!(warn.validate(&review).warnings(), [warning]);
    }
    for image in ["bob:hunter2@reg.io/x", "https://bob:hunter2@reg.io/x"] {
        let review = create_pod(json!({"containers": [{"name": "c", "image": image}]}));
        for answer in [deny.validate(&review), warn.validate(&review)] {
            let told = answer.response.to_string();
            assert!(told.contains("has a user and a password before"), "{told}");
            assert!(
                told.contains("reg.io/x") && !told.contains("hunter2"),
                "{told}"
            );
        }
    }
    // An image of three mebibytes is not looked at to its end.
    let long = create_pod(json!({"containers": [{"name": "c", "image": "A/".repeat(1_500_000)}]}));
    let told = warn.validate(&long).warnings().join("");
    assert!(
        told.ends_with("is not a valid image reference: it has more than 1024 bytes"),
        "{told}"
    );
}
