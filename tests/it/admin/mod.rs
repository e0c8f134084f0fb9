//! Tests of the admin port, and of the start and the end of the process.

mod health;
mod log;
mod metrics;
mod shutdown;

use crate::policy::EXAMPLE;
use crate::tls::{Client, split, status};
use pullgate::tls::self_signed::SelfSigned;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A `pullgate serve` process. It is killed on drop, so also when the test fails.
struct Process {
    child: Child,
    webhook: String,
    admin: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Process {
    fn start(dir: &Path, more: &[&str]) -> Self {
        let policy = dir.join("policy.yaml");
        std::fs::write(&policy, EXAMPLE).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_pullgate"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
            ])
            .args(["--log-format", "json", "--policy-file"])
            .arg(&policy)
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .expect("pullgate");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let admin = address(&mut log, "admin port");
        let webhook = address(&mut log, "serving");
        Self {
            child,
            webhook,
            admin,
            log,
        }
    }

    /// Returns status and body of an answer of the admin port.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.admin).expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let (head, body) = split(&answer);
        (status(&head), String::from_utf8(body).expect("UTF-8"))
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").1;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.map(|value| value.parse().expect("a number"))
    }

    fn client(&self, pair: &SelfSigned) -> Client {
        Client {
            address: self.webhook.parse().expect("an address"),
            root: pair.certificate.clone(),
            source: std::net::Ipv4Addr::LOCALHOST.into(),
            alpn: &[],
            identity: None,
        }
    }

    fn terminate(&self) {
        // `kill` is built into the shell; a small system may have no other.
        let kill = format!("kill {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .expect("sh")
                .success()
        );
    }

    /// Waits for the end. Returns the exit code and the remaining log.
    fn ended(&mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).expect("text");
        (self.child.wait().expect("a child").code(), rest)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(log: &mut impl BufRead, message: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(
            log.read_line(&mut line).expect("text"),
            0,
            "the process ended"
        );
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        if line["fields"]["message"] == message {
            return line["fields"]["address"]
                .as_str()
                .expect("an address")
                .to_owned();
        }
    }
}

/// Returns the arguments for a server with this certificate.
fn identity(dir: &Path, pair: &SelfSigned) -> [String; 4] {
    let file = |name: &str, text: &str| {
        std::fs::write(dir.join(name), text).expect("a file");
        dir.join(name).display().to_string()
    };
    let (chain, key) = (
        file("tls.crt", &pair.certificate),
        file("tls.key", &pair.key),
    );
    ["--tls-cert".to_owned(), chain, "--tls-key".to_owned(), key]
}

fn block_on(future: impl Future) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(future);
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not within 30 s: {what}");
}
