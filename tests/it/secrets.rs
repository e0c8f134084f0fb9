//! What is known of Secrets, and what comes of it.

use crate::support::{Answer, Setting, by_controller, create, create_pod, update};
use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::prelude::*;
use pullgate::account::AccountClass;
use pullgate::census::{Census, State};
use pullgate::credentials::{Content, FingerprintKey, Flaw, SecretContent};
use pullgate::docker_config::Form;
use pullgate::inventory::{Depth, Inventory, Names, SecretFacts};
use pullgate::policy::Policy;
use pullgate::world::{Controllers, World};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

const POLICY: &str = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}
  - {name: harbor, images: [hub.corp], secrets: [harbor-pull, harbor-spare], product: harbor}
  - {name: public, images: [docker.io/library], public: true}
bans:
  - {name: admin-accounts, credentials: {class: [admin]}, reason: It can push and delete., contact: '#platform'}
  - {name: spread, credentials: {sharedAcrossNamespaces: 2}, instead: contoso-pull}
";

fn key() -> FingerprintKey {
    FingerprintKey::new(&[7; FingerprintKey::LENGTH]).unwrap()
}

/// The content of a Secret with one credential for each registry, user and password.
fn auths(entries: &[(&str, &str, &str)]) -> String {
    let auth = |(_, user, password): &(&str, &str, &str)| {
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    };
    let entries: serde_json::Map<_, _> = entries
        .iter()
        .map(|entry| (entry.0.to_owned(), json!({"auth": auth(entry)})))
        .collect();
    json!({"auths": entries}).to_string()
}

fn reduce(content: &str) -> Content {
    let bytes = Zeroizing::new(content.as_bytes().to_vec());
    let content = SecretContent::new(Form::ConfigJson, bytes).expect("not empty");
    content.reduce(Some(&key()))
}

fn facts(content: &str) -> SecretFacts {
    SecretFacts {
        form: Form::ConfigJson,
        content: reduce(content),
        changed: None,
        is_managed: false,
    }
}

/// A world that knows these Secrets: namespace, name, content.
fn knowing(secrets: &[(&str, &str, String)]) -> Setting {
    let mut setting = Setting::new(POLICY);
    setting.facts.set_depth(Depth::Contents, Some(key()));
    let (mut inventory, mut names) = (Inventory::default(), Names::default());
    for (namespace, name, content) in secrets {
        inventory.set(namespace, name, Some(facts(content)), &mut names);
    }
    setting.facts.set_inventory(inventory);
    setting.facts.set_service_accounts_synced();
    setting
}

fn pod(images: &[&str], secrets: &[&str]) -> Value {
    let named = |name: &&str| json!({"name": name});
    create_pod(json!({
        "containers": images.iter().map(|image| json!({"name": "c", "image": image})).collect::<Vec<_>>(),
        "imagePullSecrets": secrets.iter().map(named).collect::<Vec<_>>(),
    }))
}

fn secret(name: &str, content: &str) -> Value {
    create(
        "",
        "Secret",
        json!({
            "metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": BASE64_STANDARD.encode(content)},
        }),
    )
}

fn listed(answer: &Answer, review: &Value) -> Vec<String> {
    let pod = answer.applied(&review["request"]["object"]);
    let list = pod["spec"]["imagePullSecrets"].as_array().cloned();
    let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
    list.unwrap_or_default().iter().map(name).collect()
}

fn admin() -> String {
    auths(&[("contoso.azurecr.io", "contoso", "s3cret")])
}

fn token(password: &str) -> String {
    auths(&[("contoso.azurecr.io", "ci-pull", password)])
}

#[test]
fn what_is_wrong_with_entries_is_told() {
    let content = reduce(
        &json!({"auths": {
            "https://index.docker.io/v1": {"username": "a", "password": "b"},
            "https://index.docker.io/v1/": {"username": "a", "password": "b"},
            "registry-1.docker.io": {"username": "a", "password": "b"},
            "ghcr.io": {"identitytoken": "x"},
            "reg.io": {"username": "a", "password": "b"},
            "https://reg.io/v2/": {"username": "a", "password": "c"},
            "[::1": {"username": "a", "password": "b"},
        }})
        .to_string(),
    );
    let flaws: Vec<_> = content
        .flaws()
        .map(|(credential, flaw)| (credential.key.to_string(), flaw))
        .collect();
    assert_eq!(
        flaws,
        [
            ("ghcr.io".to_owned(), Flaw::Empty),
            ("index.docker.io/v1".to_owned(), Flaw::NeverMatches),
            ("reg.io".to_owned(), Flaw::Shadowed),
            ("registry-1.docker.io".to_owned(), Flaw::NeverMatches),
        ]
    );
    // What the kubelet ignores is not there.
    assert_eq!(content.credentials().len(), 6);
}

