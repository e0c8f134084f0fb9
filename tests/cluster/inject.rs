//! Tests of injection: the objects as the API server stores them.

use crate::Test;
use crate::control_plane::ControlPlane;
use crate::process::wait_for;
use crate::recorder::Responder;
use crate::webhook::{Site, names};
use serde_json::{Value, json};

pub(crate) const TESTS: &[Test] = &[
    (
        "inject_puts_the_secret_first_and_keeps_the_others",
        keeps_the_others,
    ),
    ("inject_into_pods_of_controllers", pods_of_controllers),
    (
        "inject_again_when_another_webhook_adds_an_image",
        reinvocation,
    ),
    (
        "trap_2_an_update_of_an_injected_pod_is_not_patched",
        updates,
    ),
    ("trap_4_templates_are_never_changed", templates),
    ("inject_leaves_mirror_pods_alone", mirror_pods),
    ("inject_can_be_switched_off", opt_outs),
    (
        "inject_respects_enforce_mountable_secrets",
        mountable_secrets,
    ),
    (
        "inject_by_labels_of_a_namespace_that_comes_in_the_same_apply",
        fresh_namespaces,
    ),
    (
        "promise_4_a_bad_policy_or_certificate_never_replaces_a_good_one",
        bad_files,
    ),
];

const POLICY: &str = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}
  - {name: side, images: [sidecars.test], secrets: [side-pull]}
  - {name: models, images: [models.test], secrets: [models-pull]}
  - {name: labelled, images: [labelled.test], secrets: [labelled-pull], namespaces: {labels: {matchLabels: {team: a}}}}
  - {name: public, images: [docker.io/library], public: true}
";

fn pod(name: &str, more: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}"
    )
}

/// Traps 1 and 3, and the order of first use.
fn keeps_the_others(plane: &ControlPlane) {
    let site = Site::new(plane, "inject-order", POLICY);
    site.applied(&pod("plain", ""));
    assert_eq!(site.pull_secrets("plain"), ["contoso-pull"]);
    assert_eq!(
        site.get("pod", "plain")["metadata"]["annotations"]["pullgate.dev/injected"],
        "contoso-pull"
    );
    // Trap 1: a patch `add /spec/imagePullSecrets` would replace this list.
    site.applied(&pod(
        "listed",
        ", imagePullSecrets: [{name: one}, {name: contoso-pull}, {name: two}]",
    ));
    assert_eq!(site.pull_secrets("listed"), ["contoso-pull", "one", "two"]);
    site.applied(
        "{apiVersion: v1, kind: Pod, metadata: {name: many}, spec: {
           imagePullSecrets: [{name: one}, {name: contoso-pull}],
           initContainers: [{name: i, image: sidecars.test/i}],
           containers: [{name: c, image: contoso.azurecr.io/a}, {name: p, image: nginx}],
           volumes: [{name: v, image: {reference: models.test/m}}]}}",
    );
    assert_eq!(
        site.pull_secrets("many"),
        ["side-pull", "contoso-pull", "models-pull", "one"]
    );
    site.applied("{apiVersion: v1, kind: Pod, metadata: {name: public}, spec: {containers: [{name: c, image: nginx}]}}");
    assert_eq!(site.pull_secrets("public"), Vec::<String>::new());
    // Trap 3: the API server has already copied the list of the ServiceAccount when it calls the webhook.
    site.run(&[
        "patch",
        "serviceaccount",
        "default",
        "-p",
        "{\"imagePullSecrets\": [{\"name\": \"from-sa\"}]}",
    ]);
    site.applied(&pod("inheriting", ""));
    assert_eq!(site.pull_secrets("inheriting"), ["contoso-pull", "from-sa"]);
}

fn pods_of_controllers(plane: &ControlPlane) {
    let site = Site::new(plane, "inject-controllers", POLICY);
    let template = |name: &str, more: &str| {
        format!(
            "{{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}"
        )
    };
    let never = ", restartPolicy: Never";
    site.applied(&format!(
        "{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: cron}}, spec: {{schedule: '* * * * *', jobTemplate: {{spec: {{template: {}}}}}}}}}",
        template("cron", never)
    ));
    site.applied(&format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {{replicas: 2, selector: {{matchLabels: {{app: web}}}}, template: {}}}}}",
        template("web", "")
    ));
    site.applied(&format!(
        "{{apiVersion: batch/v1, kind: Job, metadata: {{name: job}}, spec: {{template: {}}}}}",
        template("job", never)
    ));
    for (app, count) in [("web", 2), ("job", 1)] {
        for pod in site.wait_for_pods(&format!("app={app}"), count) {
            assert_eq!(names(&pod), ["contoso-pull"], "{app}");
        }
    }
    // The CronJob runs at the next full minute.
    wait_for("the CronJob ticks", || !site.pods("app=cron").is_empty());
    assert_eq!(names(&site.pods("app=cron")[0]), ["contoso-pull"]);
}

