//! Tests of the facts that `check` takes from each Namespace and ServiceAccount among the files.

use super::Folder;
use serde_json::{Value, json};

#[test]
fn the_old_name_of_service_account_name_counts() {
    let folder = Folder::new(&[]);
    let text = "\
{apiVersion: v1, kind: ServiceAccount, metadata: {name: old}, imagePullSecrets: [{name: fine}]}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}, imagePullSecrets: [{name: legacy-1}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {serviceAccount: old, containers: []}}
";
    assert_eq!(
        folder.findings(&["-f", "-"], text),
        ["<stdin>:3:93 error banned-secret"],
        "only the account itself"
    );
}

/// An object of another kind gives no facts about a namespace, and two objects that differ give none at all.
#[test]
fn facts_come_from_the_right_objects_and_agree() {
    let folder = Folder::new(&[]);
    folder.write(
        "policy.yaml",
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans: [{name: b, secrets: [old]}]\n\
         exempt: {namespaces: {labels: {matchLabels: {e: f}}}}\n",
    );
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: old}]}}\n";
    let namespace = |api: &str, label: &str| {
        format!(
            "---\n{{apiVersion: {api}, kind: Namespace, metadata: {{name: default, labels: {{e: {label}}}}}}}\n"
        )
    };
    let found = |more: &str| in_stdin(folder.findings(&["-f", "-"], &format!("{pod}{more}")));
    assert_eq!(
        found(&namespace("servicebus.azure.com/v1", "f")),
        ["<stdin>:1:83 warning banned-secret"]
    );
    assert_eq!(
        found(&namespace("v1", "x")),
        ["<stdin>:1:83 error banned-secret"]
    );
    assert!(found(&namespace("v1", "f")).is_empty());
    let both = namespace("v1", "x") + &namespace("v1", "f");
    assert_eq!(found(&both), ["<stdin>:1:83 warning banned-secret"]);
    let run = folder.check(&["-f", "-"], pod);
    assert!(
        run.stdout
            .contains("add the output of `kubectl get namespace default -o yaml` to the files"),
        "{}",
        run.stdout
    );
    let account = |secret: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: default}}, imagePullSecrets: [{secret}]}}\n"
        )
    };
    let bare = "---\n{apiVersion: v1, kind: Pod, metadata: {name: q}, spec: {containers: []}}\n";
    let found = |text: String| {
        let text = namespace("v1", "x") + &text;
        in_stdin(folder.findings(&["-f", "-"], &text)).len()
    };
    assert_eq!(found(account("{name: old}") + bare), 2);
    assert_eq!(
        found(account("{name: old}") + &account("") + bare),
        1,
        "only the account that lists it"
    );
    let exempt = folder
        .check(
            &["-f", "-", "-o", "json"],
            &format!("{pod}{}", namespace("v1", "f")),
        )
        .stdout;
    let exempt: Value = serde_json::from_str(&exempt).expect("JSON");
    assert_eq!(
        (&exempt["exempt"][0]["name"], &exempt["judged"]),
        (&json!("p"), &json!(true))
    );
}

#[test]
fn a_secret_that_cannot_be_injected_is_told() {
    let folder = Folder::new(&[]);
    let text = "\
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, annotations: {kubernetes.io/enforce-mountable-secrets: 'true'}}}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: c, image: contoso.azurecr.io/a}]
";
    assert_eq!(
        folder.findings(&["-f", "-"], text),
        ["<stdin>:7:3 warning secret-not-mountable"]
    );
}

