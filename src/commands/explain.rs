//! `pullgate explain`.

use super::{Format, Outcome, PolicyArgs, read};
use crate::kubelet::image::Image;
use crate::kubelet::keyring::Keyring;
use crate::objects::manifest::{self, CredentialsError};
use crate::policy::pattern::Host;
use crate::policy::selector::{Match, Namespace};
use crate::policy::{Access, Candidate, Policy, Unmatched};
use crate::secrets::account::Life;
use crate::secrets::credentials::{Content, Credential, Flaw, SecretContent};
use crate::text::excerpt::clean;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// What to explain.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # How the kubelet reads a reference
  pullgate explain nginx reg.example:5000/team/app@sha256:...

  # Which rule covers an image in a namespace, and why that one
  pullgate explain --policy policy.yaml -n payments-eu contoso.azurecr.io/payments/api:1.4

  # Every image that runs
  kubectl get pods -A -o jsonpath='{range .items[*].spec.containers[*]}{.image}{\"\\n\"}{end}' |
    sort -u | pullgate explain --policy policy.yaml -o json -

  # Which credentials the kubelet would try with these pull secrets
  kubectl get secret regcred team-pull -o yaml > secrets.yaml
  pullgate explain --secrets secrets.yaml contoso.azurecr.io/payments/api:1.4

Without a policy only the parsed reference is shown. Exit codes: 0, 1 where an image cannot be parsed, 2 could not do it.")]
pub struct ExplainArgs {
    /// Images, or `-` for one on each line of stdin.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Secrets (YAML or JSON), in the order in which a pod lists them: also tell which credentials the kubelet would try.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// The namespace of the pod.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// How the result is written.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// What there is to say about an image. The keys are fixed: other programs read them.
#[derive(Debug, Serialize)]
struct Explanation<'a> {
    image: &'a str,
    registry: Option<&'a str>,
    repository: Option<&'a str>,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    rule: Option<&'a str>,
    via: Option<&'static str>,
    secrets: Vec<&'a str>,
    error: Option<String>,
    #[serde(flatten)]
    pull: Option<Pull>,
}

/// What the kubelet would try; an empty list is an anonymous pull.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pull {
    keyring: Option<Vec<Tried>>,
    keyring_error: Option<String>,
}

/// A credential of a secret. Never its password.
#[derive(Debug, Clone, Serialize)]
struct Tried {
    secret: String,
    key: String,
    username: String,
}

/// The secrets of a pod.
struct Secrets {
    /// Their credentials, or why the kubelet fails every pull with them.
    keyring: Result<Keyring<Tried>, String>,
    /// What is worth knowing about them: a line each.
    notes: Vec<String>,
}

/// Explains images.
///
/// # Errors
/// The policy cannot be used, or nobody reads the result.
pub fn run(args: &ExplainArgs, out: &mut impl Write) -> Result<Outcome> {
    let policy = args.policy.load()?;
    let images = images(&args.images)?;
    let read = |path| read_secrets(path, policy.as_ref());
    let secrets = args.secrets.as_deref().map(read).transpose()?;
    let namespace = Namespace {
        name: &args.namespace,
        labels: None,
    };
    let parsed: Vec<_> = images
        .iter()
        .map(|text| (text.as_str(), Image::parse(text)))
        .collect();
    if args.output == Format::Json {
        let explained: Vec<_> = parsed
            .iter()
            .map(|image| explain(image, policy.as_ref(), namespace, secrets.as_ref()))
            .collect();
        serde_json::to_writer_pretty(&mut *out, &explained)?;
        writeln!(out)?;
    } else {
        for image in &parsed {
            show(
                out,
                &explain(image, policy.as_ref(), namespace, secrets.as_ref()),
            )?;
            if let (Some(policy), Ok(image)) = (&policy, &image.1) {
                for (name, line) in why(policy, image, namespace) {
                    field(out, name, Some(&line))?;
                }
            }
        }
    }
    if args.output == Format::Text
        && let Some(secrets) = &secrets
        && !secrets.notes.is_empty()
    {
        writeln!(out, "secrets")?;
        for note in &secrets.notes {
            writeln!(out, "  {}", clean(note))?;
        }
    }
    let all_valid = parsed.iter().all(|(_, image)| image.is_ok());
    Ok(if all_valid {
        Outcome::Clean
    } else {
        Outcome::Findings
    })
}

