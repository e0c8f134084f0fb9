//! `pullgate check`: the policy alone.

use super::Outcome;
use crate::diagnostic::Severity;
use crate::live::today;
use crate::policy::Policy;
use anyhow::Result;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// What to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The policy.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
}

/// Shows all faults and warnings of a policy.
///
/// # Errors
/// The file cannot be read.
pub fn run(args: &CheckArgs, out: &mut impl Write) -> Result<Outcome> {
    let text = super::read(&args.policy)?;
    let diagnostics = Policy::load(&text, today()).diagnostics;
    super::show(
        out,
        &diagnostics,
        &args.policy,
        &text,
        super::wants_colour(&std::io::stdout()),
    )?;
    let is_faulty = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Fault);
    Ok(if is_faulty {
        Outcome::Findings
    } else {
        Outcome::Clean
    })
}
