//! Tests of the manifests that the chart renders.

use crate::combinations::COMBINATIONS;
use crate::{HELM, blessed, chart, documents, helm, of_kind, render};
use clap::Parser;
use pullgate::commands::cli::Cli;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;

/// The oldest and the newest version of Kubernetes that the chart supports.
const MINORS: RangeInclusive<u32> = 28..=37;

/// Trap 13: rendering generates no random or changing values, so two renderings are equal and GitOps sees no change.
/// Other tests register the webhooks in this file.
#[test]
fn trap_13_the_defaults_render_as_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chart/default.yaml");
    blessed(&path, &render(&[]));
    assert_eq!(render(&[]), render(&[]));
    for file in std::fs::read_dir(chart().join("templates"))
        .expect("a folder")
        .flatten()
    {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        assert_eq!(changing(&text), [""; 0], "{:?}", file.path());
    }
    for (template, found) in [
        ("{{ randAlphaNum 8 }}", "randAlphaNum"),
        ("{{- now }}", "now"),
        (
            "{{ (lookup \"v1\" \"Secret\" \"a\" \"b\").data }}",
            "lookup",
        ),
        ("{{ genCA \"a\" 365 | toYaml }}", "genCA"),
        ("a: {{ .Values.a }} # {{ uuidv4 }}", "uuidv4"),
    ] {
        assert_eq!(changing(template), [found], "{template}");
    }
    assert_eq!(changing("random: {{ .Values.now }} now"), [""; 0]);
}

/// Returns the functions in a template that give a different value at each rendering.
fn changing(template: &str) -> Vec<&str> {
    let parts = template.split("{{").skip(1);
    let expressions = parts.filter_map(|part| part.split("}}").next());
    // `.Values.now` is a value, not a function.
    let is_between = |c: char| !c.is_ascii_alphanumeric() && c != '.';
    let words = expressions.flat_map(|expression| expression.split(is_between));
    let changes = |word: &&str| {
        [
            "now",
            "lookup",
            "uuidv4",
            "htpasswd",
            "bcrypt",
            "getHostByName",
            "buildCustomCert",
        ]
        .contains(word)
            || ["rand", "gen"].iter().any(|start| {
                let rest = word.strip_prefix(start);
                rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
            })
    };
    words.filter(changes).collect()
}

/// The rendered objects have only fields that every supported version of Kubernetes knows.
#[test]
fn every_combination_is_valid_for_every_kubernetes() {
    let mut known = BTreeSet::new();
    for values in COMBINATIONS {
        let lint = helm(&["lint", "--strict"], values);
        let told = String::from_utf8_lossy(&lint.stdout);
        assert!(lint.status.success(), "{values:?}: {told}");
        // Objects defined by CRDs are left out: no schema is available here. Most objects are equal in most
        // combinations, hence the set.
        let documents = documents(&render(values)).into_iter().filter(|document| {
            let version = document["apiVersion"].as_str().expect("a text");
            !version.contains("cert-manager.io") && !version.contains("monitoring.coreos.com")
        });
        known.extend(documents.map(|document| document.to_string()));
    }
    assert_valid(&known, MINORS);
}

/// The example policy of docs/operations.md is for Kubernetes 1.30 and newer.
#[test]
fn the_admission_policy_to_copy_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/admission/namespace-labels.yaml");
    let text = std::fs::read_to_string(path).expect("the file");
    let known = documents(&text).iter().map(ToString::to_string).collect();
    assert_valid(&known, 30..=*MINORS.end());
}

