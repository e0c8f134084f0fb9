//! Registries as a client: asks whether a credential pulls an image.
//!
//! **The flow.** `HEAD` of the manifest without a credential. If the answer is 401 with a challenge, the same request
//! with a token of the token endpoint or with Basic: first without the credential, then with it, and after a refusal a
//! login without a scope ([`Probes`] has the table). A token is asked for by GET with Basic. Every request is sent
//! once; a `HEAD` that is not allowed (405) is asked again as GET.
//!
//! **Guarantees.** The whole probe ends within the deadline. The credential goes to the registry of the image and to
//! the token endpoint that [`may_get_credential`] admits, always by TLS. No redirect is followed. A probe connects to
//! the address that was checked ([`special`](crate::kubelet::registry::address::special)). No text of a registry is
//! shown except through [`Confidential::show`].
//!
//! **Assumptions.** The caller passes the one credential that the kubelet's keyring picks. A probe uses no proxy, and
//! says nothing about mirrors, proxies and firewalls of the nodes. A look-up of a name that is given up still occupies
//! a thread: a command ends its runtime with `shutdown_background`.

mod connection;
mod credential;
mod exchange;

pub use connection::Network;
pub use credential::Credential;

use crate::kubelet::image::Image;
use crate::kubelet::registry::body;
use crate::kubelet::registry::challenge::{self, Challenge, Scheme};
use crate::kubelet::registry::realm::may_get_credential;
use crate::kubelet::registry::url::{HttpsUrl, MANIFEST_TYPES};
use crate::kubelet::registry::verdict::{Answer, Ending, Failure, Probes, Step, Verdict};
use crate::text::foreign::Confidential;
use anyhow::Result;
use connection::{Broken, Connector};
use exchange::Reply;
use hyper::Method;
use hyper::header::HeaderValue;
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The time for a probe, from the first look-up of a name to the last byte.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// The type of the answers of token endpoints.
const JSON: &str = "application/json";

/// Probes registries.
pub struct Prober {
    connector: Connector,
    deadline: Duration,
}

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeReport {
    /// The verdict.
    pub verdict: Verdict,
    /// The answers that led to the verdict.
    #[serde(flatten)]
    pub probes: Probes,
}

impl Prober {
    /// Makes a prober. A probe takes no longer than `deadline`, which is [`DEADLINE`] except in tests.
    ///
    /// # Errors
    /// A certificate of the network cannot be read.
    pub fn new(network: Network, deadline: Duration) -> Result<Self> {
        Ok(Self {
            connector: Connector::new(network)?,
            deadline,
        })
    }

    /// Asks whether an image can be pulled, with this credential if there is one. `token_hosts` are hosts (`HOST` or
    /// `HOST:PORT`) besides the registry's own that may get the credential. Returns `None` if the image names no
    /// registry ([`HttpsUrl::manifest`]).
    pub async fn probe(
        &self,
        image: &Image<'_>,
        credential: Option<&Credential>,
        token_hosts: &[String],
    ) -> Option<ProbeReport> {
        let manifest = HttpsUrl::manifest(image)?;
        let mut probe = Probe {
            connector: &self.connector,
            end: Instant::now() + self.deadline,
            confidential: credential.map(Credential::confidential).unwrap_or_default(),
            scope: format!("repository:{}:pull", image.repository()),
            manifest,
        };
        let probes = probe.run(credential, token_hosts).await;
        Some(ProbeReport {
            verdict: probes.verdict(probe.manifest.host()),
            probes,
        })
    }
}

/// A running probe.
struct Probe<'p> {
    connector: &'p Connector,
    end: Instant,
    confidential: Confidential,
    /// The scope to ask for if the challenge names none.
    scope: String,
    manifest: HttpsUrl,
}

/// The way in which the registry wants a credential.
enum Login {
    Basic,
    Token(TokenEndpoint),
}

struct TokenEndpoint {
    realm: HttpsUrl,
    service: Option<String>,
    scope: String,
}

