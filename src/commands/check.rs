//! `pullgate check`: the judgement of the webhook on files.

use super::inputs::{self, LeftOut, Why};
use super::{CommandOutcome, PolicyArgs};
use crate::policy::Loaded;
use crate::policy::source::PolicyText;
use crate::reports::check::{Input, Report, Settings};
use crate::runtime::clock::today;
use crate::runtime::terminal::colour;
use crate::text::diagnostic::Severity;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use std::io::{Write, stderr, stdout};
use std::path::PathBuf;

/// The most folders that are named for one reason to leave them out; the rest is counted.
const MAX_LEFT_OUT: usize = 10;

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # The policy alone
  pullgate check --policy policy.yaml

  # Manifests: files, folders, and what other tools make
  pullgate check --policy policy.yaml -f deploy/ -n payments
  helm template shop charts/shop | pullgate check --policy policy.yaml -f - -n shop
  kubectl kustomize overlays/eu | pullgate check --policy policy.yaml -f -

  # For a code host
  pullgate check --policy policy.yaml -f deploy/ -o sarif > pullgate.sarif

Exit codes: 0 clean, 1 findings, 2 usage or I/O error. Labels of Namespaces and pull secrets of ServiceAccounts among the files count for the
other objects. Exceptions in use, findings of bans in mode audit, and warnings about the policy are shown and do not make the exit code 1.")]
pub struct CheckArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Manifests to judge: files, folders (all .yaml, .yml and .json in them), or `-` for stdin.
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", num_args = 1..)]
    filenames: Vec<PathBuf>,
    /// The namespace of objects without one.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Report each image without a registry: on nodes with CRI-O it may not come from docker.io.
    #[arg(long)]
    strict_names: bool,
    /// The format of the report.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: CheckFormat,
    /// The least severity that makes the exit code 1.
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "warning")]
    fail_on: FailOn,
}

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For code hosts: SARIF 2.1.0.
    Sarif,
}

/// The least severity that makes the exit code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Warnings too: the webhook would admit the object with a warning.
    Warning,
    /// Errors alone: the webhook would refuse the object, a credential is in a file, or a file cannot be read.
    Error,
}

/// Shows all faults and warnings of a policy, and the judgement of manifests under it.
///
/// # Errors
/// A file cannot be read, or there is no file.
pub fn run(args: &CheckArgs, out: &mut impl Write) -> Result<CommandOutcome> {
    let (name, text) = args
        .policy
        .read()?
        .context("name the policy: --policy FILE or --policy-configmap NAMESPACE/NAME")?;
    let (mut inputs, left_out) = inputs::read(&args.filenames)?;
    tell_left_out(&left_out)?;
    let real = |name: &str| std::fs::canonicalize(name).ok();
    let file = args.policy.file().and_then(|_| real(&name));
    for input in &mut inputs {
        // A pipe and stdin have no real name. That does not make them the same file.
        input.is_policy = file.is_some() && real(&input.name) == file;
    }
    let Loaded {
        policy,
        diagnostics,
    } = PolicyText::File(&text).load(today());
    let mut report = Report::default();
    report.add_policy(
        Input {
            name,
            text,
            is_policy: true,
        },
        diagnostics,
    );
    if let Some(policy) = &policy {
        let settings = Settings {
            policy,
            namespace: &args.namespace,
            now: Timestamp::now(),
            strict_names: args.strict_names,
        };
        report.add_manifests(inputs, &settings);
        let has_chart = left_out.iter().any(|folder| folder.why == Why::Chart);
        let is_empty = !args.filenames.is_empty() && !has_chart && report.is_empty();
        anyhow::ensure!(
            !is_empty,
            "the files of -f hold nothing to check: look at the path, and at the command before a pipe"
        );
    }
    match args.output {
        CheckFormat::Text => out.write_all(report.text(colour(&stdout())).as_bytes())?,
        CheckFormat::Json => writeln!(out, "{:#}", report.json())?,
        CheckFormat::Sarif => writeln!(out, "{:#}", report.sarif(&current_dir()))?,
    }
    out.flush()?;
    talk(args, &report, policy.is_some())?;
    let is_clean = report.count(Severity::Fault) == 0
        && (args.fail_on == FailOn::Error || report.count_in_manifests(Severity::Warning) == 0);
    Ok(if is_clean {
        CommandOutcome::Clean
    } else {
        CommandOutcome::Findings
    })
}

fn current_dir() -> String {
    let dir = std::env::current_dir().unwrap_or_default();
    dir.display().to_string()
}

/// Writes the result to stderr: a line, and the objects that were not judged.
fn talk(args: &CheckArgs, report: &Report, has_policy: bool) -> Result<()> {
    if args.filenames.is_empty() {
        return Ok(());
    }
    let mut talk = stderr();
    if !has_policy {
        let why = "the manifests were not judged, because the policy has faults";
        writeln!(talk, "pullgate: {why}")?;
        return Ok(());
    }
    writeln!(talk, "pullgate: {}", report.summary())?;
    if let Some(unjudged) = report.unjudged() {
        writeln!(talk, "pullgate: {unjudged}")?;
    }
    if let Some(nothing) = report.nothing_judged() {
        writeln!(talk, "pullgate: {nothing}")?;
    }
    Ok(())
}

/// Writes to stderr the folders that were left out, each reason at most [`MAX_LEFT_OUT`] times.
fn tell_left_out(left_out: &[LeftOut]) -> Result<()> {
    let mut talk = stderr();
    let (charts, hidden): (Vec<_>, Vec<_>) =
        left_out.iter().partition(|folder| folder.why == Why::Chart);
    for (folders, why) in [(charts, Why::Chart), (hidden, Why::Hidden)] {
        for LeftOut { folder, .. } in folders.iter().take(MAX_LEFT_OUT) {
            let folder = folder.display();
            match why {
                Why::Chart => writeln!(
                    talk,
                    "pullgate: {folder} is a chart, its templates were not looked at: check the output of `helm template`"
                ),
                Why::Hidden => writeln!(
                    talk,
                    "pullgate: {folder} was not looked at, because its name begins with a dot: name it with -f to check it"
                ),
            }?;
        }
        let rest = folders.len().saturating_sub(MAX_LEFT_OUT);
        if rest > 0 {
            writeln!(talk, "pullgate: and {rest} more folders like it")?;
        }
    }
    Ok(())
}
