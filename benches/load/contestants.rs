//! Who is compared, and how each is started.

use crate::client::{Connection, Target, request, runtime};
use crate::process::{self, Server};
use crate::scene::{self, Size};
use pullgate::tls::self_signed::SelfSigned;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Where the servers run, and where the clients do.
const SERVERS: &str = "0";

/// Who is compared.
pub(crate) const NAMES: [&str; 3] = ["constant", "pullgate", "typed"];

/// What they are started with.
pub(crate) struct Contestants {
    dir: TempDir,
    certificate: String,
}

/// One of them, at work.
pub(crate) struct Contestant {
    /// Who it is.
    pub(crate) name: &'static str,
    /// Its process.
    pub(crate) server: Server,
    /// How it is reached.
    pub(crate) target: Target,
}

impl Contestants {
    /// A policy and a certificate, the same for all.
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

    /// All of them, started.
    pub(crate) fn start_all(&self) -> Vec<Contestant> {
        NAMES.into_iter().map(|name| self.start(name)).collect()
    }

    fn start(&self, name: &'static str) -> Contestant {
        // It ends with this process, however that ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "taskset", "-c", SERVERS]);
        let file = |name| self.dir.path().join(name);
        if name == "pullgate" {
            let files = [file("policy.yaml"), file("tls.crt"), file("tls.key")];
            let [policy, certificate, key] = files;
            command.arg(env!("CARGO_BIN_EXE_pullgate"));
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

    /// From the start of a process to its first answer.
    pub(crate) fn starts(&self, times: usize) {
        let request = request("/mutate", &scene::review(Size::Typical, &[]));
        println!("{:<30} {:>9}", "start to first answer", "median");
        for name in NAMES {
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
