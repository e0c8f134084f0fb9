//! Judgements that need no cluster to be seen.

use crate::support::{POLICY, Setting, by_controller, create, create_pod, in_namespace, update};
use jiff::civil::date;
use serde_json::{Value, json};

const REPLICASET_CONTROLLER: &str = "system:serviceaccount:kube-system:replicaset-controller";

/// Every kind, and how a pod spec gets into an object of it.
const KINDS: [(&str, &str, &str); 10] = [
    ("", "Pod", "spec"),
    ("", "PodTemplate", "template.spec"),
    ("", "ReplicationController", "spec.template.spec"),
    ("apps", "ReplicaSet", "spec.template.spec"),
    ("apps", "Deployment", "spec.template.spec"),
    ("apps", "StatefulSet", "spec.template.spec"),
    ("apps", "DaemonSet", "spec.template.spec"),
    ("batch", "Job", "spec.template.spec"),
    ("batch", "CronJob", "spec.jobTemplate.spec.template.spec"),
    ("", "ServiceAccount", ""),
];

/// Every field of a pod spec that names a Secret (semantics B.8), by the path that is told.
fn references(secret: &str) -> Vec<(String, Value)> {
    let named = json!({"name": secret});
    let volume = |field: &str, value: Value| {
        let (source, inner) = field.split_once('.').unwrap();
        let value = if inner.is_empty() {
            value
        } else {
            json!({inner: value})
        };
        (
            format!("volumes[0].{field}"),
            json!({"volumes": [{"name": "v", source: value}]}),
        )
    };
    let mut all = vec![
        (
            "imagePullSecrets[0]".to_owned(),
            json!({"imagePullSecrets": [named]}),
        ),
        volume("secret.secretName", json!(secret)),
        volume("csi.nodePublishSecretRef", named.clone()),
        volume("flexVolume.secretRef", named.clone()),
        volume("azureFile.secretName", json!(secret)),
        volume("cephfs.secretRef", named.clone()),
        volume("cinder.secretRef", named.clone()),
        volume("rbd.secretRef", named.clone()),
        volume("iscsi.secretRef", named.clone()),
        volume("scaleIO.secretRef", named.clone()),
        volume("storageos.secretRef", named.clone()),
        (
            "volumes[0].projected.sources[1].secret".to_owned(),
            json!({"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {}}, {"secret": named}]}}]}),
        ),
    ];
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let env = json!({list: [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": named}}]}]});
        all.push((format!("{list}[0].env[1].valueFrom.secretKeyRef"), env));
        all.push((
            format!("{list}[0].envFrom[0].secretRef"),
            json!({list: [{"name": "c", "envFrom": [{"secretRef": named}]}]}),
        ));
    }
    all
}

fn object(path: &str, spec: Value) -> Value {
    let nested = path
        .rsplit('.')
        .fold(spec, |inner, key| json!({key: inner}));
    let mut object = nested;
    object["metadata"] = json!({"name": "web"});
    object
}

#[test]
fn every_reference_of_every_kind_is_found() {
    let mut setting = Setting::new(POLICY);
    setting.facts.set_service_accounts_synced();
    for (group, kind, path) in KINDS
        .into_iter()
        .filter(|(_, kind, _)| *kind != "ServiceAccount")
    {
        for (field, spec) in references("legacy-x") {
            let answer = setting.validate(&create(group, kind, object(path, spec)));
            let expected = format!("{path}.{field}");
            assert_eq!(
                answer.response["status"]["details"]["causes"][0]["field"],
                expected.as_str(),
                "{kind} {field}"
            );
            assert!(
                answer.message().starts_with(&format!(
                    "{kind} ns/web: {expected} names \"legacy-x\", banned by"
                )),
                "{}",
                answer.message()
            );
        }
        for (field, spec) in references("contoso-pull") {
            assert!(
                setting
                    .validate(&create(group, kind, object(path, spec)))
                    .allowed(),
                "{kind} {field}"
            );
        }
    }
    for list in ["imagePullSecrets", "secrets"] {
        let account =
            json!({"metadata": {"name": "app"}, list: [{"name": "x"}, {"name": "legacy-x"}]});
        let answer = setting.validate(&create("", "ServiceAccount", account));
        assert!(
            answer.message().starts_with(&format!(
                "ServiceAccount ns/app: {list}[1] names \"legacy-x\""
            )),
            "{answer:?}"
        );
    }
}

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

fn banned_pod() -> Value {
    create_pod(json!({"imagePullSecrets": [{"name": "regcred-shared"}]}))
}

/// Trap 18: the pods of a ReplicaSet after a node was drained.
#[test]
fn trap_18_what_built_in_controllers_create_is_kept_and_noted() {
    let setting = Setting::new(POLICY);
    for user in [
        "system:kube-controller-manager",
        REPLICASET_CONTROLLER,
        "system:serviceaccount:kube-system:replication-controller",
        "system:serviceaccount:kube-system:statefulset-controller",
        "system:serviceaccount:kube-system:daemon-set-controller",
        "system:serviceaccount:kube-system:job-controller",
        "system:serviceaccount:kube-system:cronjob-controller",
        "system:serviceaccount:kube-system:deployment-controller",
    ] {
        for answer in [
            setting.mutate(&by_controller(banned_pod(), user)),
            setting.validate(&by_controller(banned_pod(), user)),
        ] {
            assert!(answer.allowed(), "{user}");
            assert_eq!(answer.warnings(), Vec::<&str>::new());
            assert_eq!(
                answer.audit("ban.legacy-shared"),
                Some("admitted, workload was admitted earlier: \"regcred-shared\"")
            );
        }
    }
    for user in [
        "jane",
        "system:serviceaccount:default:replicaset-controller",
        "system:serviceaccount:kube-system:x-controller",
    ] {
        assert!(
            !setting
                .validate(&by_controller(banned_pod(), user))
                .allowed(),
            "anyone can write an ownerReference: {user}"
        );
    }
    let mut alone = by_controller(banned_pod(), REPLICASET_CONTROLLER);
    alone["request"]["object"]["metadata"]["ownerReferences"] = Value::Null;
    assert!(!setting.validate(&alone).allowed(), "not for a workload");
}

#[test]
fn more_controllers_can_be_named() {
    let mut setting = Setting::new(POLICY);
    let user = "system:serviceaccount:argo-rollouts:argo-rollouts";
    assert!(
        !setting
            .validate(&by_controller(banned_pod(), user))
            .allowed()
    );
    setting.controllers = pullgate::world::Controllers::new(vec![user.to_owned()]);
    assert!(
        setting
            .validate(&by_controller(banned_pod(), user))
            .allowed()
    );
}

#[test]
fn running_deny_is_denied_on_mutate_without_a_patch() {
    let setting = Setting::new(&POLICY.replace("instead: contoso-pull", "running: deny"));
    let mut review = by_controller(banned_pod(), REPLICASET_CONTROLLER);
    review["request"]["object"]["spec"]["containers"] =
        json!([{"name": "c", "image": "contoso.azurecr.io/a"}]);
    let answer = setting.mutate(&review);
    assert!(!answer.allowed() && answer.patch.is_none());
    assert!(
        answer
            .message()
            .starts_with("Pod ns/web (of ReplicaSet web-1): "),
        "{}",
        answer.message()
    );
}

#[test]
fn people_are_judged_on_validate_alone() {
    let answer = Setting::new(POLICY).mutate(&banned_pod());
    assert!(answer.allowed() && answer.warnings().is_empty());
}

/// Trap 15.
#[test]
fn trap_15_old_references_pass_and_new_ones_do_not() {
    let setting = Setting::new(POLICY);
    let deployment = |spec: Value| object("spec.template.spec", spec);
    let old = deployment(json!({"imagePullSecrets": [{"name": "legacy-a"}]}));
    let change = |new: Value| {
        setting.validate(&update(
            create("apps", "Deployment", deployment(new)),
            old.clone(),
        ))
    };
    let same = change(json!({"imagePullSecrets": [{"name": "other"}, {"name": "legacy-a"}]}));
    assert!(same.allowed());
    assert_eq!(
        same.warnings(),
        [
            "Deployment ns/web: spec.template.spec.imagePullSecrets[1] names \"legacy-a\", banned by \"legacy-shared\"; it was there before; use \"contoso-pull\""
        ]
    );
    assert!(
        change(
            json!({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "legacy-a"}}]}]})
        )
        .allowed()
    );
    assert!(
        !change(json!({"imagePullSecrets": [{"name": "legacy-a"}, {"name": "legacy-b"}]}))
            .allowed()
    );
    let mut deleting = create(
        "apps",
        "Deployment",
        deployment(json!({"imagePullSecrets": [{"name": "legacy-b"}]})),
    );
    deleting["request"]["object"]["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    assert!(setting.validate(&update(deleting, old.clone())).allowed());
    let mut delete = update(create("apps", "Deployment", Value::Null), old.clone());
    delete["request"]["operation"] = json!("DELETE");
    assert!(setting.validate(&delete).allowed());
}

