//! For any object: the patch applies, a second review changes nothing, and no answer both denies and patches.
#![cfg_attr(feature = "libfuzzer", no_main)]

use jiff::Timestamp;
use jiff::civil::date;
use pullgate::admission;
use pullgate::admission::endpoint::Endpoint;
use pullgate::facts::{Facts, ServiceAccountFacts};
use pullgate::policy::Policy;
use pullgate::verdict::world::{Controllers, World};
use pullgate::verdict::{Outcome, mutate};
use pullgate_fuzz::fuzz_target;
use serde_json::{Value, json};
use std::sync::LazyLock;

const POLICY: &str = include_str!("../../src/commands/example-policy.yaml");
const KINDS: [(&str, &str); 6] = [
    ("", "Pod"),
    ("apps", "Deployment"),
    ("batch", "CronJob"),
    ("", "ServiceAccount"),
    ("", "Secret"),
    ("", "ConfigMap"),
];

static WORLD: LazyLock<(Policy, Facts, Controllers)> = LazyLock::new(|| {
    let policy = Policy::load(POLICY, date(2026, 1, 1))
        .policy
        .expect("a policy");
    let mut facts = Facts::default();
    let account = ServiceAccountFacts {
        image_pull_secrets: vec!["regcred-shared".into()],
        enforce_mountable_secrets: false,
    };
    facts.set_service_account("ns", "default", Some(account));
    (policy, facts, Controllers::new(Vec::new()))
});

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    let Ok(object) = serde_json::from_slice::<Value>(rest) else {
        return;
    };
    let (group, kind) = KINDS[usize::from(first) % KINDS.len()];
    let by_controller = first & 0x80 != 0;
    let user = if by_controller {
        "system:serviceaccount:kube-system:replicaset-controller"
    } else {
        "jane"
    };
    let request = |object: &Value| {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "operation": "CREATE", "kind": {"group": group, "version": "v1", "kind": kind},
            "namespace": "ns", "userInfo": {"username": user}, "object": object,
        }})
        .to_string()
    };
    let (policy, facts, controllers) = &*WORLD;
    let world = World {
        policy,
        facts,
        controllers,
        now: Timestamp::UNIX_EPOCH,
    };
    let bytes = request(&object);
    let Ok(review) = admission::parse(bytes.as_bytes()) else {
        return;
    };
    let ruling = Endpoint::Validate.judge(&world, &review.subject);
    let answer: Value =
        serde_json::from_slice(&review.answer(&ruling).expect("JSON")).expect("JSON");
    assert!(answer["response"]["patch"].is_null());
    let mutation = mutate(&world, &review.subject);
    let answer: Value =
        serde_json::from_slice(&review.answer(&mutation).expect("JSON")).expect("JSON");
    assert!(answer["response"]["patch"].is_null() || answer["response"]["allowed"] == true);
    let Outcome::Inject(patch) = &mutation.outcome else {
        return;
    };
    let mut patched = object.clone();
    json_patch::patch(&mut patched, patch).expect("the patch applies");
    let bytes = request(&patched);
    let review = admission::parse(bytes.as_bytes()).expect("the patched review can be parsed");
    assert!(matches!(
        mutate(&world, &review.subject).outcome,
        Outcome::Admit
    ));
});
