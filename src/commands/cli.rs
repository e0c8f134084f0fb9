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
  pullgate serve --demo                                  see what it does, without a cluster
  pullgate check --policy policy.yaml                    all faults of a policy
  pullgate check --policy policy.yaml -f deploy/         what manifests come to under it
  pullgate explain --policy policy.yaml -n shop IMAGE    which rule covers an image, and why
  pullgate schema > pullpolicy.schema.json               for the editor

Results go to stdout, talk goes to stderr. Exit codes: 0 clean, 1 findings, 2 could not do it.
Colours only on a terminal, and none with NO_COLOR."
)]
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
    /// Check a policy, and manifests by it.
    Check(CheckArgs),
    /// Tell which rule covers an image, which secrets it brings, and why that rule.
    Explain(ExplainArgs),
    /// Tell why pods wait for their images.
    Why(WhyArgs),
    /// Print the JSON Schema of the policy.
    Schema,
    /// Print what a shell needs to complete commands and flags.
    Completions(CompletionsArgs),
    /// Print a page for `man`.
    Man(ManArgs),
}