/// Trap 10: the subresource has a rule of its own, and what it brings is judged like the rest.
#[test]
fn trap_10_ephemeral_containers_are_judged() {
    let old = json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "contoso.azurecr.io/d", "envFrom": [{"secretRef": {"name": "legacy-x"}}]}]);
    let mut review = update(create("", "Pod", new), old);
    review["request"]["subResource"] = json!("ephemeralcontainers");
    let answer = Setting::new(POLICY).validate(&review);
    assert!(
        answer
            .message()
            .contains("spec.ephemeralContainers[0].envFrom[0].secretRef"),
        "{answer:?}"
    );
    assert_eq!(
        answer.warnings(),
        [
            "Pod ns/web: spec.ephemeralContainers[0].image needs \"contoso-pull\" (rule \"contoso\"), too late for this pod: use an image that it can pull"
        ]
    );
}

#[test]
fn unmatched_images_are_judged_as_the_policy_says() {
    let review = |image: &str| create_pod(json!({"containers": [{"name": "c", "image": image}]}));
    let uncovered =
        "Pod ns/web: spec.containers[0].image \"quay.io/a\" is covered by no registry rule";
    let policy = |mode: &str| format!("unmatched: {mode}\n{POLICY}");
    let allow = Setting::new(&policy("allow")).validate(&review("quay.io/a"));
    assert!(allow.allowed() && allow.warnings().is_empty());
    let warn = Setting::new(&policy("warn")).validate(&review("quay.io/a"));
    assert_eq!((warn.allowed(), warn.warnings()), (true, vec![uncovered]));
    let setting = Setting::new(&policy("deny"));
    let deny = setting.validate(&review("quay.io/a"));
    assert!(
        deny.message().starts_with(uncovered) && deny.audit("unmatched").is_some(),
        "{deny:?}"
    );
    assert!(
        !setting.validate(&review("foo_bar.com/x")).allowed(),
        "a registry that Go leaves empty matches no rule"
    );
    assert!(!setting.validate(&review("not an image")).allowed());
    assert!(
        setting.validate(&review("")).allowed(),
        "a template may leave the image to somebody else"
    );
    assert!(
        setting
            .validate(&by_controller(review("quay.io/a"), REPLICASET_CONTROLLER))
            .allowed()
    );
    let old = json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "x", "image": "quay.io/a"}]}});
    assert!(
        setting
            .validate(&update(review("quay.io/a"), old.clone()))
            .allowed(),
        "an old image"
    );
    assert!(
        !setting
            .validate(&update(review("quay.io/b"), old))
            .allowed(),
        "a new image"
    );
    let bad = Setting::new(POLICY).validate(&review("UPPER/case!"));
    assert_eq!(
        (bad.allowed(), bad.warnings().len()),
        (true, 1),
        "nobody can read it: a warning under allow too"
    );
}

