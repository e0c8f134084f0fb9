//! Tests of bans by credential: admin accounts, and credentials that many namespaces share.

use super::{POLICY, admin, auths, key, knowing, pod, secret, token};
use crate::support::{Setting, by_controller, create, create_pod, update};
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::facts::inventory::InventoryMode;
use pullgate::policy::Policy;
use serde_json::{Value, json};

#[test]
fn a_banned_class_is_refused_under_whatever_name() {
    let setting = knowing(&[("ns", "team-pull", admin()), ("ns", "other", token("a"))]);
    let answer = setting.validate(&pod(&["x.io/a"], &["team-pull"]));
    assert_eq!(
        answer.message(),
        "Pod ns/web: spec.imagePullSecrets[0] names \"team-pull\", an admin account of contoso.azurecr.io (the user has \
         the name of the registry: its admin account), banned by \"admin-accounts\" (It can push and delete.). Remove \
         it. Ask #platform."
    );
    assert!(setting.validate(&pod(&["x.io/a"], &["other"])).allowed());
    // Not as a pull secret alone.
    let env = json!({"containers": [{"name": "c", "image": "x.io/a", "envFrom": [{"secretRef": {"name": "team-pull"}}]}]});
    assert!(!setting.validate(&create_pod(env)).allowed());
    // The template of a workload, and the secrets of its ServiceAccount.
    let deployment =
        json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": []}}}});
    let review = create("apps", "Deployment", deployment);
    assert!(setting.validate(&review).allowed());
    let answer = setting
        .with_account("ns", "default", &["team-pull"])
        .validate(&review);
    assert!(
        answer
            .message()
            .contains("passes \"team-pull\" on to the pods, an admin account of")
            && answer
                .message()
                .contains("kubectl edit serviceaccount default -n ns"),
        "{}",
        answer.message()
    );
}

#[test]
fn what_was_there_before_or_comes_from_the_policy_is_spared() {
    let setting = knowing(&[
        ("ns", "team-pull", admin()),
        ("ns", "contoso-pull", admin()),
    ]);
    let old = pod(&["x.io/a"], &["team-pull"]);
    let answer = setting.validate(&update(old.clone(), old["request"]["object"].clone()));
    assert!(
        answer.allowed() && answer.warnings()[0].contains("it was there before"),
        "{answer:?}"
    );
    let answer = setting.validate(&pod(&["x.io/a"], &["contoso-pull"]));
    assert!(
        answer.allowed() && answer.warnings()[0].contains("injected by the policy"),
        "{answer:?}"
    );
    let controlled = by_controller(
        old,
        "system:serviceaccount:kube-system:replicaset-controller",
    );
    let answer = setting.mutate(&controlled);
    assert!(
        answer.allowed() && answer.audit("ban.admin-accounts").is_some(),
        "{answer:?}"
    );
}

#[test]
fn a_product_of_the_policy_makes_an_account_sure() {
    let harbor = auths(&[
        ("hub.corp", "robot$all", "x"),
        ("hub.corp/team", "admin", "x"),
    ]);
    let setting = knowing(&[("ns", "x", harbor)]);
    let answer = setting.validate(&pod(&["x.io/a"], &["x"]));
    assert!(
        answer.message().contains(
            "an admin account of hub.corp (the user is `admin`, Harbor's system administrator)"
        ),
        "{answer:?}"
    );
}

#[test]
fn nothing_is_said_of_what_is_not_known() {
    let setting = knowing(&[("other", "team-pull", admin())]);
    assert!(
        setting
            .validate(&pod(&["x.io/a"], &["team-pull"]))
            .allowed()
    );
    let mut setting = Setting::new(POLICY);
    setting
        .facts
        .set_inventory_mode(InventoryMode::Contents, Some(key()));
    let answer = setting.mutate(&pod(&["contoso.azurecr.io/a"], &["team-pull"]));
    assert!(answer.warnings().is_empty(), "{answer:?}");
}

#[test]
fn sharing_warns_of_references_and_refuses_the_secret_that_goes_too_far() {
    let setting = knowing(&[
        ("a", "x", token("p")),
        ("b", "y", token("p")),
        ("b", "z", token("p")),
        ("ns", "own", token("q")),
    ]);
    // Two namespaces are allowed.
    assert!(
        setting
            .validate(&in_ns(pod(&["x.io/a"], &["x"]), "a"))
            .warnings()
            .is_empty()
    );
    let refused = setting.validate(&secret("copy", &token("p")));
    assert_eq!(
        refused.message(),
        "Secret ns/copy: data[\".dockerconfigjson\"] holds a credential of contoso.azurecr.io that is in more than 2 \
         namespaces, banned by \"spread\". Use \"contoso-pull\" instead."
    );
    assert!(setting.validate(&secret("copy", &token("q"))).allowed());
    assert!(
        setting
            .validate(&in_ns(secret("another", &token("p")), "b"))
            .allowed()
    );
    let setting = knowing(&[
        ("a", "x", token("p")),
        ("b", "y", token("p")),
        ("c", "y", token("p")),
    ]);
    let answer = setting.validate(&in_ns(pod(&["x.io/a"], &["x"]), "a"));
    assert!(
        answer.allowed() && answer.warnings()[0].contains("in more than 2 namespaces"),
        "{answer:?}"
    );
    // It is there: one more in the same namespace changes nothing.
    let answer = setting.validate(&in_ns(secret("another", &token("p")), "b"));
    assert!(
        answer.allowed() && answer.warnings()[0].contains("more than 2"),
        "{answer:?}"
    );
}