#[test]
fn equal_credentials_have_equal_fingerprints_and_others_have_others() {
    let print = |host: &str, user: &str, password: &str| {
        reduce(&auths(&[(host, user, password)])).credentials()[0]
            .fingerprint
            .unwrap()
    };
    let one = print("reg.io", "user", "password");
    assert_eq!(one, print("https://reg.io/v1/", "user", "password"));
    assert_eq!(one, print("REG.io/team", "user", "password"));
    assert_eq!(
        print("docker.io", "a", "b"),
        print("https://index.docker.io/v1/", "a", "b")
    );
    for other in [
        print("reg.io:443", "user", "password"),
        print("reg.io", "user", "Password"),
        print("reg.io", "userp", "assword"),
        print("reg.io", "", "userpassword"),
    ] {
        assert_ne!(one, other);
    }
    // RFC 4231 has no case of this form: counted once with Python's hmac module.
    assert_eq!(
        format!("{one:?}"),
        "Fingerprint([117, 72, 15, 135, 193, 193, 129, 194, 250, 98, 104, 19, 175, 0, 160, 42])"
    );
    let bytes = Zeroizing::new(auths(&[("reg.io", "user", "password")]).into_bytes());
    let content = SecretContent::new(Form::ConfigJson, bytes).unwrap();
    let with =
        |key: Option<FingerprintKey>| content.reduce(key.as_ref()).credentials()[0].fingerprint;
    assert_ne!(Some(one), with(FingerprintKey::new(&[8; 32])));
    assert_eq!(with(None), None);
    assert!(FingerprintKey::new(&[1; 31]).is_none() && FingerprintKey::new(&[1; 33]).is_none());
}

/// Promise 5.
#[test]
fn nothing_that_is_kept_shows_a_password() {
    let text = auths(&[
        ("reg.io", "user", "hunter2"),
        ("ghcr.io", "x", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ]);
    let bytes = Zeroizing::new(text.clone().into_bytes());
    let content = SecretContent::new(Form::ConfigJson, bytes).unwrap();
    let shown = format!("{content:?} {:?} {:?}", facts(&text), key());
    for value in [
        "hunter2",
        "ghp_",
        "7, 7",
        &BASE64_STANDARD.encode("user:hunter2"),
    ] {
        assert!(!shown.contains(value), "{shown}");
    }
}

#[test]
fn too_many_entries_are_not_kept() {
    let names: Vec<String> = (0..300).map(|i| format!("r{i}.io")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), "a", "b")).collect();
    assert_eq!(reduce(&auths(&entries)), Content::Unread);
    assert_eq!(reduce(&auths(&entries[..256])).credentials().len(), 256);
}

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
    // The template of a workload, and what it gets from its ServiceAccount.
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
    setting.facts.set_depth(Depth::Contents, Some(key()));
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
         credential of its own that can only pull. Ask #platform."
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
fn a_missing_secret_is_told_with_the_command_that_makes_it() {
    let setting = knowing(&[
        ("platform", "contoso-pull", token("a")),
        ("shop", "contoso-pull", token("a")),
    ]);
    let review = pod(&["contoso.azurecr.io/a"], &[]);
    let answer = setting.mutate(&review);
    assert_eq!(
        answer.warnings(),
        [
            "Pod ns/web: pull secret \"contoso-pull\" is missing: kubectl create secret \
          docker-registry contoso-pull -n ns --docker-server=contoso.azurecr.io --docker-username=... \
          --docker-password=... (there is one in platform and in 1 more)"
        ]
    );
    // It may come later: the list cannot be changed then.
    assert_eq!(listed(&answer, &review), ["contoso-pull"]);
    // Whoever applies a workload is told there; its pods have nobody to tell.
    let template = json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": review["request"]["object"]["spec"]}}});
    let deployment = create("apps", "Deployment", template.clone());
    assert!(
        setting.validate(&deployment).warnings()[0]
            .starts_with("Deployment ns/web: pull secret \"contoso-pull\"")
    );
    assert_eq!(
        setting
            .validate(&update(deployment, template))
            .warnings()
            .len(),
        1
    );
    let answer = setting.mutate(&by_controller(
        review.clone(),
        "system:kube-controller-manager",
    ));
    assert!(answer.warnings().is_empty(), "{answer:?}");
    assert_eq!(
        answer.audit("pull-secret"),
        Some("missing \"contoso-pull\"")
    );
    // Listed by hand, or by nobody.
    let answer = setting.mutate(&pod(&["x.io/a"], &["gone"]));
    assert!(
        answer.warnings()[0]
            .contains("spec.imagePullSecrets[0] names \"gone\", which is missing: kubectl"),
        "{answer:?}"
    );
    let there = knowing(&[("ns", "contoso-pull", token("a"))]);
    assert!(there.mutate(&review).warnings().is_empty());
    assert!(
        setting.validate(&review).warnings().is_empty(),
        "it is told once"
    );
}

