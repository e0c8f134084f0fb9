//! Judgements as `kubectl` shows them, and what already runs.

use crate::Test;
use crate::control_plane::{ControlPlane, Output};
use crate::process::wait_for;
use crate::record::EVERY_REFERENCE;
use crate::webhook::Site;
use std::fmt::Write as _;
use std::path::Path;

pub(crate) const TESTS: &[Test] = &[
    ("denials_read_as_docs_messages_says", messages),
    ("promise_3_what_already_runs_keeps_running", keeps_running),
    ("running_deny_bites_where_controllers_create", running_deny),
    (
        "trap_15_an_old_offender_can_be_changed_and_deleted",
        ratchet,
    ),
    ("guard_warns_and_audits", warns_and_audits),
    ("trap_10_ephemeral_containers_are_judged", debug),
    ("guard_judges_a_dry_run_like_the_real_thing", dry_run),
    (
        "guard_tells_what_a_service_account_passes_on",
        service_accounts,
    ),
    (
        "guard_lets_exceptions_and_exempt_namespaces_through",
        exceptions,
    ),
    ("guard_refuses_a_bad_policy_config_map", policy_config_map),
    ("with_pullgate_down_what_runs_goes_on", pullgate_down),
    (
        "trap_20_match_conditions_can_always_be_evaluated",
        match_conditions,
    ),
];

const POLICY: &str = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}
  - {name: public, images: [docker.io/library], public: true}
bans:
  - name: legacy-shared
    secrets: [regcred-shared, 'legacy-*']
    reason: One expiry stopped 48 namespaces.
    instead: contoso-pull
    contact: '#platform-registry'
    docs: https://wiki.example.com/pull-secrets
";

fn pod(name: &str, more: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}"
    )
}

const BANNED: &str = ", imagePullSecrets: [{name: regcred-shared}]";

fn deployment(name: &str, more: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{selector: {{matchLabels: {{app: {name}}}}},
           template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}}}}}"
    )
}

fn cron_job(name: &str, schedule: &str, more: &str) -> String {
    format!(
        "{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: {name}}}, spec: {{schedule: '{schedule}', suspend: true, jobTemplate: {{spec: {{
           template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{restartPolicy: Never, containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}}}}}}}}}"
    )
}

#[expect(clippy::too_many_lines, reason = "a row for each message")]
/// Twelve denials side by side, in `docs/messages.md`: `BLESS=1` writes it, otherwise it has to be as it would be written.
fn messages(plane: &ControlPlane) {
    let site = Site::new(plane, "payments", &format!("unmatched: deny\n{POLICY}"));
    site.run(&["create", "serviceaccount", "legacy"]);
    let patch = "{\"imagePullSecrets\": [{\"name\": \"regcred-shared\"}]}";
    // Under another policy, so that the ServiceAccount can be an offender.
    site.set_policy("unmatched: allow\n");
    site.run(&["patch", "serviceaccount", "legacy", "-p", patch]);
    site.set_policy(&format!("unmatched: deny\n{POLICY}"));
    let no_advice = format!("unmatched: deny\n{POLICY}  - {{name: bare, secrets: [no-advice]}}\n");
    site.set_policy(&no_advice);
    let from_legacy = ", serviceAccountName: legacy";
    let kubectl_run = ["run", "api", "--image=quay.io/shop/api:1", "-v=0"];
    let cases: Vec<(&str, String, Output)> = vec![
        apply(
            &site,
            "A workload names a banned pull secret",
            deployment("api", BANNED),
        ),
        apply(&site, "A Pod does", pod("api", BANNED)),
        apply(
            &site,
            "A generated Pod does, beside a good one",
            pod(
                "x",
                ", imagePullSecrets: [{name: contoso-pull}, {name: legacy-one}]",
            )
            .replace("name: x", "generateName: api-"),
        ),
        apply(
            &site,
            "A CronJob does",
            cron_job("report", "0 3 * * *", BANNED),
        ),
        apply(
            &site,
            "The ban gives no advice",
            deployment("api", ", imagePullSecrets: [{name: no-advice}]"),
        ),
        apply(
            &site,
            "A secret is read by a container",
            deployment("api", "").replace(
                "image: contoso.azurecr.io/a",
                "image: contoso.azurecr.io/a, envFrom: [{secretRef: {name: legacy-one}}]",
            ),
        ),
        apply(
            &site,
            "The ServiceAccount of a workload passes one on",
            deployment("api", from_legacy),
        ),
        apply(
            &site,
            "A Pod got one from its ServiceAccount",
            pod("api", from_legacy),
        ),
        apply(
            &site,
            "A ServiceAccount lists one",
            format!(
                "{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: app}}, {}}}",
                &BANNED[2..]
            ),
        ),
        apply(
            &site,
            "An image that no rule covers (`unmatched: deny`)",
            deployment("api", "").replace("contoso.azurecr.io/a", "quay.io/shop/api:1"),
        ),
        (
            "`kubectl run` of such an image",
            format!("kubectl {}", kubectl_run[..3].join(" ")),
            site.kubectl(&kubectl_run),
        ),
        apply(
            &site,
            "Several findings",
            format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: api}}, spec: {EVERY_REFERENCE}}}"
            ),
        ),
    ];
    let mut text = String::from(MESSAGES_HEAD);
    for (title, input, output) in &cases {
        assert!(!output.ok, "{title}: admitted");
        assert!(output.stdout.is_empty(), "{title}: {output:?}");
        let shown = output.stderr.replace("\"STDIN\"", "\"api.yaml\"");
        let _ = write!(text, "\n## {title}\n\n```\n{}\n```\n", shown.trim_end());
        assert!(shown.contains("(Forbidden)"), "{title}: {input}\n{shown}");
    }
    compare(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/messages.md"),
        &text,
    );
}

