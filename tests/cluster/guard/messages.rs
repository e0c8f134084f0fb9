//! Tests of the denials that `kubectl` prints. All of them are in docs/messages.md.

use super::{BANNED, POLICY, cron_job, deployment, pod};
use crate::control_plane::{ControlPlane, Output};
use crate::record::EVERY_REFERENCE;
use crate::webhook::Site;
use std::fmt::Write as _;
use std::path::Path;

#[expect(clippy::too_many_lines, reason = "one row per message")]
/// Compares twelve denials with `docs/messages.md`; with `BLESS=1`, writes that file.
pub(super) fn messages(plane: &ControlPlane) {
    let site = Site::new(plane, "payments", &format!("unmatched: deny\n{POLICY}"));
    site.run(&["create", "serviceaccount", "legacy"]);
    let patch = "{\"imagePullSecrets\": [{\"name\": \"regcred-shared\"}]}";
    // The policy has no bans for a moment, so that the ServiceAccount can be given a banned secret.
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
        apply(
            &site,
            "A Pod names a banned pull secret",
            pod("api", BANNED),
        ),
        apply(
            &site,
            "A generated Pod names a banned pull secret beside a good one",
            pod(
                "x",
                ", imagePullSecrets: [{name: contoso-pull}, {name: legacy-one}]",
            )
            .replace("name: x", "generateName: api-"),
        ),
        apply(
            &site,
            "A CronJob names a banned pull secret",
            cron_job("report", "0 3 * * *", BANNED),
        ),
        apply(
            &site,
            "The ban gives no advice",
            deployment("api", ", imagePullSecrets: [{name: no-advice}]"),
        ),
        apply(
            &site,
            "A container reads a banned secret",
            deployment("api", "").replace(
                "image: contoso.azurecr.io/a",
                "image: contoso.azurecr.io/a, envFrom: [{secretRef: {name: legacy-one}}]",
            ),
        ),
        apply(
            &site,
            "The ServiceAccount of a workload passes on a banned pull secret",
            deployment("api", from_legacy),
        ),
        apply(
            &site,
            "A Pod inherits a banned pull secret from its ServiceAccount",
            pod("api", from_legacy),
        ),
        apply(
            &site,
            "A ServiceAccount lists a banned pull secret",
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

const MESSAGES_HEAD: &str = "# The messages of a refusal

Each refusal as `kubectl` prints it. A test on a real API server compares this page with the output
(`BLESS=1 cargo test --test cluster messages` writes it).
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
