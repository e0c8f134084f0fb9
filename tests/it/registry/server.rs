//! A scripted registry by HTTPS. It records every request, and echoes the header `Authorization` in every refusal, as
//! some registries and proxies do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use pullgate::registry::Network;
use pullgate::tls::self_signed::SelfSigned;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// The users of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// No credential.
    Anonymous,
    /// An account with the right to pull `team/app`.
    Good,
    /// An account without it.
    Stranger,
    /// A wrong password.
    Wrong,
}

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `/v2/`.
    Api,
    /// A token with a scope.
    Token,
    /// A token without one.
    Login,
    /// The manifest of this repository and tag.
    Manifest,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) host: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) accept: String,
    pub(super) authorization: Option<String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Text(String),
    /// An error of a registry.
    Error(&'static str, &'static str),
    /// None, and no head either.
    Never,
}

/// A running registry. It ends when it is dropped.
pub(super) struct ScriptedRegistry {
    pub(super) address: SocketAddr,
    root: String,
    hosts: Vec<&'static str>,
    asked: Arc<Mutex<Vec<Asked>>>,
    _task: JoinSet<()>,
}

type Script = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

impl User {
    const ALL: [Self; 4] = [Self::Anonymous, Self::Good, Self::Stranger, Self::Wrong];

    pub(super) fn username(self) -> &'static str {
        match self {
            Self::Anonymous => "",
            Self::Good => "team+puller",
            Self::Stranger => "stranger",
            Self::Wrong => "forgotten",
        }
    }

    pub(super) fn password(self) -> &'static str {
        match self {
            Self::Anonymous => "(no password)",
            Self::Good => "s3cret/good+&\"7",
            Self::Stranger => "correct-horse-battery-staple",
            Self::Wrong => "Password 1%",
        }
    }

    /// A token that a filter for base64 alone would not find.
    pub(super) fn token(self) -> String {
        format!("token.of.{self:?}.every-day")
    }
}

impl Asked {
    pub(super) fn user(&self) -> User {
        let header = self.authorization.as_deref().unwrap_or_default();
        let found = User::ALL.into_iter().find(|user| {
            let pair = format!("{}:{}", user.username(), user.password());
            header == format!("Basic {}", STANDARD.encode(pair))
                || header == format!("Bearer {}", user.token())
        });
        assert!(
            found.is_some() || header.is_empty(),
            "{header} belongs to no user"
        );
        found.unwrap_or(User::Anonymous)
    }

    pub(super) fn place(&self) -> Place {
        match (self.path.as_str(), self.query.contains("scope=")) {
            ("/v2/", _) => Place::Api,
            (path, _) if path.contains("/manifests/") => Place::Manifest,
            (_, true) => Place::Token,
            (_, false) => Place::Login,
        }
    }

    /// Whether it has no header `Authorization`.
    pub(super) fn is_bare(&self) -> bool {
        self.authorization.is_none()
    }

    /// Whether the manifest is in this repository.
    pub(super) fn is_in(&self, repository: &str) -> bool {
        self.path
            .starts_with(&format!("/v2/{repository}/manifests/"))
    }

    /// Whether the manifest has this tag.
    pub(super) fn has_tag(&self, tag: &str) -> bool {
        self.path.ends_with(&format!("/manifests/{tag}"))
    }

    /// The request in short: method, host and path, and `+` if it carries a credential or token.
    pub(super) fn line(&self) -> String {
        let mark = if self.is_bare() { "" } else { " +" };
        format!("{} {}{}{mark}", self.method, self.host, self.path)
    }
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self::error(status, "DENIED", "scripted refusal")
    }

    pub(super) fn error(status: u16, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Error(code, message),
        }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Text(text.to_owned()),
        }
    }

    pub(super) fn ok() -> Self {
        Self::text(200, "{}")
    }

    /// Refuses with 401 and this challenge.
    pub(super) fn challenge(challenge: &str) -> Self {
        let reply = Self::error(401, "UNAUTHORIZED", "authentication required");
        reply.with("www-authenticate", challenge)
    }

    /// Refuses with 401 and a challenge for a token of this realm.
    pub(super) fn bearer(realm: &str) -> Self {
        Self::challenge(&format!(
            "Bearer realm=\"{realm}\",service=\"scripted\",scope=\"repository:team/app:pull\""
        ))
    }

    /// Grants a token.
    pub(super) fn token(user: User) -> Self {
        Self::text(
            200,
            &json!({"token": user.token(), "expires_in": 60}).to_string(),
        )
    }

    pub(super) fn never() -> Self {
        Self {
            body: Body::Never,
            ..Self::ok()
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    async fn send(self, asked: &Asked) -> Response<Full<Bytes>> {
        let echo = asked.authorization.as_deref().unwrap_or("nothing");
        let body = match self.body {
            Body::Never => pending().await,
            Body::Text(text) if self.status < 400 => text,
            Body::Text(text) => format!("{text}; you sent {echo}"),
            Body::Error(code, message) => {
                let message = format!("{message}; you sent {echo}");
                json!({"errors": [{"code": code, "message": message}]}).to_string()
            }
        };
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            // A `HEAD` has no body, so the challenge has to carry the echo.
            let echo = echo.replace('"', "\\\"");
            let value = match name {
                "www-authenticate" => format!("{value},error_description=\"you sent {echo}\""),
                _ => value,
            };
            response = response.header(name, value);
        }
        response.body(Full::new(body.into())).expect("a response")
    }
}

impl ScriptedRegistry {
    /// Serves these hosts, all on one address.
    pub(super) async fn start(
        hosts: &[&'static str],
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let made = SelfSigned::new(hosts).expect("a certificate");
        let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).expect("PEM");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a pair");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let script: Script = Arc::new(script);
        let acceptor: TlsAcceptor = Arc::new(config).into();
        let mut task = JoinSet::new();
        let record = asked.clone();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let serving = serve(acceptor.clone(), stream, script.clone(), record.clone());
                connections.spawn(serving);
            }
        });
        Self {
            address,
            root: made.certificate,
            hosts: hosts.to_vec(),
            asked,
            _task: task,
        }
    }

    /// The network in which the hosts of the registry are at its address, and its certificate is trusted.
    pub(super) fn network(&self) -> Network {
        let hosts = self.hosts.iter();
        Network {
            authorities: self.root.clone(),
            addresses: hosts
                .map(|host| ((*host).to_owned(), self.address))
                .collect(),
            allow_loopback: true,
        }
    }

    /// Takes the requests since the last call.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes them in short.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    script: Script,
    record: Arc<Mutex<Vec<Asked>>>,
) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let answer = |request: Request<Incoming>| {
        let (script, record) = (script.clone(), record.clone());
        async move {
            let asked = Asked::of(&request);
            drop(request.into_body().collect().await);
            record
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(asked.clone());
            Ok::<_, Infallible>(script(&asked).send(&asked).await)
        }
    };
    let connection =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    drop(connection.await);
}

impl Asked {
    fn of(request: &Request<Incoming>) -> Self {
        let header = |name: &str| {
            let value = request.headers().get(name)?;
            Some(value.to_str().expect("ASCII").to_owned())
        };
        Self {
            host: header("host").expect("a host"),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            accept: header("accept").unwrap_or_default(),
            authorization: header(AUTHORIZATION.as_str()),
        }
    }
}

pub(super) fn url_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
