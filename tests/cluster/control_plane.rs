//! A real control plane: etcd, kube-apiserver, kube-controller-manager; on loopback, or where nodes can join it.

use crate::process::{Process, free_port};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// The token by which everything in the tests that is not a user of its own talks to the API server.
const ADMIN_TOKEN: &str = "admin";

/// Where a control plane is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// On loopback; there are no nodes, and webhooks are called by their URL.
    Loopback,
    /// By nodes, at [`ADDRESS`]; webhooks are called through their Service.
    Nodes,
}

/// The address of a control plane with nodes.
pub(crate) const ADDRESS: &str = "10.99.0.1";

/// The control plane. Everything of it is in one folder, and ends when this is dropped.
pub(crate) struct ControlPlane {
    // In the order in which they have to end: an API server without its etcd hangs for a minute.
    controller_manager: Process,
    api_server: Mutex<Process>,
    etcd: Process,
    api_server_args: Vec<String>,
    bin: PathBuf,
    dir: TempDir,
}

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// Whether it ended well.
    pub ok: bool,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl ControlPlane {
    /// Builds what is missing, and starts it.
    pub(crate) fn start(reach: Reach) -> Self {
        let bin = binaries();
        let dir = TempDir::with_prefix("pullgate-cluster-").expect("a folder");
        let [client, peer] = [free_port(), free_port()];
        let port = match reach {
            Reach::Loopback => free_port(),
            Reach::Nodes => 443,
        };
        let etcd = start_etcd(&bin, dir.path(), client, peer);
        write_identities(dir.path(), reach, port);
        let args = api_server_args(dir.path(), reach, client, port);
        let api_server = start_api_server(&bin, dir.path(), &args);
        let controller_manager = start_controller_manager(&bin, dir.path());
        let plane = Self {
            controller_manager,
            api_server: Mutex::new(api_server),
            api_server_args: args,
            etcd,
            bin,
            dir,
        };
        let has_default = || {
            plane
                .kubectl(&["-n", "default", "get", "serviceaccount", "default"], "")
                .ok
        };
        crate::process::wait_for(
            "kube-controller-manager makes service accounts",
            has_default,
        );
        plane
    }

    /// Ends the API server, and starts it again after a while.
    pub(crate) fn restart_api_server(&self, pause: Duration) {
        self.while_api_server_is_gone(|| std::thread::sleep(pause));
    }

    /// Ends the API server, does this, and starts it again.
    pub(crate) fn while_api_server_is_gone(&self, action: impl FnOnce()) {
        let mut api_server = self.api_server.lock().expect("no panic");
        api_server.end();
        action();
        *api_server = start_api_server(&self.bin, self.dir.path(), &self.api_server_args);
    }

    /// The folder of the binaries.
    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }

    /// Runs kubectl as the administrator.
    pub(crate) fn kubectl(&self, args: &[&str], stdin: &str) -> Output {
        kubectl(&self.bin, &self.kubeconfig(), args, stdin)
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// A folder that goes with the control plane.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The audit log of the API server.
    pub(crate) fn audit_log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("audit.log")).unwrap_or_default()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.controller_manager.end();
        self.api_server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .end();
        self.etcd.end();
    }
}

/// The folder of the binaries, which `tests/cluster/build` fills where it has to.
fn binaries() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/build");
    let mut build = Command::new(script);
    // Which Kubernetes, for the version matrix.
    build.args(std::env::var_os("PULLGATE_TEST_KUBERNETES"));
    let output = build.stderr(Stdio::inherit()).output().expect("bash");
    assert!(output.status.success(), "{script} failed: see above");
    PathBuf::from(String::from_utf8(output.stdout).expect("UTF-8").trim())
}

