//! Tests with reviews recorded from a real API server. The answers are in `tests/answers.json`, which `BLESS=1` writes.

use crate::support::{Answer, Setting};
use proptest::prelude::*;
use pullgate::admission::{self, ReviewError};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reviews"))
}

fn reviews() -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(dir())
        .expect("tests/reviews")
        .map(|entry| entry.expect("an entry").path());
    let reviews: BTreeMap<_, _> = files
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a file");
            (
                path.file_stem().unwrap().to_str().unwrap().to_owned(),
                serde_json::from_str(&text).expect("JSON"),
            )
        })
        .collect();
    assert!(reviews.len() >= 60, "only {} reviews", reviews.len());
    reviews
}

fn setting() -> Setting {
    let policy = format!("unmatched: warn\n{}", crate::support::POLICY);
    Setting::new(&policy)
        .with_account("record", "app", &["regcred-shared"])
        .with_labels("record", &[("team", "shop")])
}

fn answer(setting: &Setting, name: &str, review: &Value) -> Answer {
    if name.ends_with(".mutate") {
        setting.mutate(review)
    } else {
        setting.validate(review)
    }
}

#[test]
fn answers_are_unchanged() {
    let setting = setting();
    let answers: BTreeMap<_, _> = reviews()
        .into_iter()
        .map(|(name, review)| {
            let Answer {
                mut response,
                patch,
            } = answer(&setting, &name, &review);
            response.as_object_mut().unwrap().remove("uid");
            if let Some(patch) = patch {
                response["patch"] = patch;
            }
            (name, response)
        })
        .collect();
    let text = serde_json::to_string_pretty(&answers).unwrap() + "\n";
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/answers.json"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept: BTreeMap<String, Value> =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap_or("{}".into())).unwrap();
    for (name, answer) in &answers {
        assert_eq!(
            kept.get(name),
            Some(answer),
            "{name}: if this change is intended, run with BLESS=1"
        );
    }
    assert_eq!(
        kept.len(),
        answers.len(),
        "some answers have no review: run with BLESS=1"
    );
}

/// Promise 1, with recorded requests.
#[test]
fn promise_1_patches_apply_to_recorded_objects_and_asking_again_changes_nothing() {
    let setting = setting();
    let mut patched = 0;
    for (name, mut review) in reviews() {
        let answer = answer(&setting, &name, &review);
        if answer.patch.is_some() {
            patched += 1;
            review["request"]["object"] = answer.applied(&review["request"]["object"]);
            assert_eq!(setting.mutate(&review).patch, None, "{name}");
        }
    }
    assert!(patched >= 10, "only {patched} patches");
}

/// Promise 2.
#[test]
fn promise_2_answers_have_the_uid_and_never_deny_and_patch() {
    let setting = Setting::new(&format!(
        "unmatched: deny\n{}",
        crate::support::POLICY.replace("instead", "running: deny, instead")
    ));
    let (mut denied, mut patched) = (0, 0);
    for (name, review) in reviews() {
        for (is_validate, answer) in [
            (false, setting.mutate(&review)),
            (true, setting.validate(&review)),
        ] {
            assert_eq!(answer.response["uid"], review["request"]["uid"], "{name}");
            assert_eq!(
                answer.patch.is_some(),
                answer.response["patchType"] == "JSONPatch",
                "{name}"
            );
            assert!(!(is_validate && answer.patch.is_some()), "{name}");
            assert!(answer.allowed() || answer.patch.is_none(), "{name}");
            assert_eq!(
                answer.allowed(),
                answer.response["status"].is_null(),
                "{name}"
            );
            denied += usize::from(!answer.allowed());
            patched += usize::from(answer.patch.is_some());
        }
    }
    assert!(
        denied >= 10 && patched >= 5,
        "{denied} denied, {patched} patched"
    );
}

/// Trap 11: for a pod of a controller, both endpoints give the same findings.
#[test]
fn trap_11_both_endpoints_judge_alike() {
    let setting = setting();
    let mut judged = 0;
    for (name, review) in reviews()
        .iter()
        .filter(|(name, _)| name.contains(".Pod.create.by-"))
    {
        let bans = |answer: &Answer| answer.audit("ban.legacy-shared").map(str::to_owned);
        let (mutate, validate) = (setting.mutate(review), setting.validate(review));
        assert_eq!(
            (mutate.allowed(), bans(&mutate)),
            (validate.allowed(), bans(&validate)),
            "{name}"
        );
        judged += usize::from(bans(&mutate).is_some());
    }
    assert!(judged >= 10, "only {judged} reviews have findings");
}

/// Promise 5: the password of the recorded Secret appears in no output, in no encoding.
#[test]
fn promise_5_no_secret_value_is_in_an_answer_or_in_debug() {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let setting = setting();
    let mut secrets = 0;
    for (name, review) in reviews() {
        let Some(data) = review
            .pointer("/request/object/data/.dockerconfigjson")
            .and_then(Value::as_str)
        else {
            continue;
        };
        secrets += 1;
        let config: Value = serde_json::from_slice(&BASE64_STANDARD.decode(data).unwrap()).unwrap();
        let entry = &config["auths"]["contoso.azurecr.io"];
        let (password, auth) = (
            entry["password"].as_str().unwrap(),
            entry["auth"].as_str().unwrap(),
        );
        let bytes = review.to_string();
        let parsed = admission::parse(bytes.as_bytes()).unwrap();
        for said in [
            format!("{parsed:?}"),
            format!("{:?}", answer(&setting, &name, &review)),
            parsed.subject.to_string(),
        ] {
            for value in [password, auth, data] {
                assert!(!said.contains(value), "{name}: {said}");
            }
        }
    }
    assert!(secrets >= 2);
}

