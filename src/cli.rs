//! The command line.

use crate::commands::check::CheckArgs;
use crate::commands::explain::ExplainArgs;
use crate::commands::serve::ServeArgs;
use clap::{Parser, Subcommand};

/// The right imagePullSecrets on every pod, and none of the wrong ones.
///
/// Exit codes: 0 clean, 1 findings, 2 could not do it. Results go to stdout, talk goes to stderr.
#[derive(Debug, Parser)]
#[command(name = "pullgate", version, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the admission webhook.
    Serve(Box<ServeArgs>),
    /// Check a policy.
    Check(CheckArgs),
    /// Tell which rule covers an image, which secrets it brings, and why that rule.
    Explain(ExplainArgs),
    /// Print the JSON Schema of the policy.
    Schema,
}
