//! Tests of the facts about Secrets, in each mode of the inventory and with the rights that the chart gives for it.

use crate::Test;
use crate::control_plane::{ControlPlane, Output};
use crate::process::wait_for;
use crate::webhook::Site;
use base64::prelude::{BASE64_STANDARD, Engine};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[
    ("inventory_off_reads_no_secret", off),
    ("inventory_names_reports_missing_secrets", names),
    (
        "inventory_contents_knows_the_credentials_in_secrets",
        contents,
    ),
    ("inventory_of_20_000_secrets", twenty_thousand),
];

const POLICY: &str = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}
  - {name: public, images: [docker.io/library], public: true}
bans:
  - {name: admin-accounts, credentials: {class: [admin]}, reason: It can push and delete., contact: '#platform'}
  - {name: spread, credentials: {sharedAcrossNamespaces: 2}}
";

fn pod(name: &str, more: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}"
    )
}

fn deployment(name: &str, image: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{replicas: 0, selector: {{matchLabels: {{a: b}}}}, \
         template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, image: {image}}}]}}}}}}}}"
    )
}

/// Runs `kubectl create secret docker-registry`.
fn create_secret(site: &Site<'_>, name: &str, user: &str, password: &str) -> Output {
    site.kubectl(&[
        "create",
        "secret",
        "docker-registry",
        name,
        "--docker-server=contoso.azurecr.io",
        &format!("--docker-username={user}"),
        &format!("--docker-password={password}"),
    ])
}

/// Asserts that no call of this user was forbidden: a forbidden call means that a right is missing in the chart. Calls
/// of other users do not matter here.
fn assert_nothing_was_forbidden(plane: &ControlPlane, user: &str) {
    let calls = calls(plane, user);
    assert!(calls.len() > 3, "{user} has to make more than 3 calls");
    let forbidden: Vec<_> = calls
        .iter()
        .filter(|call| call["responseStatus"]["code"] == 403)
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

/// Returns the entries of the audit log for the calls of one user.
fn calls(plane: &ControlPlane, user: &str) -> Vec<Value> {
    let log = plane.audit_log();
    let events = log.lines().filter(|line| line.contains(user));
    let events = events.filter_map(|line| serde_json::from_str(line).ok());
    events
        .filter(|event: &Value| event["user"]["username"] == user)
        .collect()
}

/// Returns the verb and the URI of each call for the Secrets of all namespaces.
fn of_secrets(calls: &[Value]) -> Vec<(String, String)> {
    let text = |call: &'static str| {
        move |value: &Value| value[call].as_str().unwrap_or_default().to_owned()
    };
    let (verb, uri) = (text("verb"), text("requestURI"));
    let uris = calls.iter().map(|call| (verb(call), uri(call)));
    uris.filter(|(_, uri)| uri.starts_with("/api/v1/secrets"))
        .collect()
}

/// Tries to create an object until the answer is the expected one. Returns the time that this took.
fn until(site: &Site<'_>, manifest: &str, is_answer: impl Fn(&Output) -> bool) -> Duration {
    let began = Instant::now();
    wait_for("facts follow", || {
        is_answer(&site.kubectl_with(&["create", "--dry-run=server", "-f", "-"], manifest))
    });
    began.elapsed()
}

fn off(plane: &ControlPlane) {
    let (site, user) = Site::with_inventory(plane, "inventory-off", POLICY, "off");
    let output = site.applied(&pod("a", ""));
    assert!(!output.stderr.contains("no pull secret"), "{output:?}");
    assert!(create_secret(&site, "mine", "contoso", "x").ok);
    assert_eq!(of_secrets(&calls(plane, &user)), []);
    assert_nothing_was_forbidden(plane, &user);
}

fn names(plane: &ControlPlane) {
    let (site, user) = Site::with_inventory(plane, "inventory-names", POLICY, "names");
    let missing = "no pull secret \"contoso-pull\" (delete one of another type first): kubectl create secret \
                   docker-registry contoso-pull -n inventory-names --docker-server=contoso.azurecr.io";
    let told = site.applied(&pod("a", ""));
    assert!(
        told.stderr
            .contains(&format!("Warning: Pod inventory-names/a: {missing}")),
        "{told:?}"
    );
    assert_eq!(site.pull_secrets("a"), ["contoso-pull"]);
    let told = site.applied(&deployment("b", "contoso.azurecr.io/a"));
    assert!(
        told.stderr
            .contains(&format!("Deployment inventory-names/b: {missing}")),
        "{told:?}"
    );
    // A Secret in the same apply is not reported as missing.
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: contoso-pull}, type: kubernetes.io/dockerconfigjson, \
                  stringData: {.dockerconfigjson: '{}'}}";
    let told = site.applied(&format!("{secret}\n---\n{}", pod("c", "")));
    assert!(told.stderr.is_empty(), "{told:?}");
    site.run(&["delete", "secret", "contoso-pull"]);
    until(&site, &pod("d", ""), |output| {
        output.stderr.contains("no pull secret")
    });
    // This mode does not know the content of the Secret.
    assert!(create_secret(&site, "contoso-pull", "contoso", "x").ok);
    until(
        &site,
        &pod("d", ", imagePullSecrets: [{name: contoso-pull}]"),
        |output| output.stderr.is_empty(),
    );
    assert_nothing_was_forbidden(plane, &user);
    assert_one_list_and_watch(&calls(plane, &user));
}

