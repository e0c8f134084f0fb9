//! The cluster: a control plane, two nodes and a registry in connected network namespaces.

use crate::control_plane::{ADDRESS, ControlPlane, Output, Reach};
use crate::namespaces::sh;
use crate::process::{Process, wait_for};
use crate::registry::{self, Registry};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The image that the test containers run.
pub(crate) const APP: &str = "shop/api:1";
const PAUSE: &str = "pause:1";

/// The cluster. It is removed on drop.
pub(crate) struct Ground {
    nodes: Mutex<Vec<Node>>,
    _scheduler: Process,
    /// The registry of the images.
    pub registry: Registry,
    /// The control plane.
    pub plane: ControlPlane,
}

/// A node: a kubelet and a containerd in their own network namespace.
pub(crate) struct Node {
    /// The name of the node.
    pub name: String,
    kubelet: Option<Process>,
    containerd: Option<Process>,
}

impl Ground {
    /// Starts the whole cluster.
    pub(crate) fn start() -> Self {
        sh(
            "sysctl -qw net.ipv4.ip_forward=1 2>/dev/null || echo 1 > /proc/sys/net/ipv4/ip_forward",
        );
        sh(&format!(
            "ip link add br0 type bridge; ip addr add {ADDRESS}/24 dev br0; ip addr add 10.96.0.1/32 dev br0; \
             ip link set br0 up"
        ));
        let plane = ControlPlane::start(Reach::Nodes);
        let scheduler = [
            format!("--kubeconfig={}", plane.kubeconfig().display()),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ];
        let scheduler = Process::start(
            &plane.bin().join("kube-scheduler"),
            &scheduler,
            plane.dir(),
            "kube-scheduler",
        );
        let registry = Registry::start(plane.bin(), plane.dir());
        for image in [PAUSE, APP, "shop/web:1", "platform/agent:1"] {
            registry.push(image, &plane.bin().join("sleep"));
        }
        registry.push("pullgate:test", &binary());
        let ground = Self {
            nodes: Mutex::default(),
            _scheduler: scheduler,
            registry,
            plane,
        };
        for number in [1, 2] {
            ground.add_node(number);
        }
        ground
    }

    /// Adds a new node.
    pub(crate) fn add_node(&self, number: usize) {
        connect(number);
        self.start_node(number);
    }

    /// Starts a node in a network that exists, and waits until the node is ready.
    pub(crate) fn start_node(&self, number: usize) {
        let cable = name(number);
        sh(&format!(
            "ip -n {cable} link set eth0 up; ip -n {cable} route replace default via {ADDRESS}"
        ));
        let node = Node::start(&self.plane, &self.registry, number);
        let name = node.name.clone();
        self.nodes().push(node);
        wait_for(&format!("{name} is ready"), || {
            let wait = [
                "wait",
                "--for=condition=Ready",
                "--timeout=5s",
                "node",
                &name,
            ];
            self.plane.kubectl(&wait, "").ok
        });
    }

    /// Kills all processes of a node and cuts its network, like a power failure.
    pub(crate) fn kill_node(&self, name: &str) {
        sh(&format!("ip -n {name} link set eth0 down"));
        let mut nodes = self.nodes();
        nodes.retain_mut(|node| {
            if node.name == name {
                node.kill();
            }
            node.name != name
        });
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs kubectl, and panics if it fails.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.plane.kubectl(args, "");
        assert!(output.ok, "{args:?}: {output:?}");
        output.stdout
    }

    /// Runs `kubectl apply -f -`, and panics if it fails.
    pub(crate) fn apply(&self, manifest: &str) -> Output {
        let output = self.try_apply(manifest);
        assert!(output.ok, "{output:?}");
        output
    }

    /// Runs `kubectl apply -f -`.
    pub(crate) fn try_apply(&self, manifest: &str) -> Output {
        self.plane.kubectl(&["apply", "-f", "-"], manifest)
    }

