//! The admin port, and how the process begins and ends.

use crate::policy::EXAMPLE;
use crate::support::{POLICY, Setting, create_pod};
use crate::tls::{Client, split, start, status};
use pullgate::authority::SelfSigned;
use pullgate::census::{Census, Injected, State};
use pullgate::lifecycle::{Part, Readiness};
use pullgate::metrics::{Metrics, PolicySource, Unanswered};
use pullgate::server::admin;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A `pullgate serve` of its own, ended also when the test fails.
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

    /// The status and the body of an answer of the admin port.
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
            alpn: None,
            identity: None,
        }
    }

    fn terminate(&self) {
        // A shell has a `kill` of its own; a small machine may have no other.
        let kill = format!("kill {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .expect("sh")
                .success()
        );
    }

    /// The exit code, and what was logged until then.
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
        assert_ne!(log.read_line(&mut line).expect("text"), 0, "it ended");
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        if line["fields"]["message"] == message {
            return line["fields"]["address"]
                .as_str()
                .expect("an address")
                .to_owned();
        }
    }
}

/// Arguments for a server with this certificate.
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

#[test]
fn the_admin_port_says_how_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let process = Process::start(dir.path(), &[]);
    assert_eq!(process.get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(process.get("/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(process.get("/elsewhere").0, 404);
    let text = process.get("/metrics").1;
    assert!(text.ends_with("# EOF\n"), "{text}");
    let week = 7.0 * 24.0 * 3600.0;
    let expires = process
        .metric("pullgate_certificate_expiry_timestamp_seconds")
        .expect("it is there");
    let loaded = process
        .metric("pullgate_policy_loaded_timestamp_seconds")
        .expect("it is there");
    assert!((expires - loaded - week).abs() < 60.0, "{text}");
}

#[test]
fn not_ready_says_what_is_missing() {
    let readiness = Readiness::waiting_for(&[Part::Certificate, Part::Policy]);
    let (is_ready, text) = readiness.report();
    assert!(!is_ready);
    assert_eq!(
        text,
        "not ready: there is no certificate yet\nnot ready: there is no policy yet\n"
    );
    readiness.has(Part::Certificate);
    assert_eq!(
        readiness.report(),
        (false, "not ready: there is no policy yet\n".to_owned())
    );
    readiness.has(Part::Policy);
    assert_eq!(readiness.report(), (true, "ready\n".to_owned()));
    readiness.stop();
    assert_eq!(
        readiness.report(),
        (false, "not ready: about to end\n".to_owned())
    );
}

#[tokio::test]
async fn not_ready_is_503() {
    let readiness = Arc::new(Readiness::waiting_for(&[Part::Policy]));
    let running = crate::tls::serve(admin::router(readiness, Arc::default())).await;
    let mut stream = running.client().connect().await.expect("a handshake");
    let request = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let (head, body) = split(&answer);
    assert_eq!(
        (status(&head), &*body),
        (503, &b"not ready: there is no policy yet\n"[..])
    );
    running.end().await;
}

/// Promise 4, as the metrics show it.
#[test]
fn promise_4_a_bad_policy_file_shows_in_the_metrics_and_replaces_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let process = Process::start(dir.path(), &[]);
    let path = dir.path().join("policy.yaml");
    assert_eq!(process.metric("pullgate_policy_generation"), Some(1.0));
    std::fs::write(&path, "kind: PullPolicy\nbans: [{}]\n").expect("a file");
    until("the faults are counted", || {
        process.metric("pullgate_policy_faults") == Some(3.0)
    });
    assert_eq!(process.metric("pullgate_policy_generation"), Some(1.0));
    assert_eq!(process.get("/readyz").0, 200);
    std::fs::write(&path, format!("{EXAMPLE}\n# changed\n")).expect("a file");
    until("the policy is in force", || {
        process.metric("pullgate_policy_generation") == Some(2.0)
    });
    assert_eq!(process.metric("pullgate_policy_faults"), Some(0.0));
}

/// Not ready at once, served on for the delay and told to connect anew: a rolling restart fails no call. The second
/// signal does not wait.
#[test]
fn the_first_sigterm_takes_its_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let pair = SelfSigned::new(&["localhost"]).expect("a certificate");
    let args = identity(dir.path(), &pair);
    let args: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .chain(["--shutdown-delay", "600"])
        .collect();
    let mut process = Process::start(dir.path(), &args);
    let client = process.client(&pair);
    block_on(async {
        let mut kept = client.connect().await.expect("a handshake");
        let ask = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        kept.write_all(ask).await.expect("written");
        let mut answer = [0; 1024];
        let length = kept.read(&mut answer).await.expect("an answer");
        let head = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(!head.contains("connection: close"), "{head}");
        process.terminate();
        until("it is not ready", || {
            process.get("/readyz") == (503, "not ready: about to end\n".to_owned())
        });
        assert_eq!(process.get("/livez").0, 200);
        assert_eq!(
            client.post("/validate", b"").await.0,
            400,
            "new connections are served"
        );
        kept.write_all(ask).await.expect("written");
        let mut rest = Vec::new();
        kept.read_to_end(&mut rest)
            .await
            .expect("closed after the answer");
        let head = split(&rest).0.to_lowercase();
        assert!(
            status(&head) == 400 && head.contains("connection: close"),
            "{head}"
        );
    });
    process.terminate();
    let (code, log) = process.ended();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("asked twice to stop"), "{log}");
}