fn in_ns(review: Value, namespace: &str) -> Value {
    crate::support::in_namespace(review, namespace)
}

#[test]
fn an_admin_account_is_refused_when_its_secret_is_made_and_may_be_rotated() {
    let setting = knowing(&[]);
    let answer = setting.validate(&secret("mine", &admin()));
    assert_eq!(
        answer.message(),
        "Secret ns/mine: data[\".dockerconfigjson\"] holds an admin account of contoso.azurecr.io (the user has the \
         name of the registry: its admin account), banned by \"admin-accounts\" (It can push and delete.). Use a \
         separate credential that can only pull. Ask #platform."
    );
    assert_eq!(answer.response["status"]["code"], 403);
    let old = secret("mine", &token("a"))["request"]["object"].clone();
    assert!(
        !setting
            .validate(&update(secret("mine", &admin()), old))
            .allowed()
    );
    let rotated = auths(&[("contoso.azurecr.io", "contoso", "another")]);
    let old = secret("mine", &admin())["request"]["object"].clone();
    let answer = setting.validate(&update(secret("mine", &rotated), old));
    assert!(
        answer.allowed() && answer.warnings()[0].contains("it was there before"),
        "{answer:?}"
    );
    // Trap 22: the kubelet uses a Secret that a finalizer keeps.
    let mut kept = secret("mine", &admin());
    kept["request"]["object"]["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    let before = |content: &str| secret("mine", content)["request"]["object"].clone();
    let change = |old: Value| setting.validate(&update(kept.clone(), old));
    assert!(!change(before(&token("a"))).allowed());
    assert!(change(before(&admin())).warnings().is_empty());
    // Of another type the kubelet reads nothing.
    let mut opaque = secret("mine", &admin());
    opaque["request"]["object"]["type"] = json!("Opaque");
    assert!(setting.validate(&opaque).allowed());
    // The older form.
    let mut older = secret("mine", "x");
    let config =
        json!({"contoso.azurecr.io": {"username": "contoso", "password": "x"}}).to_string();
    older["request"]["object"]["type"] = json!("kubernetes.io/dockercfg");
    older["request"]["object"]["data"] = json!({".dockercfg": BASE64_STANDARD.encode(config)});
    assert!(
        setting
            .validate(&older)
            .message()
            .contains("data[\".dockercfg\"] holds an admin account")
    );
    for answer in [
        setting.validate(&older),
        setting.validate(&secret("mine", &admin())),
    ] {
        assert!(!format!("{answer:?}").contains("s3cret"));
    }
}

#[test]
fn whoever_writes_a_policy_is_told_what_needs_the_inventory() {
    let policy = format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{POLICY}");
    let review = create(
        "",
        "ConfigMap",
        json!({"metadata": {"name": "pullgate-policy"}, "data": {"policy.yaml": policy}}),
    );
    let answer = Setting::new(POLICY).validate(&review);
    assert!(
        answer.warnings()[0]
            .contains("do nothing here, for no Secret is read: `admin-accounts`, `spread`"),
        "{answer:?}"
    );
    assert!(knowing(&[]).validate(&review).warnings().is_empty());
}

/// Without a cluster, and placed in the file.
#[test]
fn check_finds_an_admin_account_in_a_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "policy.yaml",
        &format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{POLICY}"),
    );
    let secret = |data: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: a, namespace: ns}}\ntype: kubernetes.io/dockerconfigjson\n{data}\n"
        )
    };
    let encoded = BASE64_STANDARD.encode(admin());
    for data in [
        format!("data:\n  .dockerconfigjson: {encoded}"),
        format!("stringData:\n  .dockerconfigjson: '{}'", admin()),
    ] {
        write("secret.yaml", &secret(&data));
        let args = ["check", "--policy", "policy.yaml", "-f", "secret.yaml"];
        let run = crate::support::run_in(dir.path(), &args, "");
        assert_eq!(run.code, 1);
        assert!(run.stdout.contains("Secret ns/a: data[\".dockerconfigjson\"] holds an admin account of contoso.azurecr.io"), "{}", run.stdout);
        assert!(
            !run.stdout.contains("s3cret") && !run.stdout.contains(&encoded),
            "{}",
            run.stdout
        );
    }
}

#[test]
fn a_policy_knows_the_products_of_hosts() {
    let text = "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nregistries:\n\
        - {name: a, images: [hub.corp, 'hub.corp/team'], secrets: [a], product: harbor}\n\
        - {name: b, images: ['*.art.corp:5000'], secrets: [b], product: artifactory}\n";
    let policy = Policy::load(text, crate::support::TODAY).policy.unwrap();
    let of = |host| {
        policy
            .product_of(host)
            .map(|product| format!("{product:?}"))
    };
    assert_eq!(of("HUB.corp").as_deref(), Some("Harbor"));
    assert_eq!(of("x.art.corp:5000").as_deref(), Some("Artifactory"));
    assert_eq!((of("x.art.corp"), of("other.corp")), (None, None));
}
