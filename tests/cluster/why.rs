//! Tests of `pullgate why` on a real API server: no kubelet runs, so the tests write the states that one would write.

use crate::Test;
use crate::commands::pullgate;
use crate::control_plane::ControlPlane;
use crate::webhook::namespace;
use serde_json::{Value, json};
use std::path::Path;

pub(crate) const TESTS: &[Test] = &[
    ("why_names_the_cause_and_the_commands", causes),
    ("why_tells_the_truth_with_few_rights", rights),
];

const IMAGE: &str = "registry.test:5000/payments/app:1";
const TEXT: &str = "failed to resolve image: pull access denied, repository does not exist or may require authorization: authorization \
                    failed: no basic auth credentials";

/// The beginning of the output in `docs/diagnosis.md`.
const SHOWN: &str = "`kubectl pullgate why -n checkout api` prints:\n\n```text\n";

/// A pod and a Deployment with its selector, two Secrets, and a policy with a rule for the image.
const OBJECTS: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  nodeName: no-such-node
  terminationGracePeriodSeconds: 0
  imagePullSecrets: [SECRETS]
  containers: [{name: app, image: 'registry.test:5000/payments/app:1'}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 0
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: app, image: 'registry.test:5000/payments/app:1'}]}
";

const POLICY: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: pullgate-policy}
data:
  policy.yaml: |
    apiVersion: pullgate.dev/v1
    kind: PullPolicy
    registries: [{name: payments, images: ['registry.test:5000/payments'], secrets: [payments-pull]}]
";

/// Creates the namespace, the policy and a Secret of a type that the kubelet ignores.
fn prepare(plane: &ControlPlane, ns: &str) {
    namespace(plane, ns, "none", "");
    let done = |args: &[&str], stdin: &str| {
        let output = plane.kubectl(&[&["-n", ns], args].concat(), stdin);
        assert!(output.ok, "{args:?}: {}", output.stderr);
    };
    done(&["apply", "-f", "-"], POLICY);
    done(
        &[
            "create",
            "secret",
            "generic",
            "opaque",
            "--from-literal=a=b",
        ],
        "",
    );
}

/// Creates a pod that waits for its image.
fn waits(plane: &ControlPlane, ns: &str, name: &str, secrets: &[&str]) {
    let listed: Vec<_> = secrets
        .iter()
        .map(|name| format!("{{name: {name}}}"))
        .collect();
    let objects = OBJECTS
        .replace("NAME", name)
        .replace("SECRETS", &listed.join(", "));
    let done = |args: &[&str], stdin: &str| {
        let output = plane.kubectl(&[&["-n", ns], args].concat(), stdin);
        assert!(output.ok, "{args:?}: {}", output.stderr);
    };
    done(&["apply", "-f", "-"], &objects);
    let message = format!("Back-off pulling image \"{IMAGE}\": ErrImagePull: {TEXT}");
    let state = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
    let status = json!({"name": "app", "image": IMAGE, "imageID": "", "ready": false, "restartCount": 0, "state": state});
    let patch = json!({"status": {"containerStatuses": [status]}}).to_string();
    done(
        &[
            "patch",
            "pod",
            name,
            "--subresource=status",
            "--patch",
            &patch,
        ],
        "",
    );
}

fn why(kubeconfig: &str, ns: &str, args: &[&str]) -> (Option<i32>, Value) {
    let policy = format!("{ns}/pullgate-policy");
    let cluster = [
        "--kubeconfig",
        kubeconfig,
        "-n",
        ns,
        "--policy-configmap",
        &policy,
    ];
    let all = [&["why", "-o", "json"], &cluster[..], args].concat();
    let (code, stdout, stderr) = pullgate(&all, "");
    let answer = serde_json::from_str(&stdout);
    (code, answer.unwrap_or_else(|_| panic!("{all:?}: {stderr}")))
}

