//! The webhooks of one test, registered from the files of the chart for that test's namespaces only.

use crate::control_plane::{ControlPlane, Output};
use crate::process::{Process, wait_for};
use pullgate::tls::self_signed::SelfSigned;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The label that names the test of a namespace.
pub(crate) const LABEL: &str = "pullgate-test";
/// A policy that shows when the API server knows the webhooks of a test.
const PROBE: &str = "
registries: [{name: probe, images: [probe.test], secrets: [probe-pull]}]
bans: [{name: probe, secrets: [probe-banned]}]
";

/// The site of one test: its namespaces, its Pullgate process, and its webhooks.
pub(crate) struct Site<'c> {
    plane: &'c ControlPlane,
    name: String,
    policy: PathBuf,
    server: Process,
}

/// The address of a webhook server, and its certificate.
pub(crate) struct Endpoint {
    /// The port on loopback.
    pub port: u16,
    /// The certificate (PEM).
    pub certificate: String,
}

impl<'c> Site<'c> {
    /// Starts `pullgate serve` with a policy and registers it. Creates the namespace `NAME` for the test.
    pub(crate) fn new(plane: &'c ControlPlane, name: &str, policy: &str) -> Self {
        Self::with_args(plane, name, policy, &[])
    }

    /// Does the same with more arguments for `pullgate serve`.
    pub(crate) fn with_args(
        plane: &'c ControlPlane,
        name: &str,
        policy: &str,
        more: &[&str],
    ) -> Self {
        std::fs::create_dir(plane.dir().join(name)).expect("a folder");
        let chart = include_str!("../chart/default.yaml");
        Self::start(plane, name, policy, chart, (&plane.kubeconfig(), more))
    }

    /// Does the same with the rights that the chart gives for this value of `inventory`. Also returns the user with
    /// these rights.
    pub(crate) fn with_inventory(
        plane: &'c ControlPlane,
        name: &str,
        policy: &str,
        inventory: &str,
    ) -> (Self, String) {
        let dir = plane.dir().join(name);
        std::fs::create_dir(&dir).expect("a folder");
        let (namespace, release) = (format!("{name}-system"), format!("pullgate-{name}"));
        let chart = rendered(plane, &release, &namespace, inventory);
        rights(plane, &namespace, &chart);
        let kubeconfig = dir.join("kubeconfig");
        let token = plane.kubectl(&["-n", &namespace, "create", "token", &release], "");
        assert!(token.ok, "{token:?}");
        let admin = std::fs::read_to_string(plane.kubeconfig()).expect("a kubeconfig");
        let own = admin.replace("{token: admin}", &format!("{{token: {}}}", token.stdout));
        std::fs::write(&kubeconfig, own).expect("a file");
        let depth = format!("--inventory={inventory}");
        let key = format!("--fingerprint-secret={namespace}/{release}-fingerprints");
        let more = [depth.as_str(), key.as_str()];
        let site = Self::start(plane, name, policy, &chart, (&kubeconfig, &more));
        (site, format!("system:serviceaccount:{namespace}:{release}"))
    }

    fn start(
        plane: &'c ControlPlane,
        name: &str,
        policy: &str,
        chart: &str,
        (kubeconfig, more): (&Path, &[&str]),
    ) -> Self {
        let dir = plane.dir().join(name);
        let in_dir = |file: &str| dir.join(file);
        let pair = SelfSigned::new(&["127.0.0.1"]).expect("a certificate");
        std::fs::write(in_dir("tls.crt"), &pair.certificate).expect("a file");
        std::fs::write(in_dir("tls.key"), &pair.key).expect("a file");
        write_policy(&in_dir("policy.yaml"), PROBE);
        let path = |file: &str| in_dir(file).display().to_string();
        let mut args = vec![
            "serve".to_owned(),
            "--policy-file".to_owned(),
            path("policy.yaml"),
        ];
        args.extend([
            "--tls-cert".to_owned(),
            path("tls.crt"),
            "--tls-key".to_owned(),
            path("tls.key"),
        ]);
        args.extend(["--listen".to_owned(), "127.0.0.1:0".to_owned()]);
        args.extend(["--admin-listen".to_owned(), "127.0.0.1:0".to_owned()]);
        args.extend(["--shutdown-delay".to_owned(), "0".to_owned()]);
        args.extend(["--kubeconfig".to_owned(), kubeconfig.display().to_string()]);
        args.extend(["--log-filter".to_owned(), "pullgate=debug".to_owned()]);
        args.extend(more.iter().map(ToString::to_string));
        let mut server = Process::start(
            Path::new(env!("CARGO_BIN_EXE_pullgate")),
            &args,
            &dir,
            "pullgate",
        );
        let log = server.log.clone();
        server.wait_until("pullgate serve", || port(&log).is_some());
        let port = port(&server.log).expect("it serves");
        let site = Self {
            plane,
            name: name.to_owned(),
            policy: in_dir("policy.yaml"),
            server,
        };
        site.namespace(name, "");
        register(
            plane,
            name,
            chart,
            &Endpoint {
                port,
                certificate: pair.certificate,
            },
        );
        site.wait_until_registered();
        site.set_policy(policy);
        site
    }