const MESSAGES_HEAD: &str = "# What people read

Each refusal as `kubectl` prints it. The tests make this page on a real API server (`BLESS=1 cargo test --test cluster
messages` writes it), so it says what is so.
";

fn apply<'t>(site: &Site<'_>, title: &'t str, manifest: String) -> (&'t str, String, Output) {
    let output = site.kubectl_with(&["create", "-f", "-"], &manifest);
    (title, manifest, output)
}

fn compare(file: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    for (kept, now) in kept.lines().zip(text.lines()) {
        assert_eq!(
            kept,
            now,
            "{} is stale: write it with BLESS=1",
            file.display()
        );
    }
    assert_eq!(
        kept.len(),
        text.len(),
        "{} is stale: write it with BLESS=1",
        file.display()
    );
}

/// Trap 18: a policy edit must not become an outage.
fn keeps_running(plane: &ControlPlane) {
    let site = Site::new(plane, "keeps-running", "");
    offenders(&site);
    site.set_policy(POLICY);
    assert!(
        !site.apply(&deployment("new", BANNED)).ok,
        "a new offender is refused"
    );
    site.run(&["scale", "deployment", "web", "--replicas=3"]);
    site.wait_for_pods("app=web", 3);
    // As an HPA does it: through the scale subresource.
    site.run(&[
        "patch",
        "deployment",
        "web",
        "--subresource=scale",
        "-p",
        "{\"spec\": {\"replicas\": 4}}",
    ]);
    site.wait_for_pods("app=web", 4);
    let before: Vec<String> = site.pods("app=web").iter().map(name).collect();
    site.run(&["delete", "pod", &before[0], "--grace-period=0", "--force"]);
    wait_for("a pod in its place", || {
        let now: Vec<String> = site.pods("app=web").iter().map(name).collect();
        now.len() == 4 && now.iter().any(|name| !before.contains(name))
    });
    let restarted = "app=web,pod-template-hash!=".to_owned() + &hash(&site.pods("app=web")[0]);
    site.run(&["rollout", "restart", "deployment/web"]);
    wait_for("pods of the new revision", || {
        !site.pods(&restarted).is_empty()
    });
    tick(&site);
    wait_for("the CronJob ticks", || !site.pods("app=cron").is_empty());
    let audit = plane.audit_log();
    let kept = "\"inject.pullgate.dev/ban.legacy-shared\":\"admitted, workload was admitted earlier: \\\"regcred-shared\\\"\"";
    assert!(
        audit
            .lines()
            .any(|line| line.contains("keeps-running") && line.contains(kept)),
        "no audit annotation"
    );
    site.run(&["label", "deployment", "web", "color=blue"]);
    let output = plane.kubectl(
        &["delete", "namespace", "keeps-running", "--wait=false"],
        "",
    );
    assert!(output.ok, "{output:?}");
    wait_for("all pods are gone", || {
        // No kubelet is here to end them.
        site.kubectl(&["delete", "pods", "--all", "--grace-period=0", "--force"]);
        !plane.kubectl(&["get", "namespace", "keeps-running"], "").ok
    });
}

