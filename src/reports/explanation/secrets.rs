//! The pull secrets of a pod: the credentials that the kubelet would try, and what is worth knowing about them.

use crate::kubelet::keyring::Keyring;
use crate::objects::manifest::{self, CredentialsError, NoBase64};
use crate::policy::Policy;
use crate::secrets::account::Life;
use crate::secrets::credentials::{Content, Credential, Flaw, MAX_ENTRIES, SecretContent};
use crate::text::diagnostic::Diagnostic;
use jiff::Timestamp;
use serde::Serialize;

/// A text whose Secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The text is not YAML.
    #[error("{}", .0.message)]
    NotYaml(Diagnostic),
    /// The text has no Secret.
    #[error("no Secret")]
    NoSecret,
    /// The API server would refuse a Secret.
    #[error(transparent)]
    Refused(#[from] NoBase64),
}

/// A credential of a secret. Never its password.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tried {
    pub(super) secret: String,
    pub(super) key: String,
    pub(super) username: String,
}

/// The pull secrets of a pod, read from a file.
pub struct PullSecrets {
    /// Their credentials, or why the kubelet fails every pull with them.
    pub(super) keyring: Result<Keyring<Tried>, String>,
    /// What is worth knowing about them: a line each.
    pub(super) notes: Vec<String>,
}

impl Tried {
    fn new(secret: &str, key: &[u8], username: &[u8]) -> Self {
        Self {
            secret: secret.to_owned(),
            key: String::from_utf8_lossy(key).into_owned(),
            username: String::from_utf8_lossy(username).into_owned(),
        }
    }
}

impl PullSecrets {
    /// Reads the Secrets of a text (YAML or JSON), in the order in which a pod lists them.
    ///
    /// # Errors
    /// The text is not YAML, it has no Secret, or the API server would refuse one of them.
    pub fn read(text: &str, policy: Option<&Policy>, now: Timestamp) -> Result<Self, SecretsError> {
        let manifests = manifest::read(text);
        if let Some(fault) = manifests.faults.into_iter().next() {
            return Err(SecretsError::NotYaml(fault));
        }
        let secrets: Vec<_> = manifests
            .objects
            .iter()
            .filter(|object| object.is_secret())
            .collect();
        if secrets.is_empty() {
            return Err(SecretsError::NoSecret);
        }
        let (mut keyring, mut notes) = (Keyring::default(), Vec::new());
        let mut malformed = None;
        for secret in secrets {
            let name = secret.name().unwrap_or_default();
            let entries = match secret.credentials() {
                Ok(entries) => entries,
                Err(CredentialsError::Refused(error)) => return Err(error.into()),
                Err(CredentialsError::Malformed(error)) => {
                    malformed.get_or_insert_with(|| {
                        format!(
                            "the kubelet fails every pull of a pod that lists {name:?}: {error}"
                        )
                    });
                    continue;
                }
            };
            if let Some((form, content)) = secret.docker_content()? {
                let content = SecretContent::new(form, content);
                let content = content.map(|content| content.reduce(None));
                notes.extend(
                    content
                        .iter()
                        .flat_map(|content| about(name, content, policy, now)),
                );
            }
            for entry in entries {
                let Some(key) = entry.key else { continue };
                keyring.add(&key, Tried::new(name, &key, &entry.username));
            }
        }
        Ok(Self {
            keyring: malformed.map_or(Ok(keyring), Err),
            notes,
        })
    }
}

/// Whose the credentials of a secret are, and what is wrong with them.
fn about(name: &str, content: &Content, policy: Option<&Policy>, now: Timestamp) -> Vec<String> {
    let account = |credential: &Credential| {
        let product = policy.and_then(|policy| policy.product_of(credential.registry()));
        let account = credential.account(product);
        let at = credential
            .expires
            .and_then(|at| Timestamp::from_second(at).ok());
        let until = match (at, account.life) {
            (Some(at), _) if at <= now => format!("; expired {at}"),
            (Some(at), _) => format!("; expires {at}"),
            (None, Life::Endless) => "; does not expire".to_owned(),
            (None, Life::Hours | Life::Unknown) => String::new(),
        };
        let (key, class, reason) = (&credential.key, account.class, account.reason);
        format!("{name}: {key} is of class {class}: {reason}{until}")
    };
    let flaw = |(credential, flaw): (&Credential, Flaw)| {
        let key = &credential.key;
        match flaw {
            Flaw::NeverMatches => {
                format!("{name}: {key} matches no image; Docker Hub is https://index.docker.io/v1/")
            }
            Flaw::Empty => format!(
                "{name}: {key} has no user name and no password, and of tokens the kubelet reads none"
            ),
            Flaw::Shadowed => {
                format!("{name}: {key} is there twice, and which is tried first is left to chance")
            }
        }
    };
    let too_many = (*content == Content::TooManyEntries).then(|| {
        format!("{name}: more than {MAX_ENTRIES} entries, so that a cluster learns nothing of them")
    });
    let accounts = content.credentials().iter().map(account);
    let flaws = content.flaws().map(flaw);
    accounts.chain(flaws).chain(too_many).collect()
}
