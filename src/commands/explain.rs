//! `pullgate explain`.

use super::{CommandOutcome, Format, PolicyArgs, read};
use crate::policy::Policy;
use crate::policy::selector::Namespace;
use crate::reports::explanation::{Asked, PullSecrets, Question, SecretsError};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use jiff::Timestamp;
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

/// Explains images.
///
/// # Errors
/// The policy cannot be used, or nobody reads the result.
pub fn run(args: &ExplainArgs, out: &mut impl Write) -> Result<CommandOutcome> {
    let policy = args.policy.load()?;
    let images = images(&args.images)?;
    let read = |path| read_secrets(path, policy.as_ref());
    let secrets = args.secrets.as_deref().map(read).transpose()?;
    let question = Question {
        policy: policy.as_ref(),
        namespace: Namespace {
            name: &args.namespace,
            labels: None,
        },
        secrets: secrets.as_ref(),
    };
    let asked: Vec<_> = images.iter().map(|text| Asked::new(text)).collect();
    match args.output {
        Format::Json => {
            let explained = asked.iter().map(|asked| question.explain(asked));
            serde_json::to_writer_pretty(&mut *out, &explained.collect::<Vec<_>>())?;
            writeln!(out)?;
        }
        Format::Text => out.write_all(question.text(&asked).as_bytes())?,
    }
    Ok(if asked.iter().all(Asked::is_valid) {
        CommandOutcome::Clean
    } else {
        CommandOutcome::Findings
    })
}

fn read_secrets(path: &Path, policy: Option<&Policy>) -> Result<PullSecrets> {
    let file = path.display();
    PullSecrets::read(&read(path)?, policy, Timestamp::now()).map_err(|error| match error {
        SecretsError::NotYaml(fault) => {
            anyhow!("this is no YAML: {}", fault.line(&file.to_string()))
        }
        SecretsError::NoSecret => anyhow!("{file} holds no Secret"),
        SecretsError::Refused(error) => error.into(),
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