    /// Creates a namespace of the test with these labels (`key: value, ...`), and waits for its `ServiceAccount`.
    pub(crate) fn namespace(&self, name: &str, labels: &str) {
        namespace(self.plane, name, &self.name, labels);
    }

    /// Writes another policy, and waits until it is in force.
    pub(crate) fn set_policy(&self, policy: &str) {
        let changes = || self.log().matches("the policy changed").count();
        let before = changes();
        write_policy(&self.policy, policy);
        wait_for("the policy is read", || changes() > before);
    }

    /// Returns the path of a file of the server: `policy.yaml`, `tls.crt` or `tls.key`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.policy.with_file_name(name)
    }

    /// Stops the server. The webhooks stay registered.
    pub(crate) fn end_server(&mut self) {
        self.server.end();
    }

    /// Returns the server's own memory in KiB, without the mapped pages of the program file.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.server.id());
        let status = std::fs::read_to_string(path).expect("a process");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let words = line.expect("RssAnon").split_whitespace().next();
        words.expect("a number").parse().expect("a number")
    }

    /// Returns the server's log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.server.log).unwrap_or_default()
    }

    /// Runs kubectl in the namespace of the test.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Output {
        self.plane
            .kubectl(&[&["-n", &self.name], args].concat(), "")
    }

    /// Runs kubectl in the namespace of the test, with a text on stdin.
    pub(crate) fn kubectl_with(&self, args: &[&str], stdin: &str) -> Output {
        self.plane
            .kubectl(&[&["-n", &self.name], args].concat(), stdin)
    }

    /// Runs `kubectl apply -f -`.
    pub(crate) fn apply(&self, manifest: &str) -> Output {
        self.kubectl_with(&["apply", "-f", "-"], manifest)
    }

    /// Runs `kubectl apply -f -`, and panics if it fails.
    pub(crate) fn applied(&self, manifest: &str) -> Output {
        let output = self.apply(manifest);
        assert!(output.ok, "{output:?}");
        output
    }

    /// Runs kubectl, panics if it fails, and returns its stdout.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.kubectl(args);
        assert!(output.ok, "{args:?}: {output:?}");
        output.stdout
    }

    /// Returns an object as the API server stored it.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.run(&["get", kind, name, "-o", "json"])).expect("JSON")
    }

    /// Returns the names in `imagePullSecrets` of a stored Pod.
    pub(crate) fn pull_secrets(&self, pod: &str) -> Vec<String> {
        names(&self.get("pod", pod))
    }

    /// Returns the pods that match a selector.
    pub(crate) fn pods(&self, selector: &str) -> Vec<Value> {
        let list: Value =
            serde_json::from_str(&self.run(&["get", "pods", "-l", selector, "-o", "json"]))
                .expect("JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until the given number of pods match a selector.
    pub(crate) fn wait_for_pods(&self, selector: &str, count: usize) -> Vec<Value> {
        wait_for(
            &format!("{count} pods by {selector} in {}", self.name),
            || self.pods(selector).len() == count,
        );
        self.pods(selector)
    }

    fn wait_until_registered(&self) {
        let pod = |spec: &str| {
            format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: probe}}, spec: {{containers: [{{name: a, image: probe.test/a}}]{spec}}}}}"
            )
        };
        let try_run = |manifest: &str| {
            self.plane.kubectl(
                &[
                    "-n",
                    &self.name,
                    "create",
                    "--dry-run=server",
                    "-o",
                    "yaml",
                    "-f",
                    "-",
                ],
                manifest,
            )
        };
        wait_for("inject.pullgate.dev is called", || {
            try_run(&pod("")).stdout.contains("probe-pull")
        });
        let banned = pod(", imagePullSecrets: [{name: probe-banned}]");
        wait_for("guard.pullgate.dev is called", || {
            try_run(&banned).stderr.contains("guard.pullgate.dev")
        });
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        unregister(self.plane, &self.name);
        self.server.end();
    }
}

