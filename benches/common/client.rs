//! A client as the API server is one: HTTP/1.1 over TLS, on connections that are kept.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where to connect to, and whom to trust.
#[derive(Clone)]
pub(crate) struct Target {
    address: String,
    name: ServerName<'static>,
    connector: TlsConnector,
}

/// A connection, on which one request follows the other.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Target {
    /// A server on this address, of this name, that has one of these certificates (PEM), or one that they issued.
    pub(crate) fn new(address: &str, name: &str, certificate: &str) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(certificate.as_bytes()) {
            roots.add(certificate.expect("PEM")).expect("a certificate");
        }
        let mut config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        // A client that is new each time is what a server has to cope with.
        config.resumption = rustls::client::Resumption::disabled();
        Self {
            address: address.to_owned(),
            name: ServerName::try_from(name.to_owned()).expect("a name"),
            connector: TlsConnector::from(Arc::new(config)),
        }
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address)
            .await
            .expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let stream = self.connector.connect(self.name.clone(), stream).await;
        Connection {
            stream: stream.expect("a handshake"),
            buffer: vec![0; 64 * 1024],
        }
    }
}

impl Connection {
    /// Sends a request and waits for the whole answer, which has to be 200 or 201.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).await.expect("written");
        let (mut length, mut wanted) = (0, usize::MAX);
        while length < wanted {
            let read = self.stream.read(&mut self.buffer[length..]).await;
            let read = read.expect("an answer");
            assert_ne!(read, 0, "closed");
            length += read;
            if wanted == usize::MAX {
                wanted = answer_length(&self.buffer[..length]).unwrap_or(wanted);
            }
        }
        &self.buffer[..length]
    }
}

/// A whole request.
pub(crate) fn request(endpoint: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Head and body of an answer whose head is there, and in chunks its end too.
fn answer_length(answer: &[u8]) -> Option<usize> {
    let place = |what: &[u8]| answer.windows(what.len()).position(|part| part == what);
    let end = place(b"\r\n\r\n")? + 4;
    let is_good = answer.starts_with(b"HTTP/1.1 200 ") || answer.starts_with(b"HTTP/1.1 201 ");
    assert!(is_good, "{}", String::from_utf8_lossy(answer));
    let Some(length) = place(b"ontent-length: ").or(place(b"ontent-Length: ")) else {
        return answer.ends_with(b"\r\n0\r\n\r\n").then_some(answer.len());
    };
    let digits = answer[length + 15..].split(|b| *b == b'\r').next()?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(end + length)
}

/// A runtime of one thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        // To see answers soon even where something is always ready.
        .event_interval(8)
        .enable_all()
        .build()
        .expect("a runtime")
}
