//! Records reviews of a real API server into `tests/reviews/` with `RECORD=1`; otherwise compares them.
//!
//! The webhook here admits everything. Only the first review of each kind in a step is kept.

use crate::Test;
use crate::control_plane::ControlPlane;
use crate::process::wait_for;
use crate::recorder::Responder;
use crate::webhook::namespace;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

pub(crate) const TESTS: &[Test] = &[("reviews_are_as_they_were_recorded", record)];

/// Rules for every change of a judged resource and of its subresources.
const RULES: &str = r#"[
  {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"], "resources":
    ["pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers", "replicationcontrollers/scale",
     "serviceaccounts", "secrets", "configmaps"]},
  {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"], "resources":
    ["deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale", "daemonsets",
     "controllerrevisions"]},
  {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"], "resources": ["jobs", "cronjobs"]}
]"#;

const POD_SPEC: &str = "{containers: [{name: app, image: contoso.azurecr.io/shop/app:1.4}], imagePullSecrets: [{name: regcred-shared}]}";

/// A step: its name, the arguments of kubectl, and its stdin.
type Step<'a> = (&'a str, &'a [&'a str], String);

fn record(plane: &ControlPlane) {
    namespace(plane, "record", "record", "team: shop");
    let rules = serde_json::from_str(RULES).expect("JSON");
    let webhook = Responder::record(plane, "record", "record", &rules);
    let mut recorded = BTreeMap::new();
    for (step, args, stdin) in steps() {
        webhook.take();
        let args: Vec<&str> = [&["-n", "record"], args].concat();
        wait_for(&format!("{step}: {args:?}"), || {
            plane.kubectl(&args, &stdin).ok
        });
        wait_until_quiet(&webhook);
        for (endpoint, review) in webhook.take().into_iter().filter(is_kept) {
            recorded
                .entry(name(step, &endpoint, &review))
                .or_insert(review);
        }
    }
    assert!(recorded.len() >= 60, "only {} reviews", recorded.len());
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reviews");
    if std::env::var_os("RECORD").is_some() {
        std::fs::remove_dir_all(&dir).ok();
        std::fs::create_dir_all(&dir).expect("a folder");
        for (name, review) in &recorded {
            let text = serde_json::to_string_pretty(review).expect("JSON") + "\n";
            std::fs::write(dir.join(format!("{name}.json")), text).expect("a file");
        }
    }
    let kept = std::fs::read_dir(&dir).expect("tests/reviews: record them with RECORD=1");
    let kept: BTreeSet<String> = kept
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    // A controller's requests may arrive after the step, and are then recorded with the next one. Users' requests are
    // not.
    let by_people = |name: &&String| !name.contains(".by-");
    let missing: Vec<_> = kept
        .iter()
        .filter(by_people)
        .filter(|name| !recorded.contains_key(*name))
        .collect();
    let new: Vec<_> = recorded
        .keys()
        .filter(by_people)
        .filter(|name| !kept.contains(*name))
        .collect();
    assert!(
        missing.is_empty() && new.is_empty(),
        "not seen any more: {missing:?}; new: {new:?}; record with RECORD=1"
    );
}

/// Keeps the reviews that Pullgate registers for: on `/mutate`, only created pods.
fn is_kept((endpoint, review): &(String, Value)) -> bool {
    let request = &review["request"];
    endpoint == "validate" || request["kind"]["kind"] == "Pod" && request["operation"] == "CREATE"
}

