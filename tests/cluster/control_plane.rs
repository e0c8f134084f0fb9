//! A real control plane (etcd, kube-apiserver, kube-controller-manager), on loopback or at an address that nodes can
//! reach.

use crate::process::{Process, free_port};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// The token of the administrator. The tests use it for every call that needs no user of its own.
const ADMIN_TOKEN: &str = "admin";

/// The network where a control plane is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// On loopback, without nodes. Webhooks are called at a URL.
    Loopback,
    /// At [`ADDRESS`], with nodes. Webhooks are called through their Service.
    Nodes,
}

/// The address of a control plane with nodes.
pub(crate) const ADDRESS: &str = "10.99.0.1";

/// The control plane. All its files are in one folder, and its processes are killed on drop.
pub(crate) struct ControlPlane {
    // Fields drop in this order: an API server without its etcd hangs for a minute.
    controller_manager: Process,
    api_server: Mutex<Process>,
    etcd: Process,
    api_server_args: Vec<String>,
    bin: PathBuf,
    dir: TempDir,
}

/// The result of a program.
#[derive(Debug)]
pub(crate) struct Output {
    /// Whether the program succeeded.
    pub ok: bool,
    /// The text on stdout.
    pub stdout: String,
    /// The text on stderr.
    pub stderr: String,
}

impl ControlPlane {
    /// Builds the missing binaries, and starts the control plane.
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

    /// Stops the API server, and starts it again after a pause.
    pub(crate) fn restart_api_server(&self, pause: Duration) {
        self.while_api_server_is_gone(|| std::thread::sleep(pause));
    }

    /// Stops the API server, runs the action, and starts the API server again.
    pub(crate) fn while_api_server_is_gone(&self, action: impl FnOnce()) {
        let mut api_server = self.api_server.lock().expect("no panic");
        api_server.end();
        action();
        *api_server = start_api_server(&self.bin, self.dir.path(), &self.api_server_args);
    }

    /// Returns the folder of the binaries.
    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }

    /// Runs kubectl as the administrator.
    pub(crate) fn kubectl(&self, args: &[&str], stdin: &str) -> Output {
        kubectl(&self.bin, &self.kubeconfig(), args, stdin)
    }

    /// Returns the administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// Returns a folder that is deleted with the control plane.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the audit log of the API server.
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

/// Returns the folder of the binaries, after `tests/cluster/build` has built the missing ones.
fn binaries() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/build");
    let mut build = Command::new(script);
    // The variable selects the version of Kubernetes, for the version matrix.
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

/// Writes the tokens, the key that signs the tokens of service accounts, the audit policy and the kubeconfig.
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
            // There is no kube-proxy, so the API server calls the pods behind webhook Services directly.
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

/// Each controller has its own credentials, as in every distribution, so that pods are created by
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
        // The default is 50 s. With less, the tests wait a shorter time for a dead node.
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
        // kubectl may exit without reading its stdin.
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
