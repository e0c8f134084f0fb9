//! The explanation of an image: its parts, the registry rule that covers it with the reason, and the credentials that
//! the kubelet would try.

mod secrets;
mod unusable;
mod why;

use crate::kubelet::image::{Image, ImageError};
use crate::kubelet::keyring::Keyring;
use crate::kubelet::mistake::Mistake;
use crate::kubelet::userinfo::behind_credentials;
use crate::policy::selector::{Match, Namespace};
use crate::policy::{Access, Policy};
use crate::text::excerpt::clean;
use secrets::{Tried, Unused};
use serde::Serialize;
use std::fmt::Write as _;

pub use secrets::{PullSecrets, SecretsError, SecretsQuestion};

/// The settings with which images are explained.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The policy; without one, only the parsed reference is shown.
    pub policy: Option<&'a Policy>,
    /// The namespace of the pod.
    pub namespace: Namespace<'a>,
    /// The pull secrets of the pod, if they are known.
    pub secrets: Option<&'a PullSecrets>,
}

/// An image to explain.
#[derive(Debug)]
pub struct Asked<'a> {
    text: &'a str,
    image: Result<Image<'a>, ImageError>,
}

impl<'a> Asked<'a> {
    /// Reads a text as an image reference.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            image: Image::parse(text),
        }
    }

    /// Returns whether the text is a valid image reference.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.image.is_ok()
    }
}

/// The explanation of an image. The keys are fixed: other programs read them.
#[derive(Debug, Serialize)]
pub struct Explanation<'a> {
    image: &'a str,
    registry: Option<&'a str>,
    repository: Option<&'a str>,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    rule: Option<&'a str>,
    via: Option<&'static str>,
    #[serde(skip)]
    access: Option<&'a Access>,
    secrets: Vec<&'a str>,
    error: Option<String>,
    #[serde(flatten)]
    mistake: Option<ToldMistake>,
    #[serde(flatten)]
    pull: Option<Pull>,
}

/// The mistake in a text that is not a valid image reference.
#[derive(Debug, Serialize)]
struct ToldMistake {
    mistake: String,
    /// The reference that was probably meant.
    meant: Option<String>,
}

/// The credentials that the kubelet would try; an empty list is an anonymous pull.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pull {
    keyring: Option<Vec<Tried>>,
    keyring_error: Option<String>,
    /// The Secrets that are not tried.
    unused: Vec<Unused>,
}

impl<'a> Question<'a> {
    /// Explains one image.
    #[must_use]
    pub fn explain(&self, asked: &'a Asked<'a>) -> Explanation<'a> {
        let Asked { text, image } = asked;
        let Self {
            policy,
            namespace,
            secrets,
        } = *self;
        let rule = image.as_ref().ok().and_then(|image| {
            let policy = policy.filter(|policy| policy.exempt(namespace) != Match::Yes)?;
            policy.rule_for(image, namespace)
        });
        let image_ref = image.as_ref().ok();
        Explanation {
            image: shown(text),
            registry: image_ref.map(Image::registry),
            repository: image_ref.map(Image::repository),
            tag: image_ref.and_then(Image::tag),
            digest: image_ref.and_then(Image::digest),
            rule: rule.map(|rule| rule.name.as_str()),
            via: rule.map(|rule| rule.access.name()),
            access: rule.map(|rule| &rule.access),
            secrets: rule
                .map(|rule| rule.secret_names().collect())
                .unwrap_or_default(),
            error: image.as_ref().err().map(|error| told_error(text, error)),
            mistake: image.as_ref().err().map(|error| told_mistake(text, error)),
            pull: secrets.map(|secrets| pull(secrets, image_ref)),
        }
    }

    /// Explains images for people.
    #[must_use]
    pub fn text(&self, images: &'a [Asked<'a>]) -> String {
        let mut text = String::new();
        for asked in images {
            show(&mut text, &self.explain(asked));
            if let (Some(policy), Ok(image)) = (self.policy, &asked.image) {
                for (name, line) in why::why(policy, image, self.namespace) {
                    field(&mut text, name, Some(&line));
                }
            }
        }
        let notes = self.secrets.map_or(&[][..], |secrets| &secrets.notes);
        if !notes.is_empty() {
            text.push_str("secrets\n");
        }
        for note in notes {
            let _ = writeln!(text, "  {}", clean(note));
        }
        text
    }
}