fn offenders(site: &Site<'_>) {
    site.applied(&deployment("web", BANNED));
    site.applied(&cron_job("cron", "* * * * *", BANNED));
    site.wait_for_pods("app=web", 1);
}

/// Lets the CronJob run, which is an update of an old offender too.
fn tick(site: &Site<'_>) {
    site.run(&[
        "patch",
        "cronjob",
        "cron",
        "-p",
        "{\"spec\": {\"suspend\": false}}",
    ]);
}

fn name(object: &serde_json::Value) -> String {
    object["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned()
}

fn hash(pod: &serde_json::Value) -> String {
    pod["metadata"]["labels"]["pod-template-hash"]
        .as_str()
        .expect("a hash")
        .to_owned()
}

fn running_deny(plane: &ControlPlane) {
    let site = Site::new(plane, "running-deny", "");
    offenders(&site);
    let before = name(&site.pods("app=web")[0]);
    site.set_policy(&format!("{POLICY}    running: deny\n"));
    // The workload itself may be changed, and its controller is told why nothing comes of it.
    site.run(&["scale", "deployment", "web", "--replicas=2"]);
    let says = |what: &str| {
        wait_for(what, || {
            site.run(&["get", "events", "-o", "jsonpath={.items[*].message}"])
                .contains(what)
        });
    };
    says("admission webhook \"inject.pullgate.dev\" denied the request: Pod running-deny/web-");
    says("(of ReplicaSet web-");
    site.run(&["rollout", "restart", "deployment/web"]);
    site.run(&["delete", "pod", &before, "--grace-period=0", "--force"]);
    tick(&site);
    wait_for("the CronJob ticks", || {
        !site.run(&["get", "jobs", "-o", "name"]).is_empty()
    });
    says("Pod running-deny/cron-");
    assert!(
        site.pods("app=web").is_empty(),
        "a pod was made in place of the deleted one"
    );
    assert!(site.pods("app=cron").is_empty(), "the CronJob made a pod");
}

fn ratchet(plane: &ControlPlane) {
    let site = Site::new(plane, "ratchet", "");
    site.applied(&deployment("web", BANNED));
    site.applied("{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}, imagePullSecrets: [{name: regcred-shared}]}");
    site.set_policy(POLICY);
    // What is not judged is not asked about, so that it also goes on while Pullgate is down.
    let output = site.kubectl(&["label", "deployment", "web", "color=blue"]);
    assert!(output.ok && output.stderr.is_empty(), "{output:?}");
    let output = site.kubectl(&["set", "image", "deployment/web", "c=contoso.azurecr.io/b"]);
    assert!(output.ok, "{output:?}");
    assert_eq!(
        output.stderr,
        "Warning: Deployment ratchet/web: spec.template.spec.imagePullSecrets[0] names \"regcred-shared\", banned by \"legacy-shared\"; it was there before; use \"contoso-pull\"\n"
    );
    site.run(&["annotate", "serviceaccount", "app", "note=1"]);
    site.run(&[
        "patch",
        "deployment",
        "web",
        "-p",
        "{\"metadata\": {\"finalizers\": [\"test.pullgate.dev/wait\"]}}",
    ]);
    // The same secret elsewhere is no new offence, another one is.
    let env = |secret: &str| {
        format!(
            "{{\"spec\": {{\"template\": {{\"spec\": {{\"containers\": [{{\"name\": \"c\", \"envFrom\": [{{\"secretRef\": {{\"name\": \"{secret}\"}}}}]}}]}}}}}}}}"
        )
    };
    site.run(&["patch", "deployment", "web", "-p", &env("regcred-shared")]);
    let output = site.kubectl(&["patch", "deployment", "web", "-p", &env("legacy-two")]);
    assert!(
        !output.ok
            && output
                .stderr
                .contains("envFrom[0].secretRef names \"legacy-two\""),
        "{output:?}"
    );
    site.run(&["delete", "deployment", "web", "--wait=false"]);
    // It is being deleted: even a new reference is of no interest any more.
    site.run(&["patch", "deployment", "web", "-p", &env("legacy-two")]);
    site.run(&[
        "patch",
        "deployment",
        "web",
        "--type=json",
        "-p",
        "[{\"op\": \"remove\", \"path\": \"/metadata/finalizers\"}]",
    ]);
    wait_for("the deployment is gone", || {
        !site.kubectl(&["get", "deployment", "web"]).ok
    });
}

fn warns_and_audits(plane: &ControlPlane) {
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
        "Warning: Pod warns/other: spec.containers[0].image \"quay.io/a\" is covered by no registry rule\n"
    );
    let output =
        site.applied(&pod("bad", "").replace("contoso.azurecr.io/a", "Contoso.azurecr.io/A"));
    assert_eq!(
        output.stderr,
        "Warning: Pod warns/bad: spec.containers[0].image \"Contoso.azurecr.io/A\" is no image reference (invalid reference format: repository name (A) must be lowercase)\n"
    );
}