#[test]
fn after_the_delay_it_ends_by_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut process = Process::start(dir.path(), &["--shutdown-delay", "1"]);
    process.terminate();
    let (code, log) = process.ended();
    assert_eq!(code, Some(0), "{log}");
}

/// One line a decision, with what was decided about what and why, and nothing of what a Secret holds.
#[test]
fn every_decision_is_a_line_of_the_log() {
    let dir = tempfile::tempdir().expect("a folder");
    let pair = SelfSigned::new(&["localhost"]).expect("a certificate");
    let args = identity(dir.path(), &pair);
    let args: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .chain(["--log-filter", "pullgate=debug"])
        .collect();
    let mut process = Process::start(dir.path(), &args);
    let pod = |image: &str| {
        create_pod(json!({"containers": [{"name": "c", "image": image}]})).to_string()
    };
    let banned =
        create_pod(json!({"imagePullSecrets": [{"name": "regcred-shared"}], "containers": []}))
            .to_string();
    let secret = crate::support::create(
        "",
        "Secret",
        json!({"metadata": {"name": "legacy-1"}, "type": "kubernetes.io/dockercfg", "data": {".dockercfg": "hidden-value"}}),
    )
    .to_string();
    let client = process.client(&pair);
    block_on(async {
        for (path, body) in [
            ("/mutate", &pod("contoso.azurecr.io/a")),
            ("/mutate", &pod("nginx")),
            ("/validate", &banned),
            ("/validate", &secret),
            ("/validate", &"no review".to_owned()),
        ] {
            client.post(path, body.as_bytes()).await;
        }
    });
    process.terminate();
    let (_, log) = process.ended();
    assert!(!log.contains("hidden"), "{log}");
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let decisions: Vec<_> = lines
        .filter(|line| line["target"] == "pullgate::server::admission")
        .map(|line| {
            let field = |name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
            [
                line["level"].as_str().unwrap_or_default().to_owned(),
                field("message"),
                field("subject"),
                field("rules") + &field("findings"),
            ]
            .join(" ")
        })
        .collect();
    assert_eq!(
        decisions,
        [
            "DEBUG injected Pod ns/web [\"contoso\"][]",
            "DEBUG admitted Pod ns/web []",
            "INFO denied Pod ns/web [(\"banned-secret\", Some(\"legacy-shared\"))]",
            "DEBUG admitted Secret ns/legacy-1 [(\"banned-name\", Some(\"legacy-shared\"))]",
            "DEBUG a request got no review for an answer  ",
        ]
    );
}

/// The names and labels of the metrics are an interface: `docs/metrics.md` says what they are, and this that it is so.
#[tokio::test]
async fn the_table_of_metrics_is_what_is_counted() {
    let running = start().await;
    let pod = |secret: &str| {
        create_pod(
            json!({"imagePullSecrets": [{"name": secret}], "containers": [{"name": "c", "image": "contoso.azurecr.io/a"}]}),
        )
    };
    let client = running.client();
    assert!(
        !Setting::new(POLICY)
            .validate(&pod("regcred-shared"))
            .allowed()
    );
    assert_eq!(
        client
            .post("/mutate", pod("x").to_string().as_bytes())
            .await
            .0,
        200
    );
    assert_eq!(
        client
            .post("/validate", pod("regcred-shared").to_string().as_bytes())
            .await
            .0,
        200
    );
    let metrics: &Metrics = &running.metrics;
    metrics.policy_in_force(0, PolicySource::Accepted);
    metrics.watch_failed("namespaces", 0);
    metrics.census(&census());
    metrics.unanswered(Unanswered::Panic);
    metrics.connections().closed("total");
    metrics.connections().refused("total");
    let counted = families(&metrics.text(true));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let documented = table(&std::fs::read_to_string(path).expect("docs/metrics.md"));
    assert_eq!(counted, documented);
    running.end().await;
}

/// A census in which nothing is missing.
fn census() -> Census {
    let injected = Injected {
        rule: "contoso".to_owned(),
        secret: "contoso-pull".to_owned(),
        present: [(State::Good, 1)].into(),
        absent: Some(1),
        expires: Some(1),
        changed: Some(1),
    };
    Census {
        injected: vec![injected],
        ..Census::default()
    }
}

type Families = BTreeMap<String, (String, BTreeSet<String>)>;

/// Type and labels of each metric, by the name under which its samples are found.
fn families(text: &str) -> Families {
    let types: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let mut families = Families::new();
    for (name, kind) in types {
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let samples = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| {
                rest.starts_with([' ', '{'])
                    || rest.starts_with(suffix) && !suffix.is_empty()
                    || rest.starts_with("_bucket")
            })
        });
        let labels = samples
            .filter_map(|line| line.split_once('{')?.1.split('}').next())
            .flat_map(|labels| labels.split(','))
            .filter_map(|label| label.split_once('='))
            .map(|(label, _)| label.to_owned())
            .filter(|label| label != "le")
            .collect();
        families.insert(format!("{name}{suffix}"), (kind.to_owned(), labels));
    }
    families
}

/// The same of the rows `| NAME | TYPE | LABELS | … |`.
fn table(markdown: &str) -> Families {
    let rows = markdown
        .lines()
        .filter(|line| line.starts_with("| `pullgate_"));
    rows.map(|row| {
        let cells: Vec<_> = row
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        let labels = cells[3]
            .split(", ")
            .map(str::to_owned)
            .filter(|label| !label.is_empty());
        (cells[1].clone(), (cells[2].clone(), labels.collect()))
    })
    .collect()
}