#[test]
fn modes_do_what_they_say() {
    let with = |mode: &str| {
        Setting::new(&POLICY.replace("instead: contoso-pull", &format!("mode: {mode}")))
            .validate(&banned_pod())
    };
    assert!(!with("enforce").allowed());
    assert_eq!(
        (with("warn").allowed(), with("warn").warnings().len()),
        (true, 1)
    );
    assert_eq!(
        (with("audit").allowed(), with("audit").warnings().len()),
        (true, 0)
    );
    assert_eq!(
        with("audit").audit("ban.legacy-shared"),
        Some("audited \"regcred-shared\"")
    );
}

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
fn exempt_namespaces_are_left_alone() {
    let setting = Setting::new(&format!("unmatched: deny\n{POLICY}"));
    let review = in_namespace(banned_pod(), "exempt");
    assert!(setting.validate(&review).allowed() && setting.validate(&review).warnings().is_empty());
}

#[test]
fn labels_that_are_not_known_never_deny() {
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

#[test]
fn templates_are_judged_by_their_service_account() {
    let setting = Setting::new(POLICY).with_account("ns", "app", &["fine", "legacy-x"]);
    let deployment = |spec: Value| create("apps", "Deployment", object("spec.template.spec", spec));
    let answer = setting.validate(&deployment(json!({"serviceAccountName": "app"})));
    assert!(
        answer.message().starts_with("Deployment ns/web: spec.template.spec.serviceAccountName \"app\" passes \"legacy-x\" on to the pods, banned by \"legacy-shared\""),
        "{}",
        answer.message()
    );
    assert!(
        answer
            .message()
            .contains("kubectl edit serviceaccount app -n ns")
    );
    assert!(
        setting
            .validate(&deployment(
                json!({"serviceAccountName": "app", "imagePullSecrets": [{"name": "own"}]})
            ))
            .allowed()
    );
    assert!(
        setting
            .validate(&deployment(json!({"serviceAccountName": "unknown"})))
            .allowed()
    );
    let old = object("spec.template.spec", json!({"serviceAccountName": "app"}));
    assert!(
        setting
            .validate(&update(
                deployment(json!({"serviceAccountName": "app", "x": 1})),
                old
            ))
            .allowed()
    );
}

#[test]
fn pods_are_told_where_their_secrets_come_from() {
    let review = create_pod(json!({"imagePullSecrets": [{"name": "legacy-x"}]}));
    let says = |setting: &Setting, what: &str| {
        let answer = setting.validate(&review);
        assert!(
            answer.message().contains(what),
            "{what}: {}",
            answer.message()
        );
    };
    let mut setting = Setting::new(POLICY);
    says(
        &setting,
        "names \"legacy-x\", possibly inherited from ServiceAccount \"default\"",
    );
    setting.facts.set_service_accounts_synced();
    says(&setting, "names \"legacy-x\", banned by");
    let setting = setting.with_account("ns", "default", &["legacy-x"]);
    says(
        &setting,
        "names \"legacy-x\", inherited from ServiceAccount \"default\"",
    );
    let setting = setting.with_account("ns", "default", &["legacy-x", "also"]);
    says(&setting, "names \"legacy-x\", banned by");
}

#[test]
fn a_secret_under_a_banned_name_is_warned_of_when_it_is_made() {
    let setting = Setting::new(POLICY);
    let secret = |name: &str, kind: &str| {
        create(
            "",
            "Secret",
            json!({"metadata": {"name": name}, "type": kind, "data": {".dockerconfigjson": "e30="}}),
        )
    };
    for (name, kind, warnings) in [
        ("legacy-x", "kubernetes.io/dockerconfigjson", 1),
        ("legacy-x", "kubernetes.io/dockercfg", 1),
        ("legacy-x", "Opaque", 0),
        ("fine", "kubernetes.io/dockerconfigjson", 0),
    ] {
        let answer = setting.validate(&secret(name, kind));
        assert_eq!(
            (answer.allowed(), answer.warnings().len()),
            (true, warnings),
            "{name} {kind}"
        );
    }
    let review = secret("legacy-x", "kubernetes.io/dockercfg");
    let old = review["request"]["object"].clone();
    assert!(
        setting.validate(&update(review, old)).warnings().is_empty(),
        "rotation must work"
    );
}

/// Many findings stay readable, and warnings stay within what the API server takes.
#[test]
fn words_have_limits() {
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
        "the reason is told once"
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

#[test]
fn the_field_is_the_one_that_its_author_wrote() {
    let mut review = create_pod(
        json!({"imagePullSecrets": [{"name": "contoso-pull"}, {"name": "own"}, {"name": "legacy-x"}]}),
    );
    review["request"]["object"]["metadata"]["annotations"] =
        json!({"pullgate.dev/injected": "contoso-pull"});
    let answer = Setting::new(POLICY).validate(&review);
    assert!(
        answer
            .message()
            .contains("spec.imagePullSecrets[1] names \"legacy-x\""),
        "{}",
        answer.message()
    );
}

#[test]
fn other_kinds_are_admitted_unread() {
    let review = create(
        "example.com",
        "Rollout",
        json!({"spec": "not a spec", "metadata": 5}),
    );
    let setting = Setting::new(&format!("unmatched: deny\n{POLICY}"));
    assert!(setting.validate(&review).allowed() && setting.mutate(&review).allowed());
}

/// Anyone who may create a Pod decides how large it is: time must grow with its size and not with the square of it.
/// With a square in it this takes minutes.
#[test]
fn an_object_of_three_mebibytes_is_judged() {
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

/// What the policy injects is not refused in a pod; what somebody wrote is, also after the exception has ended.
#[test]
fn an_expired_exception_lets_the_ban_hold_again() {
    let policy = "
registries: [{name: a, images: [a.io], secrets: [old-pull], namespaces: {names: [ns]}}]
bans: [{name: old, secrets: [old-pull]}]
exceptions: [{bans: [old], namespaces: {names: [ns]}, owner: o, reason: r, expires: 2020-01-31}]
";
    let setting = Setting::new(policy);
    let container = json!({"name": "c", "image": "a.io/x"});
    let injected =
        create_pod(json!({"containers": [container], "imagePullSecrets": [{"name": "old-pull"}]}));
    assert!(setting.validate(&injected).allowed());
    let template = json!({"containers": [container], "imagePullSecrets": [{"name": "old-pull"}]});
    assert!(
        !setting
            .validate(&create(
                "apps",
                "Deployment",
                object("spec.template.spec", template)
            ))
            .allowed()
    );
    let env = json!({"containers": [{"name": "c", "image": "a.io/x", "envFrom": [{"secretRef": {"name": "old-pull"}}]}]});
    assert!(!setting.validate(&create_pod(env)).allowed());
}

#[test]
fn a_policy_is_judged_when_it_changes_and_by_its_name() {
    let setting = Setting::new(POLICY);
    let config_map = |name: &str, policy: &str| {
        create(
            "",
            "ConfigMap",
            json!({"metadata": {"name": name}, "data": {"policy.yaml": policy}}),
        )
    };
    let bad = config_map("pullgate-policy", "kind: Nonsense");
    assert!(!setting.validate(&bad).allowed());
    assert!(
        setting
            .validate(&config_map("other", "kind: Nonsense"))
            .allowed()
    );
    let old = bad["request"]["object"].clone();
    assert!(
        setting.validate(&update(bad.clone(), old)).allowed(),
        "it was bad before"
    );
    let mut deleting = bad.clone();
    deleting["request"]["object"]["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    assert!(setting.validate(&deleting).allowed());
    let mut unnamed = bad;
    unnamed["request"]["name"] = json!("");
    assert!(
        !setting.validate(&unnamed).allowed(),
        "the object has a name too"
    );
    let many: String = (0..150)
        .map(|i| format!("key{i}: 1, "))
        .collect::<Vec<_>>()
        .concat();
    let answer = setting.validate(&config_map("pullgate-policy", &format!("{{{many}}}")));
    assert_eq!(
        answer.message().lines().last(),
        Some("and 52 more"),
        "{}",
        answer.message()
    );
}

#[test]
fn advice_is_only_given_where_it_helps() {
    let setting = Setting::new(POLICY).with_labels("off", &[("pullgate.dev/inject", "disabled")]);
    assert!(
        setting
            .validate(&banned_pod())
            .message()
            .contains("is added to the pod by itself")
    );
    let off = in_namespace(banned_pod(), "off");
    assert!(setting.validate(&off).message().contains("Remove it here or there (kubectl edit serviceaccount default -n off). Use \"contoso-pull\" instead."));
    let old = json!({"metadata": {"name": "web"}, "spec": {}});
    let new_image = update(
        in_namespace(
            create_pod(json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]})),
            "off",
        ),
        old,
    );
    assert!(
        setting.validate(&new_image).warnings().is_empty(),
        "it would not have been injected anyway"
    );
}

/// Trap 14: the kubelet tries all that match, so all are put in, and none is chosen.
#[test]
fn trap_14_all_secrets_of_all_rules_are_injected() {
    let review = in_namespace(
        create_pod(
            json!({"containers": [{"name": "c", "image": "contoso.azurecr.io/payments/a"}, {"name": "d", "image": "contoso.azurecr.io/b"}]}),
        ),
        "payments-eu",
    );
    let answer = Setting::new(POLICY).mutate(&review);
    let list = &answer.applied(&review["request"]["object"])["spec"]["imagePullSecrets"];
    assert_eq!(
        *list,
        json!([{"name": "payments-pull"}, {"name": "contoso-pull"}])
    );
}

/// The chart leaves out of `/validate` exactly what the code does not deny.
#[test]
fn the_chart_and_the_code_know_the_same_controllers() {
    let configurations = crate::tidy::configurations();
    let guard = &configurations[1]["webhooks"][0];
    assert_eq!(guard["name"], "guard.pullgate.dev");
    let conditions = guard["matchConditions"].as_array().unwrap();
    let condition = conditions
        .iter()
        .find(|condition| condition["name"] == "not-of-a-built-in-controller")
        .and_then(|condition| condition["expression"].as_str())
        .unwrap();
    let list = condition
        .split("username in [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap();
    let users: Vec<&str> = list
        .split(',')
        .map(|user| user.trim().trim_matches('\''))
        .collect();
    assert_eq!(users.len(), 8, "{users:?}");
    for user in users {
        assert!(
            Setting::new(POLICY)
                .validate(&by_controller(banned_pod(), user))
                .allowed(),
            "{user}"
        );
    }
}
