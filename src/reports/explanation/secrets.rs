//! The pull secrets of a pod: the credentials that the kubelet would try, the reasons why the others cannot serve, and
//! hints.

use super::unusable;
use crate::kubelet::docker_config::{Bytes, Entry, Form};
use crate::kubelet::keyring::{self, Keyring};
use crate::objects::manifest::{self, CredentialsError, Manifest, NoBase64};
use crate::policy::Policy;
use crate::secrets::account::Life;
use crate::secrets::credentials::{Content, Credential, Flaw, KeyHint, MAX_ENTRIES, SecretContent};
use crate::text::diagnostic::Diagnostic;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};

/// The most keys of a Secret that are named if none of them matches.
const MAX_KEYS: usize = 5;

/// The reason why the Secrets of a text cannot be used.
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

/// The settings with which Secrets are read.
#[derive(Clone, Copy)]
pub struct SecretsQuestion<'a> {
    /// The policy, which may know the products behind hosts.
    pub policy: Option<&'a Policy>,
    /// The namespace of the pod, if it is given. A pod cannot use Secrets of other namespaces.
    pub namespace: Option<&'a str>,
    /// The time by which credentials expire.
    pub now: Timestamp,
}

/// A credential of a secret, without its password.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tried {
    pub(super) secret: String,
    pub(super) key: String,
    pub(super) username: String,
    /// The number of the Secret in the text: names may appear twice.
    #[serde(skip)]
    number: usize,
}

/// A Secret that the kubelet does not use for an image, and the reason.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Unused {
    pub(super) secret: String,
    pub(super) reason: String,
}

/// The reason why a Secret cannot serve an image.
enum Reason {
    /// The reason holds for all images.
    OfSecret(String),
    /// The reason holds for images that the keys of the Secret do not match.
    OfKeys(String),
}

/// The pull secrets of a pod, read from a file.
pub struct PullSecrets {
    /// Their credentials, or the reason why the kubelet fails every pull with them.
    pub(super) keyring: Result<Keyring<Tried>, String>,
    /// The name of each, and the reason why it cannot serve.
    reasons: Vec<(String, Reason)>,
    /// Accounts, flaws and hints, a line each.
    pub(super) notes: Vec<String>,
}

impl PullSecrets {
    /// Reads the Secrets of a text (YAML or JSON), in the order in which a pod lists them.
    ///
    /// # Errors
    /// The text is not YAML, it has no Secret, or the API server would refuse one of them.
    pub fn read(text: &str, question: SecretsQuestion<'_>) -> Result<Self, SecretsError> {
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
        let mut read = Self {
            keyring: Ok(Keyring::default()),
            reasons: Vec::new(),
            notes: Vec::new(),
        };
        read.notes.extend(several_namespaces(&secrets, question));
        for secret in secrets {
            read.add(secret, question)?;
        }
        Ok(read)
    }

    fn add(&mut self, secret: &Manifest, question: SecretsQuestion<'_>) -> Result<(), NoBase64> {
        let name = secret.name().unwrap_or_default();
        let reason = match unusable::by_its_face(secret, question.namespace) {
            Some(reason) => Reason::OfSecret(reason),
            None => match secret.docker_content()? {
                Some((form, content)) => self.add_content(name, form, content, secret, question)?,
                None => Reason::OfSecret(unusable::without_content(secret)),
            },
        };
        self.reasons.push((name.to_owned(), reason));
        Ok(())
    }

    /// Adds the credentials of a Secret, and returns the reason why it cannot serve other images.
    fn add_content(
        &mut self,
        name: &str,
        form: Form,
        bytes: Bytes,
        secret: &Manifest,
        question: SecretsQuestion<'_>,
    ) -> Result<Reason, NoBase64> {
        let entries = match secret.credentials() {
            Ok(entries) => entries,
            Err(CredentialsError::Refused(error)) => return Err(error),
            Err(CredentialsError::Malformed(error)) => {
                let hint = unusable::encoded_twice(&bytes).unwrap_or_default();
                let error = format!(
                    "the kubelet fails every pull of a pod that lists {name:?}: {error}{hint}"
                );
                if self.keyring.is_ok() {
                    self.keyring = Err(error.clone());
                }
                return Ok(Reason::OfSecret(error));
            }
        };
        let note = |text: String| format!("{name}: {text}");
        let ignored = unusable::ignored_keys(form, &bytes);
        self.notes.extend(ignored.iter().cloned().map(note));
        let reason = unusable::of_layout(form, &bytes, entries.is_empty());
        if reason.is_none()
            && let Some(content) = SecretContent::new(form, bytes)
        {
            let content = content.reduce(None);
            let about = about(name, &content, question.policy, question.now);
            self.notes.extend(about);
        }
        self.notes
            .extend(entries.iter().filter_map(line_end).map(note));
        let keys: Vec<_> = entries
            .iter()
            .filter_map(|entry| entry.key.as_deref())
            .collect();
        let reason = match reason {
            Some(reason) => Reason::OfSecret(reason),
            None => Reason::OfKeys(no_match(&keys, &ignored)),
        };
        if let Ok(keyring) = &mut self.keyring {
            for entry in &entries {
                let Some(key) = &entry.key else { continue };
                let tried = Tried {
                    secret: name.to_owned(),
                    key: String::from_utf8_lossy(key).into_owned(),
                    username: String::from_utf8_lossy(&entry.username).into_owned(),
                    number: self.reasons.len(),
                };
                keyring.add(key, tried);
            }
        }
        Ok(reason)
    }