#[test]
fn a_malformed_secret_is_not_put_beside_images_that_can_be_pulled_without_it() {
    let broken = || "{".to_owned();
    let spare = || auths(&[("hub.corp", "robot$a+b", "x")]);
    for (images, secrets, expected) in [
        // Without it nothing can be pulled either, and somebody may mend it.
        (
            vec!["contoso.azurecr.io/a"],
            vec!["contoso-pull"],
            vec!["contoso-pull"],
        ),
        (
            vec!["contoso.azurecr.io/a", "nginx"],
            vec!["contoso-pull"],
            vec![],
        ),
        (
            vec!["contoso.azurecr.io/a", "x.io/a"],
            vec!["contoso-pull"],
            vec![],
        ),
        (
            vec!["contoso.azurecr.io/a", "hub.corp/a"],
            vec!["contoso-pull"],
            vec!["harbor-pull", "harbor-spare"],
        ),
        // The second one is good for the same image.
        (
            vec!["hub.corp/a"],
            vec!["harbor-pull"],
            vec!["harbor-spare"],
        ),
        (
            vec!["hub.corp/a"],
            vec!["harbor-pull", "harbor-spare"],
            vec!["harbor-pull", "harbor-spare"],
        ),
    ] {
        let content = |name: &str| match name {
            name if secrets.contains(&name) => broken(),
            "contoso-pull" => token("a"),
            _ => spare(),
        };
        let all =
            ["contoso-pull", "harbor-pull", "harbor-spare"].map(|name| ("ns", name, content(name)));
        let review = pod(&images, &[]);
        let answer = knowing(&all).mutate(&review);
        assert_eq!(listed(&answer, &review), expected, "{images:?} {secrets:?}");
        let told = answer.warnings().join("\n");
        assert_eq!(
            told.matches("cannot be used (it is no JSON)").count(),
            secrets.len(),
            "{told}"
        );
        assert_eq!(
            told.contains("not injected"),
            expected.len() < secrets.len().max(expected.len())
                || !secrets.iter().all(|name| expected.contains(name)),
            "{told}"
        );
    }
}