fn images(args: &[String]) -> Result<Vec<String>> {
    let mut images = Vec::new();
    for arg in args {
        if arg == "-" {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .context("cannot read images from stdin")?;
            images.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        } else {
            images.push(arg.clone());
        }
    }
    Ok(images)
}

fn explain<'a>(
    (text, image): &'a (
        &'a str,
        Result<Image<'a>, crate::kubelet::image::ImageError>,
    ),
    policy: Option<&'a Policy>,
    namespace: Namespace<'_>,
    secrets: Option<&Secrets>,
) -> Explanation<'a> {
    let rule = image.as_ref().ok().and_then(|image| {
        let policy = policy.filter(|policy| policy.exempt(namespace) != Match::Yes)?;
        policy.rule_for(image, namespace)
    });
    let image_ref = image.as_ref().ok();
    Explanation {
        image: text,
        registry: image_ref.map(Image::registry),
        repository: image_ref.map(Image::repository),
        tag: image_ref.and_then(Image::tag),
        digest: image_ref.and_then(Image::digest),
        rule: rule.map(|rule| rule.name.as_str()),
        via: rule.map(|rule| via(&rule.access)),
        secrets: rule
            .map(|rule| rule.secret_names().collect())
            .unwrap_or_default(),
        error: image.as_ref().err().map(ToString::to_string),
        pull: secrets.map(|secrets| pull(secrets, image_ref)),
    }
}

fn pull(secrets: &Secrets, image: Option<&Image<'_>>) -> Pull {
    let tried = |keyring: &Keyring<Tried>| -> Vec<Tried> {
        let found = image.map(|image| keyring.lookup(image)).unwrap_or_default();
        found.into_iter().map(|(_, tried)| tried.clone()).collect()
    };
    let keyring = secrets.keyring.as_ref().ok().filter(|_| image.is_some());
    Pull {
        keyring: keyring.map(tried),
        keyring_error: secrets.keyring.as_ref().err().cloned(),
    }
}

