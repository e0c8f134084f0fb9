//! The API server, seen as a client.

pub mod certificates;
mod collection;
pub mod facts;
mod fingerprint;
pub mod pods;
pub mod policy;
pub mod secrets;
mod watch;
mod webhooks;
pub mod workloads;

use crate::runtime::clock::now;
use crate::runtime::metrics::Metrics;
use anyhow::{Context, Result, anyhow, ensure};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, timeout};

/// The longest wait for an answer of the API server.
const DEADLINE: Duration = Duration::from_secs(10);
/// The interval of the contact checks.
const CONTACT: Duration = Duration::from_secs(10);
/// The first pause before a failed watch is retried. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause. Once the API server is back, a policy edit must not wait half a minute. The few replicas do not
/// burden it with retries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The time that a watch must work before the pauses are short again.
const CALM: Duration = Duration::from_secs(30);
/// The longest time without a byte from the API server: a little more than the 295 s that a watch lasts.
const SILENCE: Duration = Duration::from_secs(310);

/// The namespace and the name of an object, written as `NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl FromStr for ObjectName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (namespace, name) = text.split_once('/').unwrap_or_default();
        ensure!(
            !namespace.is_empty() && !name.is_empty() && !name.contains('/'),
            "write it as NAMESPACE/NAME"
        );
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Returns a client by a kubeconfig file, or by the one that kubectl would use, or by the ServiceAccount of this pod.
///
/// # Errors
/// The file cannot be read or is not usable.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client> {
    Ok(client_in(kubeconfig, None).await?.0)
}

/// Returns a client as [`client`] does, for a context of the kubeconfig, and the namespace of that context.
async fn client_in(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<(Client, String)> {
    let place = || match kubeconfig {
        Some(path) => format!("cannot use the kubeconfig {}", path.display()),
        None => "found no usable kubeconfig: name one with --kubeconfig".to_owned(),
    };
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let mut config = match (kubeconfig, context) {
        (Some(path), _) => {
            let file = Kubeconfig::read_from(path).with_context(place)?;
            let config = Config::from_custom_kubeconfig(file, &options).await;
            config.with_context(place)?
        }
        (None, Some(_)) => Config::from_kubeconfig(&options)
            .await
            .with_context(place)?,
        (None, None) => Config::infer().await.with_context(place)?,
    };
    // kube would retry a failed call up to 15 times, with pauses of minutes. The watches have a back-off of their own.
    config.default_retry = false;
    // Without it, a connection on which nothing comes would be waited for without end.
    config.read_timeout = Some(SILENCE);
    let namespace = config.default_namespace.clone();
    Ok((Client::try_from(config).with_context(place)?, namespace))
}

/// Contacts the API server every ten seconds, for ever, and records the last success. The facts about the cluster are
/// at most that old.
pub async fn contact(client: Client, metrics: Arc<Metrics>) {
    let mut ticks = tokio::time::interval(CONTACT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(Ok(_)) = timeout(CONTACT, client.apiserver_version()).await {
            metrics.api_server_contact(now());
        }
    }
}

/// Waits for an answer of the API server, with a deadline.
async fn answer<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T> {
    let answer = timeout(DEADLINE, call).await;
    Ok(answer.context("the API server does not answer")??)
}

/// The pauses between attempts: each is twice as long as the one before, until an attempt has worked for [`CALM`].
struct Pauses {
    next: Duration,
    /// The moment of the last attempt.
    tried: Option<Instant>,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            next: FIRST_PAUSE,
            tried: None,
        }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if self.tried.is_some_and(|tried| now - tried >= CALM) {
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        self.tried = Some(now + pause);
        Some(pause)
    }
}

/// The last state of an object that a watch reported.
#[derive(Debug, Clone, PartialEq)]
enum Observed<K> {
    /// Nothing was reported yet.
    Unknown,
    Absent,
    Present(K),
}

impl<K> From<Option<K>> for Observed<K> {
    fn from(object: Option<K>) -> Self {
        object.map_or(Self::Absent, Self::Present)
    }
}

/// Removes the text of the API server from an error about a Secret, because it may quote the Secret.
fn without_values(error: &anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => {
            anyhow!("the API server says {} {}", status.code, status.reason)
        }
        Some(_) => anyhow!("the API server cannot be reached"),
        None => anyhow!("{error:#}"),
    }
}