#[test]
fn an_expired_credential_is_told() {
    let token = |exp: i64| {
        let part = |text: String| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
        format!(
            "{}.{}.x",
            part("{\"alg\":\"x\"}".to_owned()),
            part(format!("{{\"exp\":{exp}}}"))
        )
    };
    let now = Setting::new(POLICY).now().as_second();
    for (exp, is_told) in [(now - 1, true), (now, true), (now + 60, false)] {
        let content = auths(&[(
            "contoso.azurecr.io",
            "00000000-0000-0000-0000-000000000000",
            &token(exp),
        )]);
        let answer = knowing(&[("ns", "contoso-pull", content)])
            .mutate(&pod(&["contoso.azurecr.io/a"], &[]));
        let told = answer.warnings().join("\n");
        assert_eq!(
            told.contains("has a credential for contoso.azurecr.io that expired on 2026-11-2"),
            is_told,
            "{told}"
        );
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

#[test]
fn a_census_counts_what_there_is() {
    let jwt = |exp: i64| {
        let part = |text: String| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
        format!(
            "{}.{}.x",
            part("{\"alg\":\"x\"}".to_owned()),
            part(format!("{{\"exp\":{exp}}}"))
        )
    };
    let now = Setting::new(POLICY).now().as_second();
    let expiring = |exp| {
        auths(&[
            ("contoso.azurecr.io", "ci", &jwt(exp)),
            ("other.io", "x", &jwt(1)),
        ])
    };
    let mut setting = knowing(&[
        ("a", "contoso-pull", expiring(now + 50)),
        ("b", "contoso-pull", token("p")),
        ("c", "contoso-pull", "{".to_owned()),
        ("a", "harbor-pull", auths(&[("hub.corp", "admin", "x")])),
        ("a", "copy", token("p")),
        ("c", "copy", token("p")),
        ("c", "useless", auths(&[("registry-1.docker.io", "a", "b")])),
    ]);
    for namespace in ["a", "b", "c", "d", "exempt"] {
        setting = setting.with_labels(namespace, &[]);
    }
    let controllers = Controllers::new(Vec::new());
    let world = World {
        policy: &setting.policy,
        facts: &setting.facts,
        controllers: &controllers,
        now: setting.now(),
    };
    let census = Census::take(&world).expect("all are known");
    let count = |class, state| {
        census
            .secrets
            .get(&(class, state))
            .copied()
            .unwrap_or_default()
    };
    assert_eq!(count(AccountClass::Token, State::Good), 3);
    assert_eq!(count(AccountClass::Token, State::Expired), 1);
    assert_eq!(count(AccountClass::Admin, State::Good), 1);
    assert_eq!(count(AccountClass::Unknown, State::Malformed), 1);
    assert_eq!(count(AccountClass::Personal, State::Useless), 1);
    // One credential is in a, b and c.
    assert_eq!(census.shared, [1, 1, 0, 0, 0]);
    let contoso = &census.injected[0];
    assert_eq!(
        (contoso.rule.as_str(), contoso.secret.as_str()),
        ("contoso", "contoso-pull")
    );
    assert_eq!(
        contoso.present,
        [(State::Good, 1), (State::Malformed, 1), (State::Expired, 1)].into()
    );
    assert_eq!((contoso.absent, contoso.expires), (Some(2), Some(now + 50)));
    assert_eq!(census.injected[2].absent, Some(5));
    assert_eq!(
        Census::take(&World {
            facts: &Setting::new(POLICY).facts,
            ..world
        }),
        None
    );
}

proptest! {
    /// An inventory is what a plain map of its Secrets is, whatever comes and goes; and a copy does not change with it.
    #[test]
    fn an_inventory_says_what_its_secrets_say(
        steps in prop::collection::vec((0..4_u8, 0..4_u8, prop::option::of((0..3_u8, any::<bool>()))), 0..60),
    ) {
        let (mut inventory, mut names) = (Inventory::default(), Names::default());
        let mut plain: BTreeMap<(String, String), SecretFacts> = BTreeMap::new();
        let mut copies = Vec::new();
        for (namespace, name, value) in steps {
            copies.push((inventory.clone(), plain.clone()));
            let place = (format!("n{namespace}"), format!("s{name}"));
            let value = value.map(|(password, is_managed)| SecretFacts {
                is_managed,
                ..facts(&token(&password.to_string()))
            });
            inventory.set(&place.0, &place.1, value.clone(), &mut names);
            match value {
                Some(value) => drop(plain.insert(place, value)),
                None => drop(plain.remove(&place)),
            }
        }
        copies.push((inventory, plain));
        for (inventory, plain) in copies {
            let all: BTreeSet<_> = inventory.iter().map(|(a, b, _)| (a.to_owned(), b.to_owned())).collect();
            prop_assert_eq!(all, plain.keys().cloned().collect::<BTreeSet<_>>());
            for ((namespace, name), facts) in &plain {
                prop_assert_eq!(inventory.get(namespace, name), Some(facts));
                let same: Vec<_> = plain.keys().filter(|place| place.1 == *name).map(|place| place.0.as_str()).collect();
                prop_assert_eq!(inventory.namespaces_of(name).collect::<Vec<_>>(), same);
                let print = |facts: &SecretFacts| facts.content.credentials()[0].fingerprint;
                let holders: BTreeSet<_> = plain.iter()
                    .filter(|(_, other)| !other.is_managed && print(other) == print(facts))
                    .map(|(place, _)| place.0.as_str())
                    .collect();
                let found: Vec<_> = inventory.namespaces_with(print(facts).unwrap()).collect();
                prop_assert_eq!(found, holders.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