fn causes(plane: &ControlPlane) {
    let ns = "checkout";
    prepare(plane, ns);
    waits(plane, ns, "cart", &["gone"]);
    waits(plane, ns, "api", &["payments-pull"]);
    let kubeconfig = plane.kubeconfig().display().to_string();
    let opaque = [
        "-n",
        ns,
        "create",
        "secret",
        "generic",
        "payments-pull",
        "--from-literal=a=b",
    ];
    assert!(plane.kubectl(&opaque, "").ok);
    for (asked, expected) in [
        ("cart", "injection-missed"),
        ("api", "secret-wrong-type"),
        ("deployment/api", "secret-wrong-type"),
        ("deploy/cart", "injection-missed"),
    ] {
        let (code, answer) = why(&kubeconfig, ns, &[asked]);
        assert_eq!(code, Some(1));
        let image = &answer["pods"][0]["images"][0];
        assert_eq!(image["cause"], expected, "{answer:#}");
        assert_eq!(image["container"], "app");
        assert_eq!(answer["missing"], json!([]));
    }
    let (_, answer) = why(&kubeconfig, ns, &["api"]);
    let fix = &answer["pods"][0]["images"][0]["fix"];
    assert_eq!(
        *fix,
        json!([
            "kubectl -n checkout delete secret payments-pull",
            "kubectl -n checkout create secret docker-registry payments-pull --docker-server=registry.test:5000 \
         --docker-username=USER --docker-password=PASSWORD",
        ])
    );
    let (code, answer) = why(&kubeconfig, ns, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(answer["pods"].as_array().expect("a list").len(), 2);
    texts(&kubeconfig, ns);
    assert!(
        plane
            .kubectl(&["-n", ns, "delete", "pod", "--all", "--now"], "")
            .ok
    );
    assert_eq!(why(&kubeconfig, ns, &[]).0, Some(0), "no pod waits");
}

/// Compares the text for a person with `docs/diagnosis.md` (`BLESS=1` writes it there), and asserts the error for a pod that
/// does not exist.
fn texts(kubeconfig: &str, ns: &str) {
    let policy = format!("{ns}/pullgate-policy");
    let args = [
        "--kubeconfig",
        kubeconfig,
        "-n",
        ns,
        "--policy-configmap",
        &policy,
    ];
    let run = |pod: &str| pullgate(&[&["why"], &args[..], &[pod]].concat(), "");
    let (code, stdout, _) = run("api");
    assert_eq!(code, Some(1));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnosis.md");
    let page = std::fs::read_to_string(&file).expect("the page");
    let (head, rest) = page.split_once(SHOWN).expect("the output of why");
    let (shown, tail) = rest.split_once("```").expect("the end of the output");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, format!("{head}{SHOWN}{stdout}```{tail}")).expect("a file");
    } else {
        assert_eq!(
            shown, stdout,
            "docs/diagnosis.md is stale: write it with BLESS=1"
        );
    }
    let (code, _, stderr) = run("nothing");
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("pod nothing does not exist in namespace checkout"),
        "{stderr}"
    );
}

fn rights(plane: &ControlPlane) {
    let ns = "why-rights";
    prepare(plane, ns);
    waits(plane, ns, "api", &["opaque"]);
    let done = |args: &[&str]| {
        let output = plane.kubectl(&[&["-n", ns], args].concat(), "");
        assert!(output.ok, "{args:?}: {}", output.stderr);
        output.stdout
    };
    done(&["create", "serviceaccount", "on-call"]);
    done(&[
        "create",
        "role",
        "pods",
        "--verb=get,list",
        "--resource=pods",
    ]);
    done(&[
        "create",
        "rolebinding",
        "pods",
        "--role=pods",
        "--serviceaccount=why-rights:on-call",
    ]);
    let token = done(&["create", "token", "on-call"]);
    let admin = std::fs::read_to_string(plane.kubeconfig()).expect("a kubeconfig");
    let own = admin.replace("{token: admin}", &format!("{{token: {}}}", token.trim()));
    assert_ne!(admin, own);
    let file = plane.dir().join("on-call");
    std::fs::write(&file, own).expect("a file");
    let kubeconfig = file.display().to_string();
    let (code, answer) = why(&kubeconfig, ns, &["api"]);
    assert_eq!(code, Some(1));
    let image = &answer["pods"][0]["images"][0];
    assert_eq!(image["cause"], "no-secret", "{answer:#}");
    let candidates = json!([
        "secret-missing",
        "secret-wrong-type",
        "no-key-for-registry",
        "secret-came-later"
    ]);
    assert_eq!(image["candidates"], candidates);
    let missing = answer["missing"].as_array().expect("a list");
    let missing: Vec<_> = missing.iter().map(|right| &right["right"]).collect();
    assert_eq!(missing, ["get configmaps", "get secrets", "list events"]);
    let admin = plane.kubeconfig().display().to_string();
    let (_, answer) = why(&admin, ns, &["api"]);
    let cause = &answer["pods"][0]["images"][0]["cause"];
    assert_eq!(*cause, "injection-missed", "{answer:#}");
}
