//! Linux namespaces for the cluster: no connection leads in or out, and all processes end with the test.

use std::process::{Command, ExitCode, Stdio};

/// The variable that is set inside the namespaces.
const INSIDE: &str = "PULLGATE_TEST_NAMESPACES";

/// Enters the namespaces by starting this program again inside. Returns its exit code, or `None` if this process is
/// already inside.
pub(crate) fn enter() -> Option<ExitCode> {
    if std::env::var_os(INSIDE).is_some() {
        prepare();
        return None;
    }
    if std::env::args().any(|arg| arg == "--list") {
        return None;
    }
    let missing = missing();
    if !missing.is_empty() {
        let must = std::env::var_os("CI").is_some() || std::env::args().any(|arg| arg == "play");
        eprintln!(
            "{}: the tests with nodes need {}",
            if must { "FAILED" } else { "SKIPPED" },
            missing.join(", ")
        );
        return Some(if must {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        });
    }
    build();
    // The processes inside end with the namespaces. This folder keeps their files.
    let dir = tempfile::TempDir::with_prefix("pullgate-nodes-").expect("a folder");
    let me = std::env::current_exe().expect("a path");
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .args(["unshare", "--net", "--mount", "--propagation", "private"])
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(me)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "yes")
        .env("TMPDIR", dir.path())
        .status()
        .expect("unshare, of util-linux");
    remove_cgroups();
    Some(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Builds the binaries before the namespaces cut off the network.
fn build() {
    for script in ["build", "binary"] {
        let script = format!("{}/tests/cluster/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut build = Command::new(&script);
        if script.ends_with("build") {
            build.args(std::env::var_os("PULLGATE_TEST_KUBERNETES"));
        }
        let output = build.stderr(Stdio::inherit()).output().expect("bash");
        assert!(output.status.success(), "{script} failed: see above");
    }
}

/// Removes the cgroups of the containers, which are empty now.
fn remove_cgroups() {
    sh("find /sys/fs/cgroup -depth -path '*/k8s.io*' -type d -exec rmdir {} + 2>/dev/null || true");
}

fn missing() -> Vec<&'static str> {
    let has = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|dir| dir.join(program).exists())
    };
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt;
        me.uid() == 0
    });
    let mut missing = Vec::new();
    if !is_root {
        missing.push("root");
    }
    for (program, what) in [
        ("ip", "ip (Debian: iproute2)"),
        ("runc", "runc (Debian: runc)"),
        ("unshare", "unshare (Debian: util-linux)"),
    ] {
        if !has(program) {
            missing.push(what);
        }
    }
    missing
}

/// Mounts a private /run, because sockets and network namespaces are looked up there.
fn prepare() {
    sh("mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up");
    // The kubelet and the network plugins use these fixed folders. The machine may be a node itself.
    for folder in ["/var/lib/kubelet", "/var/lib/cni", "/var/log/containers"] {
        sh(&format!(
            "mkdir -p {folder} && mount -t tmpfs none {folder}"
        ));
    }
}

/// Runs a shell command, and panics if it fails.
pub(crate) fn sh(script: &str) {
    let status = Command::new("sh")
        .args(["-ec", script])
        .status()
        .expect("sh");
    assert!(status.success(), "failed: {script}");
}
