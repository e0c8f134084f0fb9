//! The command line.

use crate::commands::check::CheckArgs;
use crate::commands::explain::ExplainArgs;
use crate::commands::manual::{CompletionsArgs, ManArgs};
use crate::commands::serve::ServeArgs;
use crate::commands::why::WhyArgs;
use clap::{Parser, Subcommand};

/// The right imagePullSecrets on every pod, and none of the wrong ones.
#[derive(Debug, Parser)]
#[command(
    name = "pullgate",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "\
Examples:
  pullgate serve --demo                                  a demonstration without a cluster
  pullgate check --policy policy.yaml                    all faults of a policy
  pullgate check --policy policy.yaml -f deploy/         the findings in manifests under it
  pullgate explain --policy policy.yaml -n shop IMAGE    the rule that covers an image, and why
  pullgate schema > pullpolicy.schema.json               the schema, for an editor

Results go to stdout, messages to stderr. Exit codes: 0 clean, 1 findings, 2 usage or I/O error.
Colours only on a terminal, and none with NO_COLOR."
)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the admission webhook.
    Serve(Box<ServeArgs>),
    /// Check a policy, and manifests under it.
    Check(CheckArgs),
    /// Show the rule that covers an image, its secrets, and why this rule wins.
    Explain(ExplainArgs),
    /// Explain why pods wait for their images.
    Why(WhyArgs),
    /// Print the JSON Schema of the policy.
    Schema,
    /// Print the completions of commands and flags for a shell.
    Completions(CompletionsArgs),
    /// Print a man page.
    Man(ManArgs),
}