impl Probe<'_> {
    async fn run(&mut self, credential: Option<&Credential>, token_hosts: &[String]) -> Probes {
        let mut probes = Probes::default();
        let first = self.manifest(None).await;
        let login = match &first {
            Ok(reply) if reply.status == 401 => self.login(&reply.challenges, token_hosts),
            // The registry asks for no credential, so a node sends none.
            other => {
                probes.anonymous = Some(self.manifest_answer(other));
                return probes;
            }
        };
        let login = match login {
            Ok(login) => login,
            Err(broken) => {
                probes.anonymous = Some(self.manifest_answer(&Err(broken)));
                return probes;
            }
        };
        probes.anonymous = Some(match &login {
            Login::Basic => self.manifest_answer(&first),
            Login::Token(endpoint) => self.pull_by_token(endpoint, None).await,
        });
        let Some(basic) = credential.and_then(Credential::basic) else {
            return probes;
        };
        let pull = match &login {
            Login::Basic => {
                let reply = self.manifest(Some(basic.clone())).await;
                self.manifest_answer(&reply)
            }
            Login::Token(endpoint) => self.pull_by_token(endpoint, Some(basic.clone())).await,
        };
        if pull.is_refusal(self.manifest.host()) {
            probes.login = Some(self.log_in(&login, basic).await);
        }
        probes.pull = Some(pull);
        probes
    }

    /// Returns the way to log in, by the challenge that a node answers.
    fn login(&self, challenges: &[Challenge], token_hosts: &[String]) -> Result<Login, Broken> {
        let challenge = challenge::choose(challenges);
        let challenge = challenge.ok_or_else(|| Broken::new(Failure::NoScheme))?;
        if challenge.scheme == Scheme::Basic {
            return Ok(Login::Basic);
        }
        let named = challenge.realm.as_deref().unwrap_or_default();
        let realm = HttpsUrl::parse(named);
        let realm = realm.filter(|realm| may_get_credential(&self.manifest, realm, token_hosts));
        let realm = realm.ok_or_else(|| Broken {
            failure: Failure::ForeignRealm,
            text: Some(named.to_owned()),
        })?;
        let scope = challenge.scope.as_ref().filter(|scope| !scope.is_empty());
        Ok(Login::Token(TokenEndpoint {
            realm,
            service: challenge.service.clone(),
            scope: scope.unwrap_or(&self.scope).clone(),
        }))
    }

    /// Asks for a token, and with it for the manifest.
    async fn pull_by_token(
        &mut self,
        endpoint: &TokenEndpoint,
        basic: Option<HeaderValue>,
    ) -> Answer {
        let url = endpoint.url(Some(&endpoint.scope));
        let (granted, answer) = self.ask_token(Step::Token, &url, basic).await;
        let Some(bearer) = granted else {
            return answer;
        };
        let reply = self.manifest(Some(bearer)).await;
        self.manifest_answer(&reply)
    }

    /// Logs in without asking for a right.
    async fn log_in(&mut self, login: &Login, basic: HeaderValue) -> Answer {
        match login {
            Login::Basic => {
                let url = self.manifest.api();
                let reply = self.send(Method::GET, &url, JSON, Some(basic)).await;
                self.answer(Step::Login, &url, &reply)
            }
            Login::Token(endpoint) => {
                let url = endpoint.url(None);
                self.ask_token(Step::Login, &url, Some(basic)).await.1
            }
        }
    }

    /// Asks the token endpoint. Returns the header with the token, if it granted one.
    async fn ask_token(
        &mut self,
        step: Step,
        url: &HttpsUrl,
        basic: Option<HeaderValue>,
    ) -> (Option<HeaderValue>, Answer) {
        let reply = self.send(Method::GET, url, JSON, basic).await;
        let is_granted = |reply: &&Reply| (200..=299).contains(&reply.status);
        let Some(granted) = reply.as_ref().ok().filter(is_granted) else {
            return (None, self.answer(step, url, &reply));
        };
        let token = body::token(&granted.body);
        if let Some(token) = &token {
            self.confidential.add(token.as_bytes());
        }
        // A token that no header can hold counts as absent.
        let bearer = token.and_then(|token| credential::bearer(&token));
        let answer = match bearer {
            Some(_) => self.answer(step, url, &reply),
            None => self.answer(step, url, &Err(Broken::new(Failure::NoToken))),
        };
        (bearer, answer)
    }

    /// Asks for the manifest. On Docker Hub a `HEAD` does not count as a pull.
    async fn manifest(&self, authorization: Option<HeaderValue>) -> Result<Reply, Broken> {
        let ask = |method, authorization| {
            self.send(method, &self.manifest, MANIFEST_TYPES, authorization)
        };
        let reply = ask(Method::HEAD, authorization.clone()).await?;
        if reply.status == 405 {
            return ask(Method::GET, authorization).await;
        }
        Ok(reply)
    }

    async fn send(
        &self,
        method: Method,
        url: &HttpsUrl,
        accept: &'static str,
        authorization: Option<HeaderValue>,
    ) -> Result<Reply, Broken> {
        let exchange = self.connector.exchange(method, url, accept, authorization);
        let reply = timeout_at(self.end, exchange).await;
        reply.unwrap_or_else(|_| Err(Broken::new(Failure::Timeout)))
    }

    fn manifest_answer(&self, reply: &Result<Reply, Broken>) -> Answer {
        self.answer(Step::Manifest, &self.manifest, reply)
    }

    fn answer(&self, step: Step, url: &HttpsUrl, reply: &Result<Reply, Broken>) -> Answer {
        let (ending, text) = match reply {
            Ok(reply) => (Ending::Status(reply.status), reply.reason()),
            Err(broken) => (Ending::Failure(broken.failure), broken.text.clone()),
        };
        let shown = text.map(|text| self.confidential.show(&text));
        // The registry wrote the path of its token endpoint.
        let shown_url = match step {
            Step::Manifest => url.to_string(),
            Step::Token | Step::Login => self.confidential.show(&url.to_string()),
        };
        Answer {
            step,
            ending,
            url: shown_url,
            text: shown.filter(|text| !text.is_empty()),
            retry_after: reply.as_ref().ok().and_then(|reply| reply.retry_after),
        }
    }
}

impl TokenEndpoint {
    fn url(&self, scope: Option<&str>) -> HttpsUrl {
        let service = self.service.as_deref().map(|service| ("service", service));
        let scope = scope.map(|scope| ("scope", scope));
        let parameters: Vec<_> = service.into_iter().chain(scope).collect();
        self.realm.with(&parameters)
    }
}

impl Reply {
    /// Returns the reason for an answer that is not a success: from its body, from its challenge, or the URL that it
    /// redirects to.
    fn reason(&self) -> Option<String> {
        if self.status < 300 {
            return None;
        }
        let errors = self.challenges.iter();
        let mut errors = errors.filter_map(|c| c.error_description.as_ref().or(c.error.as_ref()));
        body::reason(&self.body)
            .or_else(|| errors.next().cloned())
            .or_else(|| self.location.clone())
    }
}
