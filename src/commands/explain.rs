//! `pullgate explain`.

use super::{Format, Outcome, load_policy};
use crate::image::Image;
use crate::pattern::Host;
use crate::policy::{Access, Candidate, Policy};
use crate::selector::{Match, Namespace};
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::io::{Read, Write};
use std::path::PathBuf;

/// What to explain.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Images, or `-` for one on each line of stdin.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// The policy; without one only the parsed reference is shown.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The namespace of the pod.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// How the result is written.
    #[arg(short, long, value_enum, default_value = "text")]
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
}

/// Explains images.
///
/// # Errors
/// The policy cannot be used, or nobody reads the result.
pub fn run(args: &ExplainArgs, out: &mut impl Write) -> Result<Outcome> {
    let policy = args
        .policy
        .as_ref()
        .map(|path| load_policy(path))
        .transpose()?
        .map(|(policy, _)| policy);
    let images = images(&args.images)?;
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
            .map(|image| explain(image, policy.as_ref(), namespace))
            .collect();
        serde_json::to_writer_pretty(&mut *out, &explained)?;
        writeln!(out)?;
    } else {
        for image in &parsed {
            show(out, &explain(image, policy.as_ref(), namespace))?;
            if let (Some(policy), Ok(image)) = (&policy, &image.1) {
                why(out, &policy.candidates(image, namespace), namespace)?;
            }
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
    (text, image): &'a (&'a str, Result<Image<'a>, crate::image::ImageError>),
    policy: Option<&'a Policy>,
    namespace: Namespace<'_>,
) -> Explanation<'a> {
    let rule = image
        .as_ref()
        .ok()
        .and_then(|image| policy?.rule_for(image, namespace));
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
            .map(|rule| {
                rule.secrets()
                    .iter()
                    .map(super::super::names::SecretName::as_str)
                    .collect()
            })
            .unwrap_or_default(),
        error: image.as_ref().err().map(ToString::to_string),
    }
}

fn via(access: &Access) -> &'static str {
    match access {
        Access::Secrets(_) => "secrets",
        Access::Node => "node",
        Access::Public => "public",
    }
}

fn show(out: &mut impl Write, explanation: &Explanation<'_>) -> Result<()> {
    writeln!(out, "{}", explanation.image)?;
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
    field(out, "error", explanation.error.as_deref())?;
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
    Ok(field(out, "access", words)?)
}

fn field(out: &mut impl Write, name: &str, value: Option<&str>) -> std::io::Result<()> {
    value.map_or(Ok(()), |value| writeln!(out, "  {name:<11} {value}"))
}

/// The rule, and why that one and none of the others.
fn why(out: &mut impl Write, candidates: &[Candidate<'_>], namespace: Namespace<'_>) -> Result<()> {
    let (applying, elsewhere): (Vec<_>, Vec<_>) =
        candidates.iter().partition(|c| c.applies != Match::No);
    match applying.split_first() {
        None => writeln!(
            out,
            "  rule        none covers it in namespace {}",
            namespace.name
        )?,
        Some((winner, others)) => {
            let only = if others.is_empty() {
                ", the only one that covers it"
            } else {
                ""
            };
            writeln!(
                out,
                "  rule        {} (pattern {}){only}",
                winner.rule.name, winner.pattern
            )?;
            if winner.applies == Match::Unknown {
                writeln!(
                    out,
                    "              if the labels of namespace {} match",
                    namespace.name
                )?;
            }
            for other in others {
                let reason = why_before(winner, other);
                writeln!(
                    out,
                    "  not         {} (pattern {}): {reason}",
                    other.rule.name, other.pattern
                )?;
            }
        }
    }
    for other in elsewhere {
        let there = namespace.name;
        writeln!(
            out,
            "  not         {} (pattern {}): not in namespace {there}",
            other.rule.name, other.pattern
        )?;
    }
    Ok(())
}

/// What decided between two rules that cover the same image.
fn why_before(winner: &Candidate<'_>, loser: &Candidate<'_>) -> &'static str {
    let is_exact = |candidate: &Candidate<'_>| matches!(candidate.pattern.host(), Host::Exact(_));
    if winner.pattern.path().len() != loser.pattern.path().len() {
        "its path is shorter"
    } else if is_exact(winner) != is_exact(loser) {
        "its host has a `*`"
    } else if winner.pattern.host().literals() != loser.pattern.host().literals() {
        "more of its host is `*`"
    } else if winner.rule.namespaces.is_some() != loser.rule.namespaces.is_some() {
        "it is for all namespaces"
    } else {
        "it comes later in the policy"
    }
}