/// Returns the port in a server's log.
pub(crate) fn port(log: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(log).ok()?;
    let rest = text.split("serving address=127.0.0.1:").nth(1)?;
    rest.lines().next()?.trim().parse().ok()
}

/// Returns the names in `imagePullSecrets` of a Pod.
pub(crate) fn names(pod: &Value) -> Vec<String> {
    let list = pod["spec"]["imagePullSecrets"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    list.iter()
        .map(|entry| entry["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Creates a namespace of a test, and waits for its `ServiceAccount`.
pub(crate) fn namespace(plane: &ControlPlane, name: &str, test: &str, labels: &str) {
    let manifest = format!(
        "{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{{LABEL}: {test}, {labels}}}}}}}"
    );
    let output = plane.kubectl(&["apply", "-f", "-"], &manifest);
    assert!(output.ok, "{output:?}");
    wait_for("the default ServiceAccount", || {
        plane.kubectl(&["-n", name, "get", "sa", "default"], "").ok
    });
}

/// Registers the webhooks of the chart for the namespaces of a test.
pub(crate) fn register(plane: &ControlPlane, test: &str, chart: &str, endpoint: &Endpoint) {
    for mut configuration in documents(chart, &["WebhookConfiguration"]) {
        configuration["metadata"]["name"] = json!(format!("pullgate-{test}"));
        for webhook in configuration["webhooks"].as_array_mut().expect("a list") {
            let path = webhook["clientConfig"]["service"]["path"]
                .as_str()
                .expect("a path")
                .to_owned();
            webhook["clientConfig"] = json!({
                "url": format!("https://127.0.0.1:{}{path}", endpoint.port),
                "caBundle": base64(&endpoint.certificate),
            });
            let policy = webhook["name"] == "policy.pullgate.dev";
            let selector = &mut webhook["namespaceSelector"];
            if policy {
                *selector = json!({});
            }
            selector["matchLabels"] = json!({ LABEL: test });
        }
        let output = plane.kubectl(&["apply", "-f", "-"], &configuration.to_string());
        assert!(output.ok, "{output:?}");
    }
}

/// Returns the objects of a rendered chart that have a kind with one of these endings.
fn documents(chart: &str, kinds: &[&str]) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(chart).expect("YAML");
    let is_wanted = |document: &Value| {
        let kind = document["kind"].as_str().unwrap_or_default();
        kinds.iter().any(|wanted| kind.ends_with(wanted))
    };
    documents.into_iter().filter(is_wanted).collect()
}

fn rendered(plane: &ControlPlane, release: &str, namespace: &str, inventory: &str) -> String {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/pullgate");
    let helm = Command::new(plane.bin().join("helm"))
        .args(["template", release, chart, "-n", namespace])
        .args(["--set", &format!("inventory={inventory}")])
        .env("HOME", plane.dir())
        .output()
        .expect("helm");
    assert!(helm.status.success(), "{helm:?}");
    String::from_utf8(helm.stdout).expect("UTF-8")
}

/// Creates the ServiceAccount of the chart with its rights.
fn rights(plane: &ControlPlane, namespace: &str, chart: &str) {
    let made = plane.kubectl(&["create", "namespace", namespace], "");
    assert!(made.ok, "{made:?}");
    for object in documents(chart, &["ServiceAccount", "Role", "RoleBinding"]) {
        let applied = plane.kubectl(&["apply", "-f", "-"], &object.to_string());
        assert!(applied.ok, "{applied:?}");
    }
}

/// Removes the webhooks of a test.
pub(crate) fn unregister(plane: &ControlPlane, test: &str) {
    let name = format!("pullgate-{test}");
    for kind in [
        "mutatingwebhookconfiguration",
        "validatingwebhookconfiguration",
    ] {
        plane.kubectl(&["delete", "--ignore-not-found", kind, &name], "");
    }
}

/// Replaces the file by another one, as the kubelet does.
fn write_policy(path: &Path, body: &str) {
    let new = path.with_extension("new");
    std::fs::write(
        &new,
        format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{body}"),
    )
    .expect("a file");
    std::fs::rename(new, path).expect("a file");
}

/// Encodes a text in base64 with padding.
pub(crate) fn base64(text: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    BASE64_STANDARD.encode(text)
}