/// Returns the name of a review, like `deployment-apply.Pod.create.by-replicaset-controller.mutate`.
fn name(step: &str, endpoint: &str, review: &Value) -> String {
    let request = &review["request"];
    let text = |pointer: &str| {
        request
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let subresource = Some(text("/subResource"))
        .filter(|name| !name.is_empty())
        .map(|name| format!("-{name}"));
    let user = text("/userInfo/username")
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    let by = if user == "admin" {
        String::new()
    } else {
        format!(".by-{user}")
    };
    let operation = text("/operation").to_lowercase();
    let dry_run = if request["dryRun"] == true {
        ".dry-run"
    } else {
        ""
    };
    format!(
        "{step}.{}{}.{operation}{dry_run}{by}.{endpoint}",
        text("/kind/kind"),
        subresource.unwrap_or_default()
    )
}

fn wait_until_quiet(recorder: &Responder<'_>) {
    let mut before = usize::MAX;
    while recorder.count() != before {
        before = recorder.count();
        std::thread::sleep(Duration::from_millis(700));
    }
}

fn workload(api: &str, kind: &str, more: &str) -> String {
    let name = kind.to_lowercase();
    format!(
        "{{apiVersion: {api}, kind: {kind}, metadata: {{name: {name}}}, spec: {{{more} selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: {POD_SPEC}}}}}}}"
    )
}

fn steps() -> Vec<Step<'static>> {
    let apply: &[&str] = &["apply", "-f", "-"];
    let job_spec = POD_SPEC.replacen('{', "{restartPolicy: Never, ", 1);
    let pod = |name: &str, spec: &str| {
        format!("{{apiVersion: v1, kind: Pod, metadata: {{{name}}}, spec: {spec}}}")
    };
    vec![
        ("pod-apply", apply, pod("name: pod", POD_SPEC)),
        ("pod-generate-name", &["create", "-f", "-"], pod("generateName: pod-", POD_SPEC)),
        ("pod-every-reference", apply, pod("name: references", EVERY_REFERENCE)),
        ("pod-image-volume", apply, pod("name: volume", IMAGE_VOLUME)),
        ("pod-opted-out", apply, pod("name: out, annotations: {pullgate.dev/inject: disabled, note: \"a \\\"quoted\\\" \\u00e9\"}", POD_SPEC)),
        ("pod-dry-run", &["create", "--dry-run=server", "-f", "-"], pod("name: dry", POD_SPEC)),
        ("pod-server-side-apply", &["apply", "--server-side", "-f", "-"], pod("name: server-side", POD_SPEC)),
        ("pod-mirror", apply, pod("name: mirror-node1, annotations: {kubernetes.io/config.mirror: abc}", "{nodeName: node1, containers: [{name: app, image: contoso.azurecr.io/a}]}")),
        ("pod-run", &["run", "run", "--image=contoso.azurecr.io/run:1"], String::new()),
        ("pod-no-image-rule", &["run", "other", "--image=quay.io/other/app"], String::new()),
        ("pod-bad-image", apply, pod("name: bad", "{containers: [{name: app, image: Contoso.azurecr.io/UPPER}]}")),
        ("pod-label", &["label", "pod", "pod", "color=blue"], String::new()),
        ("pod-set-image", &["set", "image", "pod/pod", "app=contoso.azurecr.io/shop/app:1.5"], String::new()),
        ("pod-debug", &["debug", "pod", "--image=contoso.azurecr.io/debug", "--container=debugger"], String::new()),
        ("pod-finalizer", &["patch", "pod", "pod", "-p", "{\"metadata\": {\"finalizers\": [\"test.pullgate.dev/wait\"]}}"], String::new()),
        ("pod-delete", &["delete", "pod", "pod", "--wait=false"], String::new()),
        ("pod-finalizer-removed", &["patch", "pod", "pod", "--type=json", "-p", "[{\"op\": \"remove\", \"path\": \"/metadata/finalizers\"}]"], String::new()),
        ("pod-list", apply, format!("{{apiVersion: v1, kind: List, items: [{}, {}]}}", pod("name: first", POD_SPEC), pod("name: second", POD_SPEC))),
        ("podtemplate-apply", apply, format!("{{apiVersion: v1, kind: PodTemplate, metadata: {{name: podtemplate}}, template: {{metadata: {{labels: {{app: x}}}}, spec: {POD_SPEC}}}}}")),
        ("podtemplate-annotate", &["annotate", "podtemplate", "podtemplate", "note=1"], String::new()),
        ("replicationcontroller-apply", apply, workload("v1", "ReplicationController", "").replace("{matchLabels: {app: replicationcontroller}}", "{app: replicationcontroller}")),
        ("replicationcontroller-scale", &["scale", "replicationcontroller", "replicationcontroller", "--replicas=2"], String::new()),
        ("replicaset-apply", apply, workload("apps/v1", "ReplicaSet", "")),
        ("replicaset-scale", &["scale", "replicaset", "replicaset", "--replicas=2"], String::new()),
        ("deployment-apply", apply, workload("apps/v1", "Deployment", "")),
        ("deployment-scale", &["scale", "deployment", "deployment", "--replicas=2"], String::new()),
        ("deployment-patch-replicas", &["patch", "deployment", "deployment", "-p", "{\"spec\": {\"replicas\": 3}}"], String::new()),
        ("deployment-restart", &["rollout", "restart", "deployment/deployment"], String::new()),
        ("deployment-server-side-apply", &["apply", "--server-side", "--force-conflicts", "-f", "-"], workload("apps/v1", "Deployment", "minReadySeconds: 1,")),
        ("deployment-dry-run", &["apply", "--dry-run=server", "-f", "-"], workload("apps/v1", "Deployment", "minReadySeconds: 2,")),
        ("deployment-label", &["label", "deployment", "deployment", "color=blue"], String::new()),
        ("deployment-delete", &["delete", "deployment", "deployment"], String::new()),
        ("statefulset-apply", apply, workload("apps/v1", "StatefulSet", "serviceName: s,")),
        ("statefulset-scale", &["scale", "statefulset", "statefulset", "--replicas=2"], String::new()),
        ("statefulset-restart", &["rollout", "restart", "statefulset/statefulset"], String::new()),
        ("daemonset-apply", apply, workload("apps/v1", "DaemonSet", "")),
        ("daemonset-restart", &["rollout", "restart", "daemonset/daemonset"], String::new()),
        ("job-apply", apply, format!("{{apiVersion: batch/v1, kind: Job, metadata: {{name: job}}, spec: {{template: {{spec: {job_spec}}}}}}}")),
        ("job-suspend", &["patch", "job", "job", "-p", "{\"spec\": {\"suspend\": true}}"], String::new()),
        ("cronjob-apply", apply, format!("{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: cronjob}}, spec: {{schedule: '0 0 1 1 *', jobTemplate: {{spec: {{template: {{spec: {job_spec}}}}}}}}}}}")),
        ("cronjob-run", &["create", "job", "--from=cronjob/cronjob", "by-hand"], String::new()),
        ("serviceaccount-apply", apply, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}, imagePullSecrets: [{name: regcred-shared}], secrets: [{name: legacy-one}]}".to_owned()),
        ("serviceaccount-annotate", &["annotate", "serviceaccount", "app", "note=1"], String::new()),
        ("pod-of-serviceaccount", apply, pod("name: of-app", "{serviceAccountName: app, containers: [{name: app, image: contoso.azurecr.io/a}]}")),
        ("secret-docker", &["create", "secret", "docker-registry", "legacy-two", "--docker-server=contoso.azurecr.io", "--docker-username=u", "--docker-password=golden-password"], String::new()),
        ("secret-label", &["label", "secret", "legacy-two", "color=blue"], String::new()),
        ("configmap-policy", &["create", "configmap", "pullgate-policy", "--from-literal=policy.yaml=kind: PullPolicy"], String::new()),
        ("configmap-other", &["create", "configmap", "other", "--from-literal=key=value"], String::new()),
        ("delete-all", &["delete", "pod,deployment,replicaset,replicationcontroller,statefulset,daemonset,job,cronjob,podtemplate", "--all", "--wait=false"], String::new()),
    ]
}