fn debug(plane: &ControlPlane) {
    let site = Site::new(plane, "debug", &format!("unmatched: deny\n{POLICY}"));
    site.applied("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}");
    let debug = |args: &[&str]| site.kubectl(&[&["debug", "web", "--container"], args].concat());
    let output = debug(&["one", "--image=quay.io/tools"]);
    assert!(
        !output.ok
            && output.stderr.contains(
                "spec.ephemeralContainers[0].image \"quay.io/tools\" is covered by no registry rule"
            ),
        "{output:?}"
    );
    let custom = site.file("custom.json");
    std::fs::write(
        &custom,
        "{\"envFrom\": [{\"secretRef\": {\"name\": \"legacy-one\"}}]}",
    )
    .expect("a file");
    let output = debug(&[
        "two",
        "--image=nginx",
        "--custom",
        &custom.display().to_string(),
    ]);
    assert!(
        !output.ok
            && output
                .stderr
                .contains("spec.ephemeralContainers[0].envFrom[0].secretRef names \"legacy-one\""),
        "{output:?}"
    );
    let output = debug(&["three", "--image=contoso.azurecr.io/tools"]);
    assert!(output.ok, "{output:?}");
    assert!(
        output.stderr.contains("Warning: Pod debug/web: spec.ephemeralContainers[0].image needs \"contoso-pull\" (rule \"contoso\"), too late for this pod: use an image that it can pull"),
        "{output:?}"
    );
    let output = debug(&["four", "--image=nginx"]);
    assert!(
        output.ok && !output.stderr.contains("Warning"),
        "{output:?}"
    );
}

fn dry_run(plane: &ControlPlane) {
    let site = Site::new(plane, "dry-run", POLICY);
    let output = site.kubectl_with(
        &["apply", "--dry-run=server", "-f", "-"],
        &deployment("web", BANNED),
    );
    assert!(
        !output.ok
            && output
                .stderr
                .contains("denied the request: Deployment dry-run/web: "),
        "{output:?}"
    );
    let output = site.kubectl_with(
        &["apply", "--dry-run=server", "-o", "yaml", "-f", "-"],
        &pod("good", ""),
    );
    assert!(
        output.ok && output.stdout.contains("name: contoso-pull"),
        "{output:?}"
    );
    assert!(!site.kubectl(&["get", "pod", "good"]).ok);
}

fn service_accounts(plane: &ControlPlane) {
    let site = Site::new(plane, "passes-on", "");
    site.applied("{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}, imagePullSecrets: [{name: other}, {name: legacy-one}]}");
    site.set_policy(POLICY);
    // A template with pull secrets of its own switches those of the ServiceAccount off.
    site.applied(&deployment(
        "own",
        ", serviceAccountName: app, imagePullSecrets: [{name: mine}]",
    ));
    let output = site.apply(&deployment("web", ", serviceAccountName: app"));
    let expected = "Deployment passes-on/web: spec.template.spec.serviceAccountName \"app\" passes \"legacy-one\" on to the pods, banned by \"legacy-shared\"";
    assert!(!output.ok && output.stderr.contains(expected), "{output:?}");
    assert!(
        output
            .stderr
            .contains("(kubectl edit serviceaccount app -n passes-on)"),
        "{output:?}"
    );
    let output = site.apply(&pod("web", ", serviceAccountName: app"));
    assert!(
        !output.ok
            && output
                .stderr
                .contains("inherited from ServiceAccount \"app\""),
        "{output:?}"
    );
    // What the message says is what helps, and it helps at once.
    site.run(&[
        "patch",
        "serviceaccount",
        "app",
        "-p",
        "{\"imagePullSecrets\": [{\"name\": \"other\"}]}",
    ]);
    wait_for("the deployment is admitted", || {
        site.apply(&deployment("web", ", serviceAccountName: app"))
            .ok
    });
}