/// Asserts one list (in pages) for each Secret type, and one watch, which may be renewed when it ends.
fn assert_one_list_and_watch(calls: &[Value]) {
    let asked = of_secrets(calls);
    for form in ["dockerconfigjson", "dockercfg"] {
        let of_type =
            |uri: &str| uri.contains(&format!("fieldSelector=type%3Dkubernetes.io%2F{form}&"));
        let lists = asked
            .iter()
            .filter(|(verb, uri)| verb == "list" && of_type(uri) && !uri.contains("continue="));
        assert_eq!(lists.count(), 1, "{asked:#?}");
        assert!(
            asked
                .iter()
                .any(|(verb, uri)| verb == "watch" && of_type(uri)),
            "{asked:#?}"
        );
    }
    let others = asked
        .iter()
        .filter(|(verb, _)| !["list", "watch"].contains(&verb.as_str()));
    assert_eq!(others.count(), 0, "{asked:#?}");
}

fn contents(plane: &ControlPlane) {
    let (site, user) = Site::with_inventory(plane, "inventory-contents", POLICY, "contents");
    let refused = create_secret(&site, "admin", "contoso", "s3cret-value");
    assert!(!refused.ok, "{refused:?}");
    assert!(
        refused.stderr.contains(
            "admission webhook \"secrets.guard.pullgate.dev\" denied the request: Secret inventory-contents/admin: \
             data[\".dockerconfigjson\"] holds an admin account of contoso.azurecr.io (the user has the name of the \
             registry: its admin account), banned by \"admin-accounts\" (It can push and delete.)."
        ),
        "{refused:?}"
    );
    assert!(create_secret(&site, "contoso-pull", "ci-pull", "token-1").ok);
    until(&site, &pod("a", ""), |output| {
        output.stderr.is_empty() && output.ok
    });
    // The admin account was created before the ban.
    site.set_policy(
        "registries: [{name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}]",
    );
    assert!(create_secret(&site, "team-pull", "contoso", "s3cret-value").ok);
    site.set_policy(POLICY);
    let names_it = pod("b", ", imagePullSecrets: [{name: team-pull}]");
    until(&site, &names_it, |output| {
        output.stderr.contains(
            "spec.imagePullSecrets[0] names \"team-pull\", an admin account of contoso.azurecr.io",
        )
    });
    facts_follow_edits(&site);
    inherited(&site);
    shared(&site);
    for told in [site.log(), plane.audit_log()] {
        for value in [
            "s3cret-value",
            &BASE64_STANDARD.encode("contoso:s3cret-value"),
            "token-1",
        ] {
            assert!(!told.contains(value));
        }
    }
    assert_nothing_was_forbidden(plane, &user);
    assert_one_list_and_watch(&calls(plane, &user));
}

/// The promised limit is two seconds. Up to half of the edits may take longer, for a busy machine.
fn facts_follow_edits(site: &Site<'_>) {
    let broken = json!({"data": {".dockerconfigjson": BASE64_STANDARD.encode("{\"auths\": {\"reg.io\": {\"auth\": \"!\"}}}")}});
    let good = json!({"data": {".dockerconfigjson": BASE64_STANDARD.encode("{\"auths\": {\"contoso.azurecr.io\": {\"auth\": \"YTpi\"}}}")}});
    let mixed = "{apiVersion: v1, kind: Pod, metadata: {name: mixed}, spec: {containers: [\
                 {name: a, image: contoso.azurecr.io/a}, {name: b, image: nginx}]}}";
    let withheld = "cannot be used (`auth` of an entry is not base64), not injected, because other images can be pulled without it";
    let mut took = Vec::new();
    for _ in 0..3 {
        site.run(&["patch", "secret", "contoso-pull", "-p", &broken.to_string()]);
        took.push(until(site, mixed, |output| {
            output.stderr.contains(withheld)
        }));
        site.run(&["patch", "secret", "contoso-pull", "-p", &good.to_string()]);
        took.push(until(site, mixed, |output| output.stderr.is_empty()));
    }
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_secs(2), "{took:?}");
    // The stored object does not get this secret either.
    site.run(&["patch", "secret", "contoso-pull", "-p", &broken.to_string()]);
    until(site, mixed, |output| output.stderr.contains(withheld));
    site.applied(mixed);
    assert_eq!(site.pull_secrets("mixed"), [""; 0]);
    site.run(&["patch", "secret", "contoso-pull", "-p", &good.to_string()]);
    until(site, mixed, |output| !output.stderr.contains(withheld));
}