    /// Returns the Secrets that are not tried for an image, each with the reason. If it is not known which Secrets are
    /// tried, returns only those that cannot serve any image.
    pub(super) fn unused(&self, tried: Option<&[Tried]>) -> Vec<Unused> {
        let used = tried.unwrap_or_default().iter();
        let used: HashSet<usize> = used.map(|tried| tried.number).collect();
        let all = self.reasons.iter().enumerate();
        let unused = all.filter(|(number, _)| !used.contains(number));
        let unused = unused.filter_map(|(_, (secret, reason))| match reason {
            Reason::OfSecret(reason) => Some((secret, reason)),
            Reason::OfKeys(reason) => tried.is_some().then_some((secret, reason)),
        });
        let unused = unused.map(|(secret, reason)| Unused {
            secret: secret.clone(),
            reason: reason.clone(),
        });
        unused.collect()
    }
}

/// Returns the hint that the Secrets are of several namespaces, if the namespace of the pod is not known.
fn several_namespaces(secrets: &[&Manifest], question: SecretsQuestion<'_>) -> Option<String> {
    let namespaces: BTreeSet<&str> = secrets
        .iter()
        .filter_map(|secret| secret.namespace())
        .collect();
    let is_unknown = question.namespace.is_none() && namespaces.len() > 1;
    let names: Vec<_> = namespaces.into_iter().collect();
    is_unknown.then(|| {
        format!(
            "the Secrets are of the namespaces {}, and a pod can use only those of its own: give it with -n",
            names.join(", ")
        )
    })
}

/// Returns the reason for images that none of the Secret's keys matches.
fn no_match(keys: &[&[u8]], ignored: &[String]) -> String {
    let shown = keys.iter().take(MAX_KEYS);
    let shown: Vec<_> = shown.map(|key| String::from_utf8_lossy(key)).collect();
    let more = if shown.len() < keys.len() {
        ", …"
    } else {
        ""
    };
    let names = shown.join(", ");
    let is_useless = keys.iter().all(|key| keyring::some_image(key).is_none());
    match (keys.len(), is_useless) {
        (0, _) => ignored
            .iter()
            .take(MAX_KEYS)
            .cloned()
            .collect::<Vec<_>>()
            .join("; "),
        (1, true) => format!("its key {names} matches no image"),
        (1, false) => format!("its key {names} does not match"),
        (_, true) => format!("its keys match no image: {names}{more}"),
        (count, false) => format!("none of its {count} keys matches: {names}{more}"),
    }
}

/// Returns the hint that a user name or a password ends with a line end, which the kubelet passes on unchanged.
fn line_end(entry: &Entry) -> Option<String> {
    let key = String::from_utf8_lossy(entry.key.as_deref()?);
    let has_end = |text: &[u8]| text.ends_with(b"\n") || text.ends_with(b"\r");
    let what = if has_end(&entry.password) {
        "the password"
    } else if has_end(&entry.username) {
        "the user name"
    } else {
        return None;
    };
    Some(format!(
        "{what} for {key} ends with a line end, which the registry takes as a part of it: encode it without one (printf %s, or echo -n)"
    ))
}

/// Returns the accounts of the credentials of a secret, their flaws, and hints about their keys.
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
            Flaw::NeverMatches => format!("{name}: {key} matches no image; {}", right_key(key)),
            Flaw::Empty => format!(
                "{name}: {key} has no user name and no password; the kubelet does not read identity tokens"
            ),
            Flaw::NoPassword => format!(
                "{name}: {key} has a user name and no password: the kubelet does not read identity tokens, and logs in with an \
                 empty password, which the registry refuses"
            ),
            Flaw::Shadowed => {
                format!(
                    "{name}: {key} is there twice, and the kubelet tries the two in a random order"
                )
            }
        }
    };
    let too_many = (*content == Content::TooManyEntries).then(|| {
        format!("{name}: more than {MAX_ENTRIES} entries, so that the inventory of a cluster does not read them")
    });
    let hint = |credential: &Credential| Some(format!("{name}: {}", hint(credential)?));
    let credentials = content.credentials().iter();
    let real = credentials
        .clone()
        .filter(|credential| credential.has_password());
    let flaws = content.flaws().map(flaw);
    let hints = credentials.filter_map(hint);
    real.map(account)
        .chain(flaws)
        .chain(hints)
        .chain(too_many)
        .collect()
}

/// Returns the hint that a key was probably meant for other images than it matches.
fn hint(credential: &Credential) -> Option<String> {
    let (key, registry) = (&credential.key, credential.registry());
    Some(match credential.hint()? {
        KeyHint::NotDockerHub => format!(
            "{key} serves only images whose registry is written as {registry}; for Docker Hub (docker.io) the key is \
             https://index.docker.io/v1/"
        ),
        KeyHint::ApiPath => format!(
            "{key} serves only images whose path begins with {}; for all of {registry} write {registry}, or a / at the end",
            &key[registry.len() + 1..]
        ),
    })
}

/// Returns the key that was probably meant in place of a key that matches no image.
fn right_key(key: &str) -> &'static str {
    if key.contains("docker.io") || key.contains("docker.com") {
        "Docker Hub is https://index.docker.io/v1/"
    } else {
        "a key is HOST, HOST:PORT or HOST/PATH, in which a path has neither a `*` nor an upper-case letter"
    }
}