fn exceptions(plane: &ControlPlane) {
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

fn policy_config_map(plane: &ControlPlane) {
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
        "ConfigMap policy-edit/pullgate-policy: 3 findings\n",
        "- policy.yaml:3:12: unmatched: \"maybe\" is not one of `allow`, `warn`, `deny`",
        "- policy.yaml:4:18: bans[0].secret: unknown key `secret` (did you mean `secrets`?)",
    ] {
        assert!(output.stderr.contains(expected), "{expected}\n{output:?}");
    }
    // One that was bad before the webhook came: what does not change it passes.
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
    assert!(!refused(), "another name is another ConfigMap");
    assert!(early(&["label", "configmap", "pullgate-policy", "color=blue"], "").ok);
    assert!(!early(&["apply", "-f", "-"], &policy("    unmatched: perhaps\n")).ok);
}

/// Nothing that is in place needs Pullgate to go on; only what people apply waits for it.
fn pullgate_down(plane: &ControlPlane) {
    let mut site = Site::new(plane, "down", POLICY);
    site.applied(&deployment("web", ""));
    site.wait_for_pods("app=web", 1);
    site.end_server();
    site.run(&["scale", "deployment", "web", "--replicas=3"]);
    site.wait_for_pods("app=web", 3);
    let output = site.apply(&deployment("new", ""));
    assert!(
        !output.ok
            && output
                .stderr
                .contains("failed calling webhook \"guard.pullgate.dev\""),
        "{output:?}"
    );
    let output = plane.kubectl(&["create", "namespace", "down-too"], "");
    assert!(output.ok, "{output:?}");
    let output = plane.kubectl(
        &["label", "namespace", "down-too", "pullgate-test=down"],
        "",
    );
    assert!(output.ok, "{output:?}");
    wait_for("the default ServiceAccount", || {
        plane
            .kubectl(&["-n", "down-too", "get", "sa", "default"], "")
            .ok
    });
}

/// Under `Fail` an expression that cannot be evaluated is a refusal; and only controllers are let through, not whoever
/// writes what they write.
fn match_conditions(plane: &ControlPlane) {
    let site = Site::new(plane, "conditions", POLICY);
    let owned = |name: &str, owner: &str, more: &str| {
        let owner = format!(
            "{{apiVersion: apps/v1, kind: ReplicaSet, name: x, uid: 11111111-2222-3333-4444-555555555555{owner}}}"
        );
        pod(name, more).replace(
            &format!("{{name: {name}}}"),
            &format!("{{name: {name}, ownerReferences: [{owner}]}}"),
        )
    };
    let controller = "--as=system:serviceaccount:kube-system:replicaset-controller";
    let create = |user: &[&str], manifest: &str| {
        site.kubectl_with(
            &[&["create", "--dry-run=server", "-f", "-"], user].concat(),
            manifest,
        )
    };
    for (name, manifest) in [
        ("alone", pod("alone", "")),
        ("owned", owned("owned", "", "")),
        ("controlled", owned("controlled", ", controller: true", "")),
    ] {
        for user in [&[controller][..], &[]] {
            let output = create(user, &manifest);
            assert!(output.ok, "{name}: {output:?}");
        }
    }
    let denied = |user: &[&str], manifest: &str| {
        create(user, manifest)
            .stderr
            .contains("guard.pullgate.dev\" denied the request")
    };
    assert!(
        denied(&[], &owned("forged", ", controller: true", BANNED)),
        "anyone can write an ownerReference"
    );
    assert!(
        denied(&[controller], &pod("alone", BANNED)),
        "it belongs to no workload that was judged"
    );
    assert!(create(&[controller], &owned("kept", ", controller: true", BANNED)).ok);
}
