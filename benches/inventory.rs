//! Measures the memory of a server that knows many Secrets. `cargo bench --bench inventory [-- NUMBER]`
//!
//! The API server is a stand-in on loopback that lists and watches like a real one, so that the rows differ only in
//! their Secrets. `cargo test --test cluster inventory` uses the real API server, with fewer Secrets.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints results and panics on errors"
)]

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::tls::self_signed::SelfSigned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// The number of Secrets in a namespace.
const EACH: usize = 10;

/// The Secrets of the cluster.
#[derive(Clone, Copy)]
struct Stock {
    number: usize,
    credentials: Credentials,
}

#[derive(Clone, Copy)]
enum Credentials {
    /// Ten names and a hundred credentials, copied to all namespaces.
    Copied,
    /// Ten names, and other credentials in each namespace.
    Own,
    /// Every Secret has its own name and its own credentials.
    Unlike,
}

/// A server process and the address of its admin port. The process is killed on drop, so also after a panic.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let number = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let number: usize = number.unwrap_or(50_000);
    println!(
        "{:>8} {:<32} {:>12} {:>12} {:>10}",
        "Secrets", "credentials", "own memory", "resident", "known in"
    );
    row(0, Credentials::Copied, "");
    row(number, Credentials::Copied, "100, copied to all namespaces");
    row(number, Credentials::Own, "different in each namespace");
    row(number, Credentials::Unlike, "all different, also the names");
}

fn row(number: usize, credentials: Credentials, what: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stock = Stock {
        number,
        credentials,
    };
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(get(answer)).with_state(stock);
    runtime.spawn(async move { axum::serve(listener, router).await });
    let dir = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let server = start(dir.path(), &address.to_string());
    while known(&server.1) < number {
        assert!(
            began.elapsed() < Duration::from_mins(5),
            "the server does not know all Secrets after 5 minutes"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let took = began.elapsed();
    std::thread::sleep(Duration::from_secs(3));
    println!(
        "{number:>8} {what:<32} {:>8} KiB {:>8} KiB {:>8.1} s",
        memory(&server, "RssAnon:"),
        memory(&server, "VmRSS:"),
        took.as_secs_f32()
    );
}

fn start(dir: &Path, api_server: &str) -> Server {
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    // The kubeconfig names a CA, as in a pod. Without it, the client would load all CAs of the operating system.
    let authority = SelfSigned::new(&["localhost"]).expect("a certificate");
    let authority = BASE64_STANDARD.encode(authority.certificate);
    let kubeconfig = format!(
        "{{apiVersion: v1, kind: Config, current-context: a, clusters: [{{name: a, cluster: {{server: 'http://{api_server}', certificate-authority-data: {authority}}}}}], \
         users: [{{name: a, user: {{token: a}}}}], contexts: [{{name: a, context: {{cluster: a, user: a}}}}]}}"
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ])
        .args([
            "--inventory",
            "contents",
            "--fingerprint-secret",
            "pullgate/fingerprints",
        ])
        .arg("--policy-file")
        .arg(file(
            "policy.yaml",
            include_str!("../src/commands/example-policy.yaml"),
        ))
        .arg("--kubeconfig")
        .arg(file("kubeconfig", &kubeconfig))
        .stderr(Stdio::piped())
        .spawn()
        .expect("pullgate");
    let log = BufReader::new(child.stderr.take().expect("piped"));
    let mut lines = log.lines().map_while(Result::ok);
    let admin = lines.find_map(|line| Some(line.split("admin port address=").nth(1)?.to_owned()));
    std::thread::spawn(move || lines.count());
    Server(child, admin.expect("the log names the admin port"))
}

/// Returns the number of Secrets in the metrics.
fn known(admin: &str) -> usize {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(admin)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = ask().unwrap_or_default();
    let samples = text
        .lines()
        .filter(|line| line.starts_with("pullgate_secrets{"));
    samples
        .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
        .sum()
}

/// Returns the memory of a process in KiB, by a line of proc(5): `RssAnon` is its own memory, `VmRSS` also counts
/// mapped pages of the program file, which the kernel may drop at any time.
fn memory(server: &Server, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.0.id())).expect("Linux");
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let words = found.expect("a line").split_whitespace().next();
    words.expect("a number").parse().expect("a number")
}

async fn answer(State(stock): State<Stock>, uri: Uri) -> Response {
    let query = query(&uri);
    let is = |key: &str, value: &str| query.get(key).is_some_and(|found| found == value);
    if is("watch", "true") {
        // The watch stays open and never sends an event.
        return Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>())
            .into_response();
    }
    let list = |items: Vec<Value>, next: Option<usize>| {
        let next = next.map(|next| next.to_string());
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7", "continue": next.unwrap_or_default()}, "items": items})
    };
    let answer = match uri.path() {
        "/version" => {
            json!({"major": "1", "minor": "37", "gitVersion": "v1.37.1", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""})
        }
        "/api/v1/secrets" if is("fieldSelector", "type=kubernetes.io/dockerconfigjson") => {
            let number = |key: &str| query.get(key).and_then(|text| text.parse().ok());
            let first = number("continue").unwrap_or(0);
            let next = (first + number("limit").unwrap_or(stock.number)).min(stock.number);
            list(
                (first..next).map(|number| stock.secret(number)).collect(),
                (next < stock.number).then_some(next),
            )
        }
        "/api/v1/namespaces/pullgate/secrets/fingerprints" => json!({
            "kind": "Secret", "apiVersion": "v1", "metadata": {"name": "fingerprints", "namespace": "pullgate"},
            "data": {"key": BASE64_STANDARD.encode([7; 32])},
        }),
        _ => list(Vec::new(), None),
    };
    ([("content-type", "application/json")], answer.to_string()).into_response()
}

/// Returns the parameters. Decodes only the escapes that a Kubernetes client sends.
fn query(uri: &Uri) -> HashMap<String, String> {
    let text = uri.query().unwrap_or_default();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| {
            (
                key.to_owned(),
                value.replace("%3D", "=").replace("%2F", "/"),
            )
        })
        .collect()
}

impl Stock {
    fn secret(self, number: usize) -> Value {
        let (namespace, place) = (number / EACH, number % EACH);
        let (name, credential) = match self.credentials {
            Credentials::Copied => (format!("team-{place}-pull"), number % 100),
            Credentials::Own => (format!("team-{place}-pull"), number),
            Credentials::Unlike => (format!("team-{number}-pull-secret"), number),
        };
        let registry = match self.credentials {
            Credentials::Unlike => format!("registry-{number}.corp.example.com"),
            Credentials::Copied | Credentials::Own => format!("registry-{place}.corp.example.com"),
        };
        let user = format!("robot$team-{credential}+pull");
        let auth = BASE64_STANDARD.encode(format!("{user}:password-{credential}"));
        let config = json!({"auths": {registry: {"username": user, "password": format!("password-{credential}"), "auth": auth}}});
        json!({
            "metadata": {
                "name": name, "namespace": format!("team-namespace-{namespace}"), "uid": format!("3f2504e0-4f89-11d3-9a0c-{number:012}"),
                "resourceVersion": "5", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"team": "a"},
                "managedFields": [{"manager": "kubectl-create", "operation": "Update", "apiVersion": "v1", "time": "2026-02-01T00:00:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}, "f:.dockerconfigjson": {}}, "f:type": {}}}],
            },
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": BASE64_STANDARD.encode(config.to_string())},
        })
    }
}