/// Another webhook, which is called after Pullgate, adds a container. The API server calls Pullgate again, and Pullgate
/// adds the secret for that container.
fn reinvocation(plane: &ControlPlane) {
    let site = Site::new(plane, "inject-again", POLICY);
    let adds_a_sidecar = |review: &Value| {
        let containers = review["request"]["object"]["spec"]["containers"]
            .as_array()
            .expect("containers");
        let has_one = containers
            .iter()
            .any(|container| container["name"] == "side");
        let container = json!({"name": "side", "image": "sidecars.test/s"});
        (!has_one).then(|| json!([{"op": "add", "path": "/spec/containers/-", "value": container}]))
    };
    let _responder = Responder::register(plane, "zz-sidecar", "inject-again", adds_a_sidecar);
    site.applied(&pod("meshed", ""));
    assert_eq!(site.pull_secrets("meshed"), ["contoso-pull", "side-pull"]);
    let stored = site.get("pod", "meshed");
    assert_eq!(
        stored["metadata"]["annotations"]["pullgate.dev/injected"],
        "contoso-pull,side-pull"
    );
}

fn updates(plane: &ControlPlane) {
    let site = Site::new(plane, "inject-update", "");
    site.applied(&pod("early", ""));
    // The rule is added after the pod was created: the pod's list is immutable now.
    site.set_policy(POLICY);
    site.run(&["label", "pod", "early", "color=blue"]);
    site.run(&["annotate", "pod", "early", "note=1"]);
    site.run(&["set", "image", "pod/early", "c=nginx"]);
    assert_eq!(site.pull_secrets("early"), Vec::<String>::new());
    let output = site.kubectl(&["set", "image", "pod/early", "c=contoso.azurecr.io/b"]);
    assert!(output.ok, "{output:?}");
    assert_eq!(
        output.stderr,
        "Warning: Pod inject-update/early: spec.containers[0].image needs \"contoso-pull\" (rule \"contoso\"), too late for this pod: recreate it\n"
    );
}

fn templates(plane: &ControlPlane) {
    let site = Site::new(plane, "inject-templates", POLICY);
    site.applied(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}},
          template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: contoso.azurecr.io/a}]}}}}",
    );
    site.wait_for_pods("app=web", 1);
    for kind in ["deployment", "replicaset"] {
        let list: Value =
            serde_json::from_str(&site.run(&["get", kind, "-o", "json"])).expect("JSON");
        assert_eq!(
            list["items"][0]["spec"]["template"]["spec"]["imagePullSecrets"],
            Value::Null,
            "{kind}"
        );
    }
}

fn mirror_pods(plane: &ControlPlane) {
    let site = Site::new(plane, "inject-mirror", POLICY);
    site.applied(
        "{apiVersion: v1, kind: Pod, metadata: {name: static-node1, annotations: {kubernetes.io/config.mirror: abc}},
          spec: {nodeName: node1, containers: [{name: c, image: contoso.azurecr.io/a}]}}",
    );
    assert_eq!(site.pull_secrets("static-node1"), Vec::<String>::new());
}

fn opt_outs(plane: &ControlPlane) {
    let site = Site::new(plane, "inject-off", POLICY);
    site.applied(
        "{apiVersion: v1, kind: Pod, metadata: {name: by-annotation, annotations: {pullgate.dev/inject: disabled}},
          spec: {containers: [{name: c, image: contoso.azurecr.io/a}]}}",
    );
    assert_eq!(site.pull_secrets("by-annotation"), Vec::<String>::new());
    site.namespace("inject-off-too", "pullgate.dev/inject: disabled");
    let output = plane.kubectl(
        &["-n", "inject-off-too", "apply", "-f", "-"],
        &pod("by-label", ""),
    );
    assert!(output.ok, "{output:?}");
    let stored = plane.kubectl(
        &[
            "-n",
            "inject-off-too",
            "get",
            "pod",
            "by-label",
            "-o",
            "json",
        ],
        "",
    );
    assert_eq!(
        names(&serde_json::from_str(&stored.stdout).expect("JSON")),
        Vec::<String>::new()
    );
}