/// The other objects give facts: labels of namespaces, and the secrets that a `ServiceAccount` hands down.
#[test]
fn namespaces_and_service_accounts_are_facts() {
    let folder = Folder::new(&[]);
    folder.write(
        "policy.yaml",
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans: [{name: b, secrets: [old]}]\nexceptions:\n\
         - {bans: [b], namespaces: {labels: {matchLabels: {free: 'yes'}}}, owner: o, reason: r, expires: 2999-01-01}\n",
    );
    let pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: old}]}}\n";
    let namespace = |label: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: ns, labels: {{free: '{label}'}}}}}}\n"
        )
    };
    let found = |text: &str| in_stdin(folder.findings(&["-f", "-", "-n", "ns"], text));
    assert_eq!(
        found(pod),
        ["<stdin>:2:83 warning banned-secret"],
        "the labels are unknown"
    );
    assert_eq!(
        found(&(pod.to_owned() + &namespace("no"))),
        ["<stdin>:2:83 error banned-secret"]
    );
    assert!(found(&(pod.to_owned() + &namespace("yes"))).is_empty());
    let account = "---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: ns}, imagePullSecrets: [{name: old}]}\n";
    let bare = "---\n{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: []}}\n";
    let inherited = found(&(namespace("no") + bare + account));
    assert_eq!(
        inherited,
        [
            "<stdin>:4:57 error banned-secret",
            "<stdin>:6:108 error banned-secret"
        ]
    );
    let run = folder.check(
        &["-f", "-", "-n", "ns"],
        &(namespace("no") + bare + account),
    );
    assert!(
        run.stdout
            .contains("serviceAccountName \"default\" passes \"old\" on to the pods"),
        "{}",
        run.stdout
    );
    // A pod with a list of its own inherits nothing.
    let run = folder.check(&["-f", "-", "-n", "ns"], &(namespace("no") + pod));
    assert!(
        run.stdout
            .contains("spec.imagePullSecrets[0] names \"old\", banned by \"b\"\n"),
        "{}",
        run.stdout
    );
}

/// The findings but for one: each policy here has a label that lifts a ban, which is warned of.
fn in_stdin(findings: Vec<String>) -> Vec<String> {
    let (policy, others): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| finding.starts_with("policy.yaml:"));
    assert!(
        policy.len() == 1 && policy[0].ends_with(" warning policy"),
        "{policy:?}"
    );
    others
}

/// A Secret of another type under the name of a pull secret: the kubelet ignores it, and `kubectl create secret` fails.
#[test]
fn a_pull_secret_of_another_type_among_the_files_is_told() {
    let folder = Folder::new(&[]);
    folder.write(
        "policy.yaml",
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\n\
         registries: [{name: a, images: [reg.io], secrets: [a-pull]}]\n",
    );
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: reg.io/x}]}}\n";
    let listing = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: a-pull}]}}\n";
    let secret = |of_type: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Secret, metadata: {{name: a-pull}}{of_type}, data: {{a: YQ==}}}}\n"
        )
    };
    let told = |text: &str| folder.check(&["-f", "-"], text).stdout;
    let opaque = "of type Opaque, which the kubelet ignores: delete and recreate it with the type kubernetes.io/dockerconfigjson";
    for of_type in ["", ", type: Opaque"] {
        let text = told(&format!("{pod}{}", secret(of_type)));
        assert!(
            text.contains(&format!(
                "Pod default/p: pull secret \"a-pull\" is {opaque}"
            )),
            "{text}"
        );
    }
    let text = told(&format!("{listing}{}", secret("")));
    assert!(
        text.contains(&format!(
            "spec.imagePullSecrets[0] names \"a-pull\", which is {opaque}"
        )),
        "{text}"
    );
    let tls = secret(", type: kubernetes.io/tls");
    assert!(told(&format!("{pod}{tls}")).contains("is of type kubernetes.io/tls, which"));
    // Two that contradict each other, as overlays do, another namespace, and a ServiceAccount of the same name.
    let docker = secret(", type: kubernetes.io/dockerconfigjson");
    let elsewhere = secret("").replace("a-pull}", "a-pull, namespace: other}");
    let account = "---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: a-pull}}\n";
    for more in [
        docker.clone(),
        docker + &secret(""),
        elsewhere,
        account.to_owned(),
    ] {
        let found = folder.findings(&["-f", "-"], &format!("{pod}{more}"));
        assert!(found.is_empty(), "{more} {found:?}");
    }
}
