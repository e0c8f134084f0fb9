//! `pullgate explain`.

use super::{Format, Outcome, PolicyArgs};
use crate::image::Image;
use crate::pattern::Host;
use crate::policy::{Access, Candidate, Policy, Unmatched};
use crate::selector::{Match, Namespace};
use crate::words::clean;
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::io::{Read, Write};

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

Without a policy only the parsed reference is shown. Exit codes: 0, 1 where an image cannot be parsed, 2 could not do it.")]
pub struct ExplainArgs {
    /// Images, or `-` for one on each line of stdin.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    #[command(flatten)]
    policy: PolicyArgs,
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
}

/// Explains images.
///
/// # Errors
/// The policy cannot be used, or nobody reads the result.
pub fn run(args: &ExplainArgs, out: &mut impl Write) -> Result<Outcome> {
    let policy = args.policy.load()?;
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
                for (name, line) in why(policy, image, namespace) {
                    field(out, name, Some(&line))?;
                }
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
    Ok(field(out, "access", words)?)
}

fn field(out: &mut impl Write, name: &str, value: Option<&str>) -> std::io::Result<()> {
    value.map_or(Ok(()), |value| writeln!(out, "  {name:<11} {value}"))
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