/// The API server refuses a pod with a secret that such a `ServiceAccount` does not list, so injecting the secret would
/// stop the pod from being created.
fn mountable_secrets(plane: &ControlPlane) {
    let site = Site::new(plane, "inject-mountable", POLICY);
    site.run(&[
        "annotate",
        "serviceaccount",
        "default",
        "kubernetes.io/enforce-mountable-secrets=true",
    ]);
    // The watch is a moment behind. Until it has caught up, the API server refuses the pod.
    wait_for("the annotation is known", || {
        site.apply(&pod("strict", "")).ok
    });
    assert_eq!(site.pull_secrets("strict"), Vec::<String>::new());
    let output = site.applied(&pod("warned", ""));
    assert_eq!(
        output.stderr,
        "Warning: Pod inject-mountable/warned: \"contoso-pull\" is not injected: ServiceAccount \"default\" allows only the secrets that it lists; list it there\n"
    );
    site.run(&[
        "patch",
        "serviceaccount",
        "default",
        "-p",
        "{\"imagePullSecrets\": [{\"name\": \"other\"}, {\"name\": \"contoso-pull\"}]}",
    ]);
    let mut number = 0;
    wait_for("the ServiceAccount lists it", || {
        number += 1;
        let name = format!("listed-{number}");
        site.applied(&pod(&name, ""));
        site.pull_secrets(&name) == ["contoso-pull", "other"]
    });
}

/// While its labels are unknown, a namespace matches every rule with a label selector. So only the rule that must not
/// match shows that Pullgate waited for the labels.
fn fresh_namespaces(plane: &ControlPlane) {
    let _site = Site::new(plane, "inject-fresh", POLICY);
    for number in 0..10 {
        let namespace = format!("fresh-{number}");
        let team = if number % 2 == 0 { "a" } else { "b" };
        let manifest = format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}, labels: {{pullgate-test: inject-fresh, team: {team}}}}}}}
---
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: app, namespace: {namespace}}}}}
---
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: strict, namespace: {namespace}, annotations: {{kubernetes.io/enforce-mountable-secrets: 'true'}}}}}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: labelled, namespace: {namespace}}},
  spec: {{serviceAccountName: app, containers: [{{name: c, image: labelled.test/a}}]}}}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: strict, namespace: {namespace}}},
  spec: {{serviceAccountName: strict, containers: [{{name: c, image: contoso.azurecr.io/a}}]}}}}"
        );
        let output = plane.kubectl(&["apply", "-f", "-"], &manifest);
        assert!(output.ok, "{output:?}");
        let secrets = |pod: &str| {
            let stored = plane.kubectl(&["-n", &namespace, "get", "pod", pod, "-o", "json"], "");
            names(&serde_json::from_str(&stored.stdout).expect("JSON"))
        };
        let expected: &[&str] = if team == "a" { &["labelled-pull"] } else { &[] };
        assert_eq!(secrets("labelled"), expected, "{namespace}");
        assert_eq!(secrets("strict"), Vec::<String>::new(), "{namespace}");
    }
}

fn bad_files(plane: &ControlPlane) {
    let site = Site::new(plane, "bad-files", POLICY);
    let complaints = || {
        site.log()
            .matches("the policy has faults and is not used")
            .count()
    };
    std::fs::write(
        site.file("policy.yaml"),
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nregistry: []\n",
    )
    .expect("a file");
    wait_for("the bad policy is noticed", || complaints() == 1);
    assert!(
        site.log()
            .contains("policy.yaml:3:1: registry: unknown key `registry`"),
        "{}",
        site.log()
    );
    site.applied(&pod("after-bad-policy", ""));
    assert_eq!(site.pull_secrets("after-bad-policy"), ["contoso-pull"]);
    std::fs::write(site.file("tls.key"), "no key").expect("a file");
    wait_for("the bad pair is noticed", || {
        site.log().contains("the new certificate is not used")
    });
    site.applied(&pod("after-bad-pair", ""));
    assert_eq!(site.pull_secrets("after-bad-pair"), ["contoso-pull"]);
}