fn start_etcd(bin: &Path, dir: &Path, client: u16, peer: u16) -> Process {
    let args = [
        format!("--data-dir={}", dir.join("etcd").display()),
        format!("--listen-client-urls=http://127.0.0.1:{client}"),
        format!("--advertise-client-urls=http://127.0.0.1:{client}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        "--unsafe-no-fsync".to_owned(),
    ];
    Process::start(&bin.join("etcd"), &args, dir, "etcd")
}

/// The tokens, the key that signs the tokens of service accounts, the audit policy and the kubeconfig.
fn write_identities(dir: &Path, reach: Reach, port: u16) {
    let address = reach.address();
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).expect("a file");
    write(
        "tokens.csv",
        &format!("{ADMIN_TOKEN},admin,1,\"system:masters\"\n"),
    );
    write(
        "audit.yaml",
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n",
    );
    let key = rcgen::KeyPair::generate().expect("a key");
    write("service-accounts.key", &key.serialize_pem());
    write("service-accounts.pub", &key.public_key_pem());
    write(
        "kubeconfig",
        &format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: 'https://{address}:{port}', certificate-authority: {ca}}}}}]\n\
             users: [{{name: admin, user: {{token: {ADMIN_TOKEN}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]\n",
            ca = dir.join("certs/apiserver.crt").display(),
        ),
    );
}

fn start_api_server(bin: &Path, dir: &Path, args: &[String]) -> Process {
    let mut api_server = Process::start(&bin.join("kube-apiserver"), args, dir, "kube-apiserver");
    let kubeconfig = dir.join("kubeconfig");
    let ready = || kubectl(bin, &kubeconfig, &["get", "--raw", "/readyz"], "").ok;
    api_server.wait_until("kube-apiserver", ready);
    api_server
}

fn api_server_args(dir: &Path, reach: Reach, etcd: u16, port: u16) -> Vec<String> {
    let in_dir = |name: &str| dir.join(name).display().to_string();
    let address = reach.address();
    let mut args = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        format!("--secure-port={port}"),
        format!("--advertise-address={address}"),
        format!("--cert-dir={}", in_dir("certs")),
        format!("--token-auth-file={}", in_dir("tokens.csv")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!(
            "--service-account-signing-key-file={}",
            in_dir("service-accounts.key")
        ),
        format!(
            "--service-account-key-file={}",
            in_dir("service-accounts.pub")
        ),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--audit-policy-file={}", in_dir("audit.yaml")),
        format!("--audit-log-path={}", in_dir("audit.log")),
    ];
    let more: &[&str] = match reach {
        Reach::Loopback => &[
            "--bind-address=127.0.0.1",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
        ],
        Reach::Nodes => &[
            "--bind-address=0.0.0.0",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            // Webhook Services go straight to the pods: there is no kube-proxy.
            "--enable-aggregator-routing=true",
            "--kubelet-preferred-address-types=InternalIP",
        ],
    };
    args.extend(more.iter().map(ToString::to_string));
    args
}

impl Reach {
    fn address(self) -> &'static str {
        match self {
            Self::Loopback => "127.0.0.1",
            Self::Nodes => ADDRESS,
        }
    }
}

/// With credentials for each controller, as every distribution runs it: then pods come from
/// `system:serviceaccount:kube-system:replicaset-controller` and its siblings.
fn start_controller_manager(bin: &Path, dir: &Path) -> Process {
    let in_dir = |name: &str| dir.join(name).display().to_string();
    let args = [
        format!("--kubeconfig={}", in_dir("kubeconfig")),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--use-service-account-credentials=true".to_owned(),
        format!(
            "--service-account-private-key-file={}",
            in_dir("service-accounts.key")
        ),
        format!("--root-ca-file={}", in_dir("certs/apiserver.crt")),
        "--controllers=*,-node-ipam-controller".to_owned(),
        // 50 s by default: that long the tests need not wait for a dead node.
        "--node-monitor-grace-period=20s".to_owned(),
    ];
    Process::start(
        &bin.join("kube-controller-manager"),
        &args,
        dir,
        "kube-controller-manager",
    )
}

fn kubectl(bin: &Path, kubeconfig: &Path, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(bin.join("kubectl"))
        .arg("--request-timeout=30s")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(args)
        .env("HOME", kubeconfig.parent().expect("a folder"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl");
    let mut pipe = child.stdin.take().expect("piped");
    let text = stdin.to_owned();
    let writer = std::thread::spawn(move || {
        // kubectl may end without reading.
        let _ = std::io::Write::write_all(&mut pipe, text.as_bytes());
    });
    let output = child.wait_with_output().expect("kubectl");
    writer.join().expect("no panic");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output {
        ok: output.status.success(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