fn read_secrets(path: &Path, policy: Option<&Policy>) -> Result<Secrets> {
    let manifests = manifest::read(&read(path)?);
    if let Some(fault) = manifests.fault {
        bail!(
            "this is no YAML: {}",
            fault.line(&path.display().to_string())
        );
    }
    let secrets: Vec<_> = manifests
        .objects
        .iter()
        .filter(|object| object.is_secret())
        .collect();
    ensure!(!secrets.is_empty(), "{} holds no Secret", path.display());
    let (mut keyring, mut notes) = (Keyring::default(), Vec::new());
    let mut malformed = None;
    for secret in secrets {
        let name = secret.name().unwrap_or_default();
        let entries = match secret.credentials() {
            Ok(entries) => entries,
            Err(CredentialsError::Refused(error)) => return Err(error.into()),
            Err(CredentialsError::Malformed(error)) => {
                malformed.get_or_insert_with(|| {
                    format!("the kubelet fails every pull of a pod that lists {name:?}: {error}")
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
                    .flat_map(|content| about(name, content, policy)),
            );
        }
        for entry in entries {
            let Some(key) = entry.key else { continue };
            let tried = Tried {
                secret: name.to_owned(),
                key: String::from_utf8_lossy(&key).into_owned(),
                username: String::from_utf8_lossy(&entry.username).into_owned(),
            };
            keyring.add(&key, tried);
        }
    }
    Ok(Secrets {
        keyring: malformed.map_or(Ok(keyring), Err),
        notes,
    })
}

/// Whose the credentials of a secret are, and what is wrong with them.
fn about(name: &str, content: &Content, policy: Option<&Policy>) -> Vec<String> {
    let now = Timestamp::now();
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
    let accounts = content.credentials().iter().map(account);
    accounts.chain(content.flaws().map(flaw)).collect()
}

fn via(access: &Access) -> &'static str {
    match access {
        Access::Secrets(_) => "secrets",
        Access::Node => "node",
        Access::Public => "public",
    }
}

fn show(out: &mut impl Write, explanation: &Explanation<'_>) -> Result<()> {
    writeln!(out, "{}", clean(explanation.image))?;
    let registry = explanation.registry.map(|registry| {
        if registry.is_empty() {
            "(none)"
        } else {
            registry
        }
    });
    field(out, "registry", registry)?;
    field(out, "repository", explanation.repository)?;
    field(out, "tag", explanation.tag)?;
    field(out, "digest", explanation.digest)?;
    field(
        out,
        "error",
        explanation.error.as_deref().map(clean).as_deref(),
    )?;
    field(
        out,
        "secrets",
        Some(explanation.secrets.join(", ").as_str()).filter(|secrets| !secrets.is_empty()),
    )?;
    let words = match explanation.via {
        Some("node") => Some("nodes authenticate themselves: nothing is injected"),
        Some("public") => Some("pulled anonymously: nothing is injected"),
        _ => None,
    };
    field(out, "access", words)?;
    show_pull(out, explanation)
}

fn field(out: &mut impl Write, name: &str, value: Option<&str>) -> std::io::Result<()> {
    value.map_or(Ok(()), |value| writeln!(out, "  {name:<11} {value}"))
}

/// What the kubelet would try, a line each.
fn show_pull(out: &mut impl Write, explanation: &Explanation<'_>) -> Result<()> {
    let Some(pull) = &explanation.pull else {
        return Ok(());
    };
    let error = pull.keyring_error.as_deref().map(clean);
    field(out, "pull", error.as_deref())?;
    let Some(keyring) = &pull.keyring else {
        return Ok(());
    };
    if keyring.is_empty() {
        field(
            out,
            "pull",
            Some("anonymous: no secret has a credential for it"),
        )?;
    }
    let is_of_rule = |tried: &Tried| explanation.secrets.contains(&tried.secret.as_str());
    let first = keyring.first().filter(|first| !is_of_rule(first));
    if let (Some(first), Some(late)) = (first, keyring.iter().find(|tried| is_of_rule(tried))) {
        let line = format!(
            "{} of the rule is tried only after {}, whose key {} comes before {}",
            late.secret, first.secret, first.key, late.key
        );
        field(out, "shadowed", Some(&clean(&line)))?;
    }
    for (number, tried) in keyring.iter().enumerate() {
        let Tried {
            secret,
            key,
            username,
        } = tried;
        let which = if number == 0 { "tried first" } else { "then" };
        let line = format!("{which}: {secret} (key {key}, user {username:?})");
        field(out, "pull", Some(&clean(&line)))?;
    }
    Ok(())
}

/// The rule, and why that one and none of the others: a line each.
fn why(
    policy: &Policy,
    image: &Image<'_>,
    namespace: Namespace<'_>,
) -> Vec<(&'static str, String)> {
    let here = namespace.name;
    if policy.exempt(namespace) == Match::Yes {
        return vec![(
            "rule",
            format!("none: namespace {here} is exempt, and left alone"),
        )];
    }
    let candidates = policy.candidates(image, namespace);
    let winner = candidates
        .iter()
        .position(|candidate| candidate.applies != Match::No);
    let mut lines = vec![(
        "rule",
        winner.map_or_else(
            || uncovered(policy, here),
            |number| told(&candidates[number]),
        ),
    )];
    for (number, other) in candidates
        .iter()
        .enumerate()
        .filter(|(number, _)| Some(*number) != winner)
    {
        let reason = match winner {
            Some(winner) if winner < number && other.applies != Match::No => {
                why_before(&candidates[winner], other)
            }
            _ => format!("not in namespace {here}"),
        };
        lines.push(("not", format!("{}: {reason}", told(other))));
    }
    if winner.is_some_and(|number| candidates[number].applies == Match::Unknown) {
        lines.push(("if", format!("the labels of namespace {here} match")));
    }
    lines
}

fn told(candidate: &Candidate<'_>) -> String {
    format!("{} (pattern {})", candidate.rule.name, candidate.pattern)
}

fn uncovered(policy: &Policy, namespace: &str) -> String {
    let then = match policy.unmatched() {
        Unmatched::Allow => "allowed",
        Unmatched::Warn => "admitted with a warning",
        Unmatched::Deny => "refused",
    };
    format!("none covers it in namespace {namespace}: {then} by `unmatched`")
}

/// What decided between two rules that cover the same image.
fn why_before(winner: &Candidate<'_>, loser: &Candidate<'_>) -> String {
    let is_exact = |candidate: &Candidate<'_>| matches!(candidate.pattern.host(), Host::Exact(_));
    let reason = if winner.pattern.path().len() != loser.pattern.path().len() {
        "its path is shorter"
    } else if is_exact(winner) != is_exact(loser) {
        "its host has a `*`"
    } else if winner.pattern.host().literals() != loser.pattern.host().literals() {
        "more of its host is `*`"
    } else if winner.rule.namespaces.is_some() != loser.rule.namespaces.is_some() {
        "it is for all namespaces"
    } else {
        "it comes later in the policy"
    };
    reason.to_owned()
}
