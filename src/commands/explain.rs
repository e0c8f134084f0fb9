//! `pullgate explain`.

use super::{CommandOutcome, Format, PolicyArgs, read};
use crate::policy::selector::Namespace;
use crate::reports::explanation::{Asked, PullSecrets, Question, SecretsError, SecretsQuestion};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use jiff::Timestamp;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The images to explain, and the settings.
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
  kubectl get secret -n payments regcred -o yaml |
    pullgate explain --secrets - -n payments contoso.azurecr.io/payments/api:1.4

Without a policy only the parsed reference is shown.
Exit codes: 0 all images can be parsed, 1 an image cannot be parsed, 2 usage or I/O error.")]
pub struct ExplainArgs {
    /// Images, or `-` for one on each line of stdin. Blank lines are skipped.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Secrets (YAML or JSON, `-` for stdin), in the order in which a pod lists them: also show the credentials that
    /// the kubelet would try, and why the other Secrets cannot serve.
    #[arg(long, value_name = "FILE|-")]
    secrets: Option<PathBuf>,
    /// The namespace of the pod (`default` if not given). If given, Secrets of other namespaces are not used.
    #[arg(short, long)]
    namespace: Option<String>,
    /// The format of the result.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Explains images.
///
/// # Errors
/// The policy, the images or the Secrets cannot be read, or the result cannot be written.
pub fn run(args: &ExplainArgs, out: &mut impl Write) -> Result<CommandOutcome> {
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    anyhow::ensure!(
        !(args.secrets.as_deref().is_some_and(is_stdin)
            && args.images.iter().any(|image| image == "-")),
        "stdin cannot be both the images and the Secrets: put one of them into a file"
    );
    let policy = args.policy.load()?;
    let images = images(&args.images)?;
    let secrets_question = SecretsQuestion {
        policy: policy.as_ref(),
        namespace: args.namespace.as_deref(),
        now: Timestamp::now(),
    };
    let read = |path: &Path| read_secrets(path, is_stdin(path), secrets_question);
    let secrets = args.secrets.as_deref().map(read).transpose()?;
    let question = Question {
        policy: policy.as_ref(),
        namespace: Namespace {
            name: args.namespace.as_deref().unwrap_or("default"),
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

fn read_secrets(path: &Path, is_stdin: bool, question: SecretsQuestion<'_>) -> Result<PullSecrets> {
    let (name, text) = if is_stdin {
        ("<stdin>".to_owned(), read_stdin("Secrets")?)
    } else {
        (path.display().to_string(), read(path)?)
    };
    PullSecrets::read(&text, question).map_err(|error| match error {
        SecretsError::NotYaml(fault) => anyhow!("not YAML: {}", fault.line(&name)),
        SecretsError::NoSecret => anyhow!("{name} holds no Secret"),
        SecretsError::Refused(error) => error.into(),
    })
}

fn read_stdin(what: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let mut stdin = std::io::stdin().lock();
    stdin
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {what} from stdin"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn images(args: &[String]) -> Result<Vec<String>> {
    let mut images = Vec::new();
    for arg in args {
        if arg == "-" {
            let text = read_stdin("images")?;
            let lines = text.lines().map(|line| line.trim_end_matches('\r'));
            let lines = lines.filter(|line| !line.trim().is_empty());
            images.extend(lines.map(str::to_owned));
        } else {
            images.push(arg.clone());
        }
    }
    Ok(images)
}
