//! The servers that are compared, and how each is started.

use crate::client::{Connection, Target, request, runtime};
use crate::process::{self, Server};
use crate::scene::{self, Size};
use pullgate::tls::self_signed::SelfSigned;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// The processor of the servers. The clients run on another.
const SERVERS: &str = "0";

/// Names the binary of an earlier version. With it, that version is a contestant too, so that both are compared in one run.
const EARLIER: &str = "PULLGATE_EARLIER";

/// The files that the servers are started with.
pub(crate) struct Contestants {
    dir: TempDir,
    certificate: String,
}

/// A running server.
pub(crate) struct Contestant {
    /// The name of the server.
    pub(crate) name: &'static str,
    /// The process of the server.
    pub(crate) server: Server,
    /// The address for clients.
    pub(crate) target: Target,
}

impl Contestants {
    /// Writes a policy and a certificate, the same for all servers.
    pub(crate) fn prepare() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let pair = SelfSigned::new(&["localhost"]).expect("a certificate");
        for (name, text) in [
            ("policy.yaml", &scene::policy_text(10)),
            ("tls.crt", &pair.certificate),
            ("tls.key", &pair.key),
        ] {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        Self {
            dir,
            certificate: pair.certificate,
        }
    }

    /// Starts all servers.
    pub(crate) fn start_all(&self) -> Vec<Contestant> {
        names().map(|name| self.start(name)).collect()
    }

    fn start(&self, name: &'static str) -> Contestant {
        // pdeathsig kills the server when this process ends, even after a crash.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "taskset", "-c", SERVERS]);
        let file = |name| self.dir.path().join(name);
        if name == "pullgate" || name == "earlier" {
            let files = [file("policy.yaml"), file("tls.crt"), file("tls.key")];
            let [policy, certificate, key] = files;
            let earlier = std::env::var_os(EARLIER).filter(|_| name == "earlier");
            command.arg(earlier.unwrap_or(env!("CARGO_BIN_EXE_pullgate").into()));
            command.args(process::serve(&policy, &certificate, &key));
        } else {
            command.arg(std::env::current_exe().expect("this program"));
            command.args([Path::new("--serve"), name.as_ref(), self.dir.path()]);
        }
        let server = Server::start(&mut command);
        let target = Target::new(&server.address, "localhost", &self.certificate);
        Contestant {
            name,
            server,
            target,
        }
    }

    /// Measures the time from the start of the process to its first answer.
    pub(crate) fn starts(&self, times: usize) {
        let request = request("/mutate", &scene::review(Size::Typical, &[]));
        println!("{:<30} {:>9}", "start to first answer", "median");
        for name in names() {
            let mut took: Vec<f64> = (0..times)
                .map(|_| {
                    let began = Instant::now();
                    let contestant = self.start(name);
                    runtime().block_on(async {
                        let mut connection: Connection = contestant.target.connect().await;
                        connection.ask(&request).await;
                    });
                    began.elapsed().as_secs_f64() * 1e3
                })
                .collect();
            took.sort_by(f64::total_cmp);
            println!("  {name:<28} {:>6.1} ms", took[times / 2]);
        }
    }
}

/// Returns the names of the contestants; the first is the limit of the stack.
fn names() -> impl Iterator<Item = &'static str> {
    let earlier = std::env::var_os(EARLIER).map(|_| "earlier");
    ["constant", "pullgate", "typed"].into_iter().chain(earlier)
}