fn inherited(site: &Site<'_>) {
    site.applied("{apiVersion: v1, kind: ServiceAccount, metadata: {name: team}}");
    let list = "{\"imagePullSecrets\": [{\"name\": \"team-pull\"}]}";
    let refused = site.kubectl(&["patch", "serviceaccount", "team", "-p", list]);
    assert!(refused.stderr.contains("ServiceAccount inventory-contents/team: imagePullSecrets[0] names \"team-pull\", an admin account"), "{refused:?}");
    site.set_policy("registries: []");
    site.run(&["patch", "serviceaccount", "team", "-p", list]);
    site.set_policy(POLICY);
    let uses_it = pod("c", ", serviceAccountName: team");
    until(site, &uses_it, |output| {
        output.stderr.contains(
            "names \"team-pull\", inherited from ServiceAccount \"team\", an admin account",
        ) && output
            .stderr
            .contains("kubectl edit serviceaccount team -n inventory-contents")
    });
}

/// Two namespaces may share a credential; a third may not.
fn shared(site: &Site<'_>) {
    for other in ["inventory-contents-2", "inventory-contents-3"] {
        site.namespace(other, "");
    }
    let make = |namespace: &str, name: &str| {
        site.kubectl(&[
            "-n",
            namespace,
            "create",
            "secret",
            "docker-registry",
            name,
            "--docker-server=contoso.azurecr.io",
            "--docker-username=ci",
            "--docker-password=shared",
            "--dry-run=none",
        ])
    };
    assert!(make("inventory-contents", "one").ok);
    assert!(make("inventory-contents-2", "two").ok);
    wait_for("the third is refused", || {
        let refused = site.kubectl(&[
            "-n",
            "inventory-contents-3",
            "create",
            "secret",
            "docker-registry",
            "three",
            "--docker-server=contoso.azurecr.io",
            "--docker-username=ci",
            "--docker-password=shared",
            "--dry-run=server",
        ]);
        refused.stderr.contains("holds a credential of contoso.azurecr.io that is in more than 2 namespaces, banned by \"spread\"")
    });
    // The same user with another password is another credential.
    let other = create_secret(site, "four", "ci", "not-shared");
    assert!(other.ok, "{other:?}");
}

/// Measures the memory that belongs to the process alone (`RssAnon`).
fn twenty_thousand(plane: &ControlPlane) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(load(plane));
    // No other test has a Secret of this name.
    let policy = "registries: [{name: many, images: [many.test], secrets: [many-pull]}]";
    let (site, user) = Site::with_inventory(plane, "inventory-many", policy, "contents");
    let lacks = pod("a", "").replace("contoso.azurecr.io/a", "many.test/a");
    until(&site, &lacks, |output| {
        output
            .stderr
            .contains("(there is one in many-0 and in 99 more)")
    });
    let known = site.memory();
    assert!(known < 32 * 1024, "{known} KiB");
    assert_nothing_was_forbidden(plane, &user);
    assert_one_list_and_watch(&calls(plane, &user));
    drop(site);
    runtime.block_on(unload(plane));
}

const NAMESPACES: usize = 100;
const SECRETS: usize = 200;

async fn client(plane: &ControlPlane) -> kube::Client {
    pullgate::cluster::client(Some(&plane.kubeconfig()))
        .await
        .expect("a client")
}

async fn load(plane: &ControlPlane) {
    let client = client(plane).await;
    let params = PostParams::default();
    for number in 0..NAMESPACES {
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": format!("many-{number}")}}))
                .expect("a namespace");
        Api::all(client.clone())
            .create(&params, &namespace)
            .await
            .expect("made");
    }
    let all = (0..NAMESPACES * SECRETS).map(|number| (number % NAMESPACES, number / NAMESPACES));
    futures::stream::iter(all)
        .for_each_concurrent(32, |(namespace, number)| {
            let api = Api::<Secret>::namespaced(client.clone(), &format!("many-{namespace}"));
            async move {
                let name = if number == 0 { "many-pull".to_owned() } else { format!("team-{number}-pull") };
                let config = json!({"auths": {format!("registry-{number}.corp"): {"username": "robot$team+pull", "password": format!("p-{namespace}-{number}")}}});
                let secret = json!({
                    "metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson",
                    "stringData": {".dockerconfigjson": config.to_string()},
                });
                let secret = serde_json::from_value(secret).expect("a Secret");
                api.create(&PostParams::default(), &secret).await.expect("made");
            }
        })
        .await;
}

/// Deletes the Secrets: otherwise other tests would see them.
async fn unload(plane: &ControlPlane) {
    let client = client(plane).await;
    for number in 0..NAMESPACES {
        let api = Api::<Namespace>::all(client.clone());
        api.delete(
            &format!("many-{number}"),
            &kube::api::DeleteParams::default(),
        )
        .await
        .expect("deleted");
    }
}