    /// Creates a namespace with the pull secret for the registry.
    pub(crate) fn namespace_with_pull_secret(&self, namespace: &str) {
        self.apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"
        ));
        self.pull_secret(namespace, "contoso-pull");
    }

    /// Creates a pull secret for the registry.
    pub(crate) fn pull_secret(&self, namespace: &str, name: &str) {
        let server = format!("--docker-server={}", registry::NAME);
        let user = format!("--docker-username={}", registry::USER);
        let password = format!("--docker-password={}", registry::PASSWORD);
        self.run(&[
            "-n",
            namespace,
            "create",
            "secret",
            "docker-registry",
            name,
            &server,
            &user,
            &password,
        ]);
    }

    /// Runs one of the cluster's programs, for example helm.
    pub(crate) fn tool(&self, name: &str, args: &[&str]) -> Output {
        let output = Command::new(self.plane.bin().join(name))
            .args(args)
            .env("KUBECONFIG", self.plane.kubeconfig())
            .env("HOME", self.plane.dir())
            .stdin(Stdio::null())
            .output()
            .expect("a program");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Output {
            ok: output.status.success(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// The size limit that `docs/performance.md` promises, in bytes.
const MAX_BINARY: u64 = 15_000_000;

/// Builds the static binary for the image, and checks its size.
pub(crate) fn binary() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/binary");
    let output = Command::new(script)
        .stderr(Stdio::inherit())
        .output()
        .expect("bash");
    assert!(output.status.success(), "{script} failed: see above");
    let path = PathBuf::from(String::from_utf8(output.stdout).expect("UTF-8").trim());
    let size = std::fs::metadata(&path).expect("a file").len();
    assert!(
        size <= MAX_BINARY,
        "{size} bytes, more than {MAX_BINARY}: find the dependency that made it larger"
    );
    path
}

/// Connects a node: a network namespace, a cable to the bridge, and routes to and from its pods.
fn connect(number: usize) {
    let (node, address) = (name(number), address(number));
    sh(&format!(
        "ip netns add {node}; ip link add veth{number} type veth peer name eth0 netns {node}; \
         ip link set veth{number} master br0 up; ip -n {node} link set lo up; \
         ip -n {node} addr add {address}/24 dev eth0; \
         nsenter --net=/run/netns/{node} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'; \
         ip route add 10.98.{number}.0/24 via {address}"
    ));
}

fn name(number: usize) -> String {
    format!("node{number}")
}

fn address(number: usize) -> String {
    format!("10.99.0.1{number}")
}

impl Node {
    fn start(plane: &ControlPlane, registry: &Registry, number: usize) -> Self {
        let name = name(number);
        let dir = plane.dir().join(&name);
        std::fs::create_dir_all(dir.join("home")).expect("a folder");
        write_files(plane, &dir, number);
        let inside = |program: &str, args: &[String]| {
            let path = format!(
                "PATH={}:/usr/sbin:/usr/bin:/sbin:/bin",
                plane.bin().display()
            );
            let mut all = vec![
                format!("--net=/run/netns/{name}"),
                "--".to_owned(),
                "env".to_owned(),
                "-i".to_owned(),
                path,
                // The kubelet reads $HOME/.docker/config.json as credentials of the node.
                format!("HOME={}", dir.join("home").display()),
                plane.bin().join(program).display().to_string(),
            ];
            all.extend_from_slice(args);
            Process::start(Path::new("nsenter"), &all, &dir, program)
        };
        let config = format!("--config={}", dir.join("containerd.toml").display());
        let mut containerd = inside("containerd", &[config]);
        let socket = dir.join("containerd.sock").display().to_string();
        let image = registry.save(PAUSE);
        let import = [
            "--address",
            &socket,
            "--namespace",
            "k8s.io",
            "images",
            "import",
            "--all-platforms",
        ];
        containerd.wait_until("containerd", || {
            let imported = Command::new(plane.bin().join("ctr"))
                .args(import)
                .arg(&image)
                .output()
                .expect("ctr");
            // The log helps to find a fault: it stays in the folder of the node.
            std::fs::write(dir.join("import.log"), &imported.stderr).expect("a file");
            imported.status.success()
        });
        let kubelet = [
            format!("--config={}", dir.join("kubelet.yaml").display()),
            format!("--kubeconfig={}", plane.kubeconfig().display()),
            format!("--hostname-override={name}"),
            format!("--node-ip={}", address(number)),
            format!("--root-dir={}", dir.join("kubelet").display()),
            format!("--cert-dir={}", dir.join("pki").display()),
        ];
        let kubelet = inside("kubelet", &kubelet);
        Self {
            name,
            kubelet: Some(kubelet),
            containerd: Some(containerd),
        }
    }

    /// Kills the shims and their containers too. They are not children of containerd, so they are found in /proc.
    fn kill(&mut self) {
        drop(self.kubelet.take());
        drop(self.containerd.take());
        // The command line of a shim names its socket, which is in the folder of the node.
        let pattern = format!("/{}/containerd", self.name);
        for process in std::fs::read_dir("/proc").expect("proc").flatten() {
            let command =
                std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
            if command.contains("containerd-shim") && command.contains(&pattern) {
                let pid = process.file_name().to_string_lossy().into_owned();
                let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
                    .unwrap_or_default();
                sh(&format!("kill -9 {pid} {children} 2>/dev/null || true"));
            }
        }
    }
}

fn write_files(plane: &ControlPlane, dir: &Path, number: usize) {
    let root = dir.display();
    let write = |name: &str, text: String| std::fs::write(dir.join(name), text).expect("a file");
    std::fs::create_dir_all(dir.join("cni")).expect("a folder");
    registry::write_hosts(&dir.join("certs.d"));
    write(
        "cni/10-bridge.conflist",
        format!(
            r#"{{"cniVersion": "1.0.0", "name": "pods", "plugins": [{{"type": "bridge", "bridge": "cni0", "isGateway": true,
               "ipam": {{"type": "host-local", "dataDir": "{root}/ipam", "ranges": [[{{"subnet": "10.98.{number}.0/24"}}]],
               "routes": [{{"dst": "0.0.0.0/0"}}]}}}}]}}"#
        ),
    );
    write(
        "containerd.toml",
        format!(
            "version = 3\nroot = '{root}/root'\nstate = '{root}/state'\n\
             [grpc]\naddress = '{root}/containerd.sock'\n[ttrpc]\naddress = '{root}/containerd.ttrpc'\n\
             [plugins.'io.containerd.cri.v1.runtime']\nrestrict_oom_score_adj = true\n\
             [plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['{bin}']\nconf_dir = '{root}/cni'\n\
             [plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = '{pause}'\n\
             [plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = '{root}/certs.d'\n",
            bin = plane.bin().display(),
            pause = registry::local_name(PAUSE),
        ),
    );
    // The limit of pulls per second is off, because a pull that the kubelet refuses looks like one that the registry
    // refused.
    write(
        "kubelet.yaml",
        format!(
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\
             containerRuntimeEndpoint: unix://{root}/containerd.sock\n\
             failCgroupV1: false\nfailSwapOn: false\ncgroupDriver: cgroupfs\ncgroupsPerQOS: false\n\
             enforceNodeAllocatable: []\nlocalStorageCapacityIsolation: false\nmakeIPTablesUtilChains: false\n\
             evictionHard: {{memory.available: 1Mi}}\nimageGCHighThresholdPercent: 100\nresolvConf: ''\n\
             serializeImagePulls: false\nregistryPullQPS: 0\nhealthzPort: 0\npodLogsDir: {root}/logs\n\
             volumePluginDir: {root}/plugins\n\
             authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}\n\
             authorization: {{mode: AlwaysAllow}}\nnodeStatusUpdateFrequency: 4s\n"
        ),
    );
}
