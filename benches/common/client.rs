//! A client that works like the API server: HTTP/1.1 over TLS, on connections that are kept open.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The address of a server, its name, and the certificates to trust.
#[derive(Clone)]
pub(crate) struct Target {
    address: String,
    name: ServerName<'static>,
    connector: TlsConnector,
}

/// A connection for one request after the other.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Target {
    /// Returns the server with this address and this name. It must present one of these certificates (PEM), or one that
    /// they issued.
    pub(crate) fn new(address: &str, name: &str, certificate: &str) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(certificate.as_bytes()) {
            roots.add(certificate.expect("PEM")).expect("a certificate");
        }
        let mut config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Resumption is off because clients that are new each time are the expensive case for a server.
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
    /// Sends a request and reads the whole answer. Panics unless the status is 200 or 201.
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

/// Returns a whole HTTP request.
pub(crate) fn request(endpoint: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Returns the length of head and body, or `None` until the head is complete (and, in a chunked answer, also the last
/// chunk).
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

/// Returns a runtime with one thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        // The runtime polls sockets often, so that answers are noticed soon even while some task is always ready.
        .event_interval(8)
        .enable_all()
        .build()
        .expect("a runtime")
}