/// Validates objects (JSON) against the schemas of Kubernetes.
fn assert_valid(objects: &BTreeSet<String>, minors: RangeInclusive<u32>) {
    let dir = tempfile::tempdir().expect("a folder");
    for (number, text) in objects.iter().enumerate() {
        std::fs::write(dir.path().join(format!("{number}.json")), text).expect("a file");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/validate");
    let versions = minors.map(|minor| format!("1.{minor}"));
    let output = Command::new(script)
        .arg(dir.path())
        .args(versions)
        .output()
        .expect("bash");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The program accepts every flag that the chart renders.
#[test]
fn the_program_takes_every_argument_that_is_rendered() {
    for values in COMBINATIONS {
        let text = render(values);
        let pods = [("Deployment", "/spec/template/spec"), ("Pod", "/spec")];
        for (kind, spec) in pods {
            for workload in of_kind(&text, kind) {
                let container = workload.pointer(spec).expect("a spec")["containers"][0].clone();
                let args = container["args"].as_array().expect("arguments").clone();
                let args = args.iter().map(|arg| arg.as_str().expect("a text"));
                let parsed = Cli::try_parse_from(std::iter::once("pullgate").chain(args));
                assert!(
                    parsed.is_ok(),
                    "{values:?}: {}",
                    parsed.expect_err("an error")
                );
            }
        }
    }
}

/// In managed mode Pullgate writes the caBundle itself. With a rendered caBundle, each upgrade would remove the one
/// that Pullgate wrote.
#[test]
fn a_ca_bundle_is_rendered_only_where_it_is_provided() {
    let rendered = |values: &[&str]| render(values).contains("caBundle:");
    assert!(!rendered(&[]) && !rendered(&["tls.mode=cert-manager"]));
    let provided = render(&[
        "tls.mode=provided",
        "tls.provided.secretName=mine",
        "tls.provided.caBundle=PEM",
    ]);
    assert_eq!(provided.matches("caBundle: UEVN").count(), 3);
    let injected = render(&["tls.mode=cert-manager"]);
    assert_eq!(
        injected
            .matches("cert-manager.io/inject-ca-from: pullgate/pullgate-tls")
            .count(),
        2
    );
}

/// One value feeds both places: every controller that is excluded in the API server must also be known to Pullgate.
#[test]
fn extra_controllers_are_in_the_condition_and_in_the_arguments() {
    let user = "system:serviceaccount:platform:job-runner";
    let text = render(&[&format!("extraControllers[0]={user}")]);
    assert_eq!(text.matches(&format!("'{user}'")).count(), 1);
    assert!(text.contains(&format!("- \"--controller={user}\"")));
}

/// Flux appends build metadata with a commit to the version.
#[test]
fn a_version_with_build_metadata_renders_valid_labels() {
    let dir = tempfile::tempdir().expect("a folder");
    let args = ["package", "--version", "0.1.0+abc123", "--destination"];
    let package = Command::new(&*HELM)
        .args(args)
        .arg(dir.path())
        .arg(chart())
        .output()
        .expect("helm");
    assert!(package.status.success(), "{package:?}");
    let rendered = Command::new(&*HELM)
        .args(["template", "123"])
        .arg(dir.path().join("pullgate-0.1.0+abc123.tgz"))
        .output()
        .expect("helm");
    let text = String::from_utf8(rendered.stdout).expect("UTF-8");
    assert!(text.contains("helm.sh/chart: pullgate-0.1.0_abc123") && !text.contains("+abc123"));
    assert!(text.contains("app.kubernetes.io/instance: \"123\""));
}

/// Returns the pod specs of the Deployment and of the `helm test` Pod.
fn pod_specs(text: &str) -> Vec<Value> {
    let deployment = of_kind(text, "Deployment")[0]["spec"]["template"]["spec"].clone();
    vec![deployment, of_kind(text, "Pod")[0]["spec"].clone()]
}

/// `OpenShift` gives each namespace a range of ids, and refuses pods with ids outside that range.
#[test]
fn null_drops_the_fixed_ids() {
    for spec in pod_specs(&render(&[])) {
        assert_eq!(spec["securityContext"]["runAsUser"], 65532);
        assert_eq!(spec["securityContext"]["fsGroup"], 65532);
    }
    let open_shift = render(&[
        "podSecurityContext.runAsUser=null",
        "podSecurityContext.runAsGroup=null",
        "podSecurityContext.fsGroup=null",
    ]);
    for spec in pod_specs(&open_shift) {
        let kept = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        assert_eq!(spec["securityContext"], kept);
        let container = &spec["containers"][0]["securityContext"];
        assert_eq!(container["capabilities"]["drop"], json!(["ALL"]));
    }
    for spec in pod_specs(&render(&[
        "podSecurityContext=null",
        "securityContext=null",
    ])) {
        assert!(spec["securityContext"].is_null());
        assert!(spec["containers"][0]["securityContext"].is_null());
    }
}

/// With failurePolicy `Fail`, nodes must not evict Pullgate first. On GKE, pods of such a priority class need a quota.
#[test]
fn the_pods_are_critical_and_have_a_quota() {
    let class = |values: &[&str]| {
        let text = render(values);
        let class = pod_specs(&text)[0]["priorityClassName"].clone();
        let quotas = of_kind(&text, "ResourceQuota");
        let allowed = quotas.first().map(|quota| {
            let scope = &quota["spec"]["scopeSelector"]["matchExpressions"][0];
            assert_eq!(scope["scopeName"], "PriorityClass");
            assert_eq!(scope["values"], json!([class]));
            quota["spec"]["hard"]["pods"].clone()
        });
        (class.as_str().map(str::to_owned), allowed)
    };
    let critical = Some("system-cluster-critical".to_owned());
    assert_eq!(class(&[]), (critical.clone(), Some(json!(100))));
    assert_eq!(class(&["resourceQuota.pods=5"]).1, Some(json!(5)));
    assert_eq!(class(&["resourceQuota.enabled=false"]), (critical, None));
    let own = class(&["priorityClassName=platform"]);
    assert_eq!(own, (Some("platform".to_owned()), None));
    assert_eq!(class(&["priorityClassName="]), (None, None));
}

/// The spread counts only nodes that take pods, and each revision on its own. Otherwise an upgrade would not fit on the
/// only node that is left.
#[test]
fn replicas_are_spread_over_the_nodes_that_take_pods() {
    let spec = pod_specs(&render(&[]))[0].clone();
    let constraints = spec["topologySpreadConstraints"]
        .as_array()
        .expect("a list");
    let told: Vec<_> = constraints
        .iter()
        .map(|constraint| {
            assert_eq!(constraint["nodeTaintsPolicy"], "Honor");
            assert_eq!(constraint["matchLabelKeys"], json!(["pod-template-hash"]));
            (&constraint["topologyKey"], &constraint["whenUnsatisfiable"])
        })
        .collect();
    assert_eq!(
        told,
        [
            (&json!("kubernetes.io/hostname"), &json!("DoNotSchedule")),
            (
                &json!("topology.kubernetes.io/zone"),
                &json!("ScheduleAnyway")
            ),
        ]
    );
    let own = render(&["topologySpreadConstraints[0].topologyKey=rack"]);
    assert_eq!(
        pod_specs(&own)[0]["topologySpreadConstraints"],
        json!([{"topologyKey": "rack"}])
    );
}

#[test]
fn the_network_policy_lets_in_the_peers_of_each_port() {
    let policy = |values: &[&str]| {
        let values = [&["networkPolicy.enabled=true"], values].concat();
        of_kind(&render(&values), "NetworkPolicy")[0]["spec"]["ingress"].clone()
    };
    let rule = |port: u16| json!({"ports": [{"port": port, "protocol": "TCP"}]});
    assert_eq!(policy(&[]), json!([rule(8443), rule(8080)]));
    let found = policy(&[
        "networkPolicy.webhookFrom[0].ipBlock.cidr=10.0.0.0/28",
        "networkPolicy.webhookFrom[1].podSelector.matchLabels.k8s-app=konnectivity-agent",
    ]);
    let mut webhook = rule(8443);
    webhook["from"] = json!([
        {"ipBlock": {"cidr": "10.0.0.0/28"}},
        {"podSelector": {"matchLabels": {"k8s-app": "konnectivity-agent"}}},
    ]);
    assert_eq!(found, json!([webhook, rule(8080)]));
    let found = policy(&["networkPolicy.adminFrom[0].podSelector.matchLabels.app=prometheus"]);
    assert_eq!(found[0], rule(8443));
    assert_eq!(
        found[1]["from"][0]["podSelector"]["matchLabels"]["app"],
        "prometheus"
    );
}