/// Returns a text without a user and a password before a registry.
fn shown(text: &str) -> &str {
    behind_credentials(text).unwrap_or(text)
}

/// Returns the words of the kubelet, which may repeat a part of the text.
fn told_error(text: &str, error: &ImageError) -> String {
    if shown(text) == text {
        error.to_string()
    } else {
        ImageError::Format.to_string()
    }
}

fn told_mistake(text: &str, error: &ImageError) -> ToldMistake {
    if shown(text) != text {
        return ToldMistake {
            mistake: "it has a user and a password before the registry (left out here)".to_owned(),
            meant: None,
        };
    }
    let Mistake { what, meant } = Mistake::of(text, error);
    ToldMistake {
        mistake: what,
        meant,
    }
}

fn pull(secrets: &PullSecrets, image: Option<&Image<'_>>) -> Pull {
    let tried = |keyring: &Keyring<Tried>| -> Vec<Tried> {
        let found = image.map(|image| keyring.lookup(image)).unwrap_or_default();
        found.into_iter().map(|(_, tried)| tried.clone()).collect()
    };
    let keyring = secrets.keyring.as_ref().ok().filter(|_| image.is_some());
    let keyring = keyring.map(tried);
    Pull {
        unused: secrets.unused(keyring.as_deref()),
        keyring,
        keyring_error: secrets.keyring.as_ref().err().cloned(),
    }
}

fn show(out: &mut String, explanation: &Explanation<'_>) {
    let _ = writeln!(out, "{}", clean(explanation.image));
    let registry = explanation.registry.map(|registry| {
        if registry.is_empty() {
            "(none)"
        } else {
            registry
        }
    });
    field(out, "registry", registry);
    field(out, "repository", explanation.repository);
    field(out, "tag", explanation.tag);
    field(out, "digest", explanation.digest);
    field(
        out,
        "error",
        explanation.error.as_deref().map(clean).as_deref(),
    );
    if let Some(ToldMistake { mistake, meant }) = &explanation.mistake {
        field(out, "mistake", Some(&clean(mistake)));
        field(out, "meant", meant.as_deref());
    }
    field(
        out,
        "secrets",
        Some(explanation.secrets.join(", ").as_str()).filter(|secrets| !secrets.is_empty()),
    );
    let words = match explanation.access {
        Some(Access::Node) => Some("nodes authenticate themselves: nothing is injected"),
        Some(Access::Public) => Some("pulled anonymously: nothing is injected"),
        Some(Access::Secrets(_)) | None => None,
    };
    field(out, "access", words);
    show_pull(out, explanation);
}

fn field(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = writeln!(out, "  {name:<11} {value}");
    }
}

/// Shows the credentials that the kubelet would try, a line each.
fn show_pull(out: &mut String, explanation: &Explanation<'_>) {
    let Some(pull) = &explanation.pull else {
        return;
    };
    let error = pull.keyring_error.as_deref().map(clean);
    field(out, "pull", error.as_deref());
    let Some(keyring) = &pull.keyring else {
        show_unused(out, pull);
        return;
    };
    if keyring.is_empty() {
        field(
            out,
            "pull",
            Some("anonymous: no secret has a credential for it"),
        );
    }
    let is_of_rule = |tried: &Tried| explanation.secrets.contains(&tried.secret.as_str());
    let first = keyring.first().filter(|first| !is_of_rule(first));
    if let (Some(first), Some(late)) = (first, keyring.iter().find(|tried| is_of_rule(tried))) {
        let line = format!(
            "{} of the rule is tried only after {}, whose key {} comes before {}",
            late.secret, first.secret, first.key, late.key
        );
        field(out, "shadowed", Some(&clean(&line)));
    }
    for (number, tried) in keyring.iter().enumerate() {
        let Tried {
            secret,
            key,
            username,
            ..
        } = tried;
        let which = if number == 0 { "tried first" } else { "then" };
        let line = format!("{which}: {secret} (key {key}, user {username:?})");
        field(out, "pull", Some(&clean(&line)));
    }
    show_unused(out, pull);
}

/// Shows the Secrets that do not serve for an image, a line each.
fn show_unused(out: &mut String, pull: &Pull) {
    for Unused { secret, reason } in &pull.unused {
        if pull.keyring_error.as_ref() != Some(reason) {
            field(out, "unused", Some(&clean(&format!("{secret}: {reason}"))));
        }
    }
}
