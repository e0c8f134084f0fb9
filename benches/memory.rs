//! The memory of a server before and after a million reviews. `cargo bench --bench memory [-- NUMBER]`
//!
//! The server is a process of its own; the reviews are those that a real API server sent (`tests/reviews`), over 16
//! kept connections.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "it prints, or says why not"
)]

use pullgate::authority::SelfSigned;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const CONNECTIONS: usize = 16;

/// Ended also when something fails.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let number = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let number: usize = number.unwrap_or(1_000_000);
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let dir = tempfile::tempdir().expect("a folder");
    let pair = SelfSigned::new(&["localhost"]).expect("a certificate");
    let server = start(dir.path(), &pair);
    let reviews = Arc::new(reviews());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!("{:>10} {:>12} {:>10}", "reviews", "resident", "reviews/s");
    println!("{:>10} {:>9} KiB", 0, resident(&server));
    let mut done = 0;
    for part in [number / 100, number / 10, number / 2, number] {
        let began = Instant::now();
        let count = part - done;
        runtime.block_on(load(&server.1, &pair.certificate, &reviews, count));
        done = part;
        #[expect(clippy::cast_precision_loss, reason = "it is for people")]
        let rate = count as f64 / began.elapsed().as_secs_f64();
        println!("{done:>10} {:>9} KiB {rate:>10.0}", resident(&server));
    }
    std::thread::sleep(Duration::from_secs(5));
    println!(
        "{:>10} {:>9} KiB after 5 s with nothing to do",
        "",
        resident(&server)
    );
}

fn start(dir: &Path, pair: &SelfSigned) -> Server {
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--policy-file",
        ])
        .arg(file(
            "policy.yaml",
            include_str!("../src/commands/example-policy.yaml"),
        ))
        .arg("--tls-cert")
        .arg(file("tls.crt", &pair.certificate))
        .arg("--tls-key")
        .arg(file("tls.key", &pair.key))
        // Denials would be written to the terminal.
        .args(["--log-filter", "warn,pullgate::commands=info"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("pullgate");
    let log = BufReader::new(child.stderr.take().expect("piped"));
    let mut lines = log.lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split("serving address=").nth(1)?.to_owned()));
    Server(child, address.expect("it serves"))
}

/// Whole requests: the endpoint is the last part of the file's name.
fn reviews() -> Vec<Vec<u8>> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reviews");
    let mut paths: Vec<_> = std::fs::read_dir(dir)
        .expect("reviews")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    let request = |path: &PathBuf| {
        let body = std::fs::read(path).expect("a file");
        let is_mutate = path.to_string_lossy().contains(".mutate.");
        let endpoint = if is_mutate { "mutate" } else { "validate" };
        let head = format!(
            "POST /{endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    };
    paths.iter().map(request).collect()
}

/// What a process holds in memory, in KiB (`VmRSS` of proc(5)).
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.0.id())).expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

async fn load(address: &str, root: &str, reviews: &Arc<Vec<Vec<u8>>>, count: usize) {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM"))
        .expect("a certificate");
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let mut clients = JoinSet::new();
    for client in 0..CONNECTIONS {
        let (connector, reviews, address) =
            (connector.clone(), reviews.clone(), address.to_owned());
        clients.spawn(async move {
            let name = ServerName::try_from("localhost").expect("a name");
            let stream = TcpStream::connect(address).await.expect("a connection");
            let mut stream = connector.connect(name, stream).await.expect("a handshake");
            let mut buffer = vec![0; 64 * 1024];
            for i in (client..count).step_by(CONNECTIONS) {
                stream
                    .write_all(&reviews[i % reviews.len()])
                    .await
                    .expect("written");
                answer(&mut stream, &mut buffer).await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("no panic");
    }
}

async fn answer(stream: &mut TlsStream<TcpStream>, buffer: &mut [u8]) {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await.expect("an answer");
        assert_ne!(read, 0, "closed");
        length += read;
        let text = &buffer[..length];
        let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&text[..end]).to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let body = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .expect("a length");
        if length >= end + 4 + body.parse::<usize>().expect("a number") {
            return;
        }
    }
}
