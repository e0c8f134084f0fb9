//! A server in its own process, measured through the operating system.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server process. It is killed on drop, so also after a panic.
pub(crate) struct Server {
    child: Child,
    /// The address that the server listens on.
    pub(crate) address: String,
}

impl Server {
    /// Starts a program that logs its address on stderr, and waits for that line.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("a server");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let mut lines = log.lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| Some(line.split("serving address=").nth(1)?.to_owned()));
        Self {
            child,
            address: address.expect("it serves"),
        }
    }

    /// Returns a line of `/proc/PID/status` in KiB (proc(5)): `VmRSS` is the resident memory, `VmHWM` its peak.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let file = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(file).expect("Linux");
        let mut lines = status.lines();
        let value = lines
            .find_map(|text| text.strip_prefix(line))
            .expect("a line");
        let value = value.trim_start_matches(':').trim_end_matches(" kB");
        value.trim().parse().expect("a number")
    }

    /// Returns the processor time of the server's threads, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        cpu(self.child.id())
    }
}

/// Returns the processor time of a process's threads, in seconds.
pub(crate) fn cpu(process: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    let nanos = |thread: std::fs::DirEntry| -> Option<f64> {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    let threads = threads.expect("Linux").filter_map(Result::ok);
    threads.filter_map(nanos).sum::<f64>() / 1e9
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the arguments with which Pullgate serves a policy from files, on free ports.
pub(crate) fn serve(policy: &Path, certificate: &Path, key: &Path) -> Vec<Box<OsStr>> {
    let any = "127.0.0.1:0";
    let args: [&OsStr; 13] = [
        "serve".as_ref(),
        "--listen".as_ref(),
        any.as_ref(),
        "--admin-listen".as_ref(),
        any.as_ref(),
        "--policy-file".as_ref(),
        policy.as_ref(),
        "--tls-cert".as_ref(),
        certificate.as_ref(),
        "--tls-key".as_ref(),
        key.as_ref(),
        // The filter keeps denials out of the terminal.
        "--log-filter".as_ref(),
        "warn,pullgate::commands=info".as_ref(),
    ];
    args.into_iter().map(Into::into).collect()
}