/// The API server drops audit annotations with an invalid key.
#[test]
fn audit_keys_are_valid_names() {
    let setting = Setting::new(
        "bans: [{name: 'Ünï cödé / and / slashes, and a name that is quite a bit long', secrets: ['*']}]\n",
    );
    let mut keys = 0;
    for (name, review) in reviews() {
        let answer = setting.validate(&review);
        for key in answer.response["auditAnnotations"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
        {
            keys += 1;
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            assert!(
                key.len() <= 63
                    && key.chars().all(fits)
                    && key.starts_with(|c: char| c.is_ascii_alphanumeric()),
                "{name}: {key}"
            );
        }
    }
    assert!(keys >= 10, "only {keys} keys");
}

#[test]
fn the_error_for_an_invalid_review_names_the_reason() {
    let parse = |text: &str| admission::parse(text.as_bytes()).map(|_| ()).unwrap_err();
    assert!(matches!(parse(""), ReviewError::Json { .. }));
    assert!(matches!(parse("[]"), ReviewError::Json { .. }));
    assert!(matches!(parse("{}"), ReviewError::Json { .. }));
    assert!(matches!(
        parse(r#"{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"}"#),
        ReviewError::Type { .. }
    ));
    let with = |request: &str| {
        parse(&format!(
            r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {request}}}"#
        ))
    };
    assert!(matches!(with("null"), ReviewError::NoRequest));
    assert!(matches!(
        with(r#"{"operation": "CREATE"}"#),
        ReviewError::NoUid
    ));
    assert!(matches!(
        with(r#"{"uid": "", "operation": "CREATE"}"#),
        ReviewError::NoUid
    ));
    assert!(matches!(
        with(r#"{"uid": "1", "operation": "PATCH"}"#),
        ReviewError::Operation(_)
    ));
}

/// A text with escapes cannot be borrowed. Unknown fields, nulls and an annotation of 2 MiB are skipped.
#[test]
fn odd_json_is_parsed() {
    let padding = "\\u0041\\n".repeat(2 * 1024 * 1024 / 8);
    let text = format!(
        r#"{{"kind": "AdmissionReview", "unknown": [[[{{}}]]], "apiVersion": "admission.k8s.io/v1", "request": {{
            "uid": "u\u0069d", "operation": "CREATE", "kind": {{"group": "", "kind": "P\u006fd"}}, "namespace": "n\u0073",
            "userInfo": {{"username": "j\u0061ne", "extra": {{"a": ["b"]}}}}, "options": null, "future": 1e400,
            "object": {{"metadata": {{"annotations": {{"big": "{padding}", "pullgate.dev\/injected": null}}, "labels": null}},
            "spec": {{"containers": [{{"name": null, "image": "contoso\u002eazurecr.io\/a", "env": null}}], "imagePullSecrets": [{{"name": "\u0078"}}]}}}}}}}}"#
    );
    let setting = Setting::new(crate::support::POLICY);
    let parsed = admission::parse(text.as_bytes()).unwrap();
    assert_eq!(
        (&*parsed.subject.namespace, &*parsed.subject.user),
        ("ns", "jane")
    );
    let review: Value = serde_json::from_str(&text.replace("1e400", "1")).unwrap();
    let answer = setting.mutate(&review);
    assert_eq!(answer.response["uid"], "uid");
    let applied = answer.applied(&review["request"]["object"]);
    assert_eq!(
        applied["spec"]["imagePullSecrets"],
        json!([{"name": "contoso-pull"}, {"name": "x"}])
    );
}

/// Copying is the main cost of a review. A text without escapes needs no copy.
#[test]
fn texts_without_escapes_are_borrowed() {
    let bytes = std::fs::read(dir().join("pod-every-reference.Pod.create.validate.json")).unwrap();
    let subject = admission::parse(&bytes).unwrap().subject;
    let is_borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
    let pod = subject.object.pod.as_ref().unwrap();
    assert!(is_borrowed(&subject.namespace) && is_borrowed(&subject.user));
    assert!(pod.images.len() == 2 && pod.images.iter().all(|used| is_borrowed(&used.image)));
    assert!(
        subject.object.references.len() == 15
            && subject
                .object
                .references
                .iter()
                .all(|used| is_borrowed(&used.secret))
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = admission::parse(&bytes);
    }

    /// A recorded review with an overwritten part: mostly no longer JSON, sometimes JSON of another shape.
    #[test]
    fn damaged_reviews_are_judged_without_a_panic(which in 0..1_000_usize, at in 0.0..1.0_f64, with in "[\\[\\]{}\",:0-9a-z]{1,8}") {
        let reviews = CORPUS.with(Clone::clone);
        let (name, review) = &reviews[which % reviews.len()];
        let mut bytes = review.clone().into_bytes();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a text")]
        let start = (at * (bytes.len() - with.len()) as f64) as usize;
        bytes[start..start + with.len()].copy_from_slice(with.as_bytes());
        if let Ok(review) = serde_json::from_slice::<Value>(&bytes) && admission::parse(review.to_string().as_bytes()).is_ok() {
            answer(&setting(), name, &review);
        }
        let _ = admission::parse(&bytes);
    }
}

thread_local! {
    static CORPUS: std::rc::Rc<Vec<(String, String)>> =
        std::rc::Rc::new(reviews().into_iter().map(|(name, review)| (name, review.to_string())).collect());
}
