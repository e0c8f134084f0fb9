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

/// The number of folders that are named as left out for one reason; the rest is counted.
const MAX_LEFT_OUT: usize = 10;

/// What to check.
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

Exit codes: 0 clean, 1 findings, 2 could not do it. Namespaces and ServiceAccounts among the files are known to the judgement of the others.
Exceptions in use, what a ban in mode audit finds, and warnings about the policy are told and are no findings.")]
pub struct CheckArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Manifests to judge: files, folders (all .yaml, .yml and .json in them), or `-` for stdin.
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", num_args = 1..)]
    filenames: Vec<PathBuf>,
    /// The namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Report each image without a registry: on nodes with CRI-O it may not come from docker.io.
    #[arg(long)]
    strict_names: bool,
    /// How the result is written.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: CheckFormat,
    /// What makes the exit code 1.
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "warning")]
    fail_on: FailOn,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For code hosts: SARIF 2.1.0.
    Sarif,
}

/// What counts as a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Also what would be admitted with a warning.
    Warning,
    /// Only what would be refused, credentials, and what cannot be read.
    Error,
}

/// Shows all faults and warnings of a policy, and what manifests would come to under it.
///
/// # Errors
/// Something cannot be read.
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
        // A pipe has no real name, and neither has stdin: they are not the same for that.
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
            "there is nothing in what -f names: no object, no document"
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

/// Writes to stderr what was left out and the result in a line.
fn talk(args: &CheckArgs, report: &Report, has_policy: bool) -> Result<()> {
    if args.filenames.is_empty() {
        return Ok(());
    }
    let mut talk = stderr();
    if !has_policy {
        let why = "the policy has faults, and so nothing else was judged";
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
                    "pullgate: {folder} is a chart, its templates were not looked at: check what `helm template` makes of it"
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