const IMAGE_VOLUME: &str = "{containers: [{name: app, image: nginx}], volumes: [{name: model, image: {reference: contoso.azurecr.io/model:1}}]}";

/// A pod spec with one of each field that names a Secret.
pub(crate) const EVERY_REFERENCE: &str = "{
  imagePullSecrets: [{name: legacy-1}],
  initContainers: [{name: i, image: nginx, env: [{name: A, value: x}, {name: B, valueFrom: {secretKeyRef: {name: legacy-2, key: k}}}]}],
  containers: [{name: c, image: nginx, envFrom: [{configMapRef: {name: m}}, {secretRef: {name: legacy-3, optional: true}}],
    env: [{name: A, valueFrom: {secretKeyRef: {name: legacy-4, key: k, optional: true}}}]}],
  volumes: [
    {name: v0, secret: {secretName: legacy-5}},
    {name: v1, projected: {sources: [{configMap: {name: m}}, {secret: {name: legacy-6}}]}},
    {name: v2, csi: {driver: d, nodePublishSecretRef: {name: legacy-7}}},
    {name: v3, flexVolume: {driver: a/b, secretRef: {name: legacy-8}}},
    {name: v4, azureFile: {secretName: legacy-9, shareName: s}},
    {name: v5, cephfs: {monitors: [m], secretRef: {name: legacy-10}}},
    {name: v6, cinder: {volumeID: x, secretRef: {name: legacy-11}}},
    {name: v7, rbd: {monitors: [m], image: i, secretRef: {name: legacy-12}}},
    {name: v8, iscsi: {targetPortal: 1.2.3.4, iqn: 'iqn.2001-04.com.example:x', lun: 0, chapAuthDiscovery: true, secretRef: {name: legacy-13}}},
    {name: v9, scaleIO: {gateway: g, system: s, volumeName: v, secretRef: {name: legacy-14}}},
    {name: v10, storageos: {volumeName: v, secretRef: {name: legacy-15}}}]}";
