//! Tests of the policy: its modes, its exceptions, and its ConfigMap.

use super::{BANNED, POLICY, deployment, pod};
use crate::control_plane::ControlPlane;
use crate::process::wait_for;
use crate::webhook::Site;

pub(super) fn warns_and_audits(plane: &ControlPlane) {
    let policy = "
unmatched: warn
registries: [{name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}]
bans:
  - {name: soft, secrets: [soft-one], mode: warn, instead: contoso-pull, reason: It ends in May.}
  - {name: quiet, secrets: [quiet-one], mode: audit}
";
    let site = Site::new(plane, "warns", policy);
    let output = site.applied(&pod("soft", ", imagePullSecrets: [{name: soft-one}]"));
    assert_eq!(
        output.stderr,
        "Warning: Pod warns/soft: spec.imagePullSecrets[0] names \"soft-one\", banned by \"soft\"; use \"contoso-pull\" (It ends in May.)\n"
    );
    let output = site.applied(&pod("quiet", ", imagePullSecrets: [{name: quiet-one}]"));
    assert_eq!(output.stderr, "");
    let annotation = "\"guard.pullgate.dev/ban.quiet\":\"audited \\\"quiet-one\\\"\"";
    assert!(
        plane.audit_log().contains(annotation),
        "no audit annotation"
    );
    let output = site.applied(&pod("other", "").replace("contoso.azurecr.io/a", "quay.io/a"));
    assert_eq!(
        output.stderr,
        "Warning: Pod warns/other: spec.containers[0].image \"quay.io/a\" is not covered by a registry rule\n"
    );
    let output =
        site.applied(&pod("bad", "").replace("contoso.azurecr.io/a", "Contoso.azurecr.io/A"));
    assert_eq!(
        output.stderr,
        "Warning: Pod warns/bad: spec.containers[0].image \"Contoso.azurecr.io/A\" is not a valid image reference: its repository has upper-case letters\n"
    );
}

pub(super) fn exceptions(plane: &ControlPlane) {
    let policy = format!(
        "{POLICY}
exceptions:
  - {{bans: [legacy-shared], namespaces: {{names: [lifted]}}, owner: me@example.com, reason: PAY-1, expires: 2099-01-31}}
  - {{bans: [legacy-shared], namespaces: {{names: [expired]}}, owner: me@example.com, reason: PAY-2, expires: 2020-01-31}}
exempt: {{namespaces: {{labels: {{matchLabels: {{tier: infra}}}}}}}}
"
    );
    let site = Site::new(plane, "excepted", &policy);
    site.namespace("lifted", "");
    site.namespace("expired", "");
    site.namespace("exempt", "tier: infra");
    let apply = |namespace: &str| {
        plane.kubectl(
            &["-n", namespace, "apply", "-f", "-"],
            &deployment("web", BANNED),
        )
    };
    let output = apply("lifted");
    assert!(output.ok, "{output:?}");
    assert_eq!(
        output.stderr,
        "Warning: ban \"legacy-shared\" is lifted until 2099-01-31 for me@example.com (PAY-1)\n"
    );
    assert!(!apply("expired").ok);
    let output = apply("exempt");
    assert!(output.ok && output.stderr.is_empty(), "{output:?}");
    let output = plane.kubectl(
        &["-n", "exempt", "apply", "-o", "yaml", "-f", "-"],
        &pod("alone", ""),
    );
    assert!(
        output.ok && !output.stdout.contains("contoso-pull"),
        "{output:?}"
    );
}

pub(super) fn policy_config_map(plane: &ControlPlane) {
    let site = Site::new(plane, "policy-edit", "");
    let policy = |body: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pullgate-policy}}\ndata:\n  policy.yaml: |\n    apiVersion: pullgate.dev/v1\n    kind: PullPolicy\n{body}"
        )
    };
    site.applied(&policy("    unmatched: warn\n"));
    let output = site.apply(&policy(
        "    unmatched: maybe\n    bans: [{name: a, secret: [b]}]\n",
    ));
    assert!(!output.ok);
    for expected in [
        "ConfigMap policy-edit/pullgate-policy: 2 findings\n",
        "- policy.yaml:3:12: unmatched: \"maybe\" is not one of `allow`, `warn`, `deny`",
        "- policy.yaml:4:18: bans[0].secret: unknown key `secret` (did you mean `secrets`?)",
    ] {
        assert!(output.stderr.contains(expected), "{expected}\n{output:?}");
    }
    // A ConfigMap that was bad before the webhook was registered may be changed as long as its policy stays the same.
    assert!(
        plane
            .kubectl(&["create", "namespace", "policy-early"], "")
            .ok
    );
    let early = |args: &[&str], stdin: &str| {
        plane.kubectl(&[&["-n", "policy-early"], args].concat(), stdin)
    };
    let bad = policy("    unmatched: maybe\n");
    assert!(early(&["create", "-f", "-"], &bad).ok);
    site.namespace("policy-early", "");
    let refused = || {
        !early(
            &["create", "--dry-run=server", "-f", "-"],
            &bad.replace("pullgate-policy", "pullgate-policy-x"),
        )
        .ok
    };
    assert!(
        !refused(),
        "a ConfigMap with another name is not the policy"
    );
    assert!(early(&["label", "configmap", "pullgate-policy", "color=blue"], "").ok);
    assert!(!early(&["apply", "-f", "-"], &policy("    unmatched: perhaps\n")).ok);
}

/// The policy of `docs/admission`: a user who may label namespaces cannot set the labels that lift bans.
pub(super) fn labels_that_lift_bans(plane: &ControlPlane) {
    let manifest = include_str!("../../../docs/admission/namespace-labels.yaml");
    let output = plane.kubectl(&["apply", "-f", "-"], manifest);
    assert!(output.ok && output.stderr.is_empty(), "{output:?}");
    let labels = |name: &str, labels: &str| {
        format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{{labels}}}}}}}"
        )
    };
    let (lifts, other) = ("example.com/pull-secrets: any", "team: shop");
    let apply = |manifest: &str, more: &[&str]| {
        plane.kubectl(&[&["apply", "-f", "-"], more].concat(), manifest)
    };
    let owner = [
        "--as=jane",
        "--as-group=platform-team",
        "--as-group=system:masters",
    ];
    wait_for("the API server knows the policy", || {
        let output = apply(&labels("lifts", lifts), &["--dry-run=server"]);
        !output.ok
            && output.stderr.contains(
                "the labels example.com/pull-secrets decide where bans of pull secrets are lifted",
            )
    });
    // The user may set any other label, and may keep a label that an owner of the policy has set.
    assert!(apply(&labels("lifts", other), &[]).ok);
    assert!(!apply(&labels("lifts", lifts), &[]).ok);
    assert!(apply(&labels("lifts", lifts), &owner).ok);
    assert!(
        plane
            .kubectl(&["label", "namespace", "lifts", "team=shop"], "")
            .ok
    );
    let remove = ["label", "namespace", "lifts", "example.com/pull-secrets-"];
    assert!(!plane.kubectl(&remove, "").ok);
}
