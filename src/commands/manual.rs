//! `pullgate man` and `pullgate completions`: the command line, for `man` and for shells.

use super::CommandOutcome;
use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;

/// The page to print.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pullgate man | man -l -
  pullgate man check > /usr/local/share/man/man1/pullgate-check.1")]
pub struct ManArgs {
    /// The command; without one, the page covers all commands.
    command: Option<String>,
}

/// The shell to print completions for.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(pullgate completions bash)
  pullgate completions zsh > ~/.zfunc/_pullgate
  pullgate completions fish > ~/.config/fish/completions/pullgate.fish")]
pub struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Prints a page in the language of `man`.
///
/// # Errors
/// Fails if the command does not exist, or if the output cannot be written.
pub fn man(args: &ManArgs, mut cli: Command, out: &mut impl Write) -> Result<CommandOutcome> {
    cli.build();
    let command = match &args.command {
        None => cli,
        Some(name) => cli.find_subcommand(name).cloned().with_context(|| {
            format!("{name:?} is not a command: pullgate --help lists the commands")
        })?,
    };
    let title = command.get_display_name().unwrap_or("pullgate").to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .title(title)
        .render(&mut page)?;
    out.write_all(&page)?;
    Ok(CommandOutcome::Clean)
}

/// Prints the completions of commands and flags for a shell.
///
/// # Errors
/// Fails if the output cannot be written.
pub fn completions(
    args: &CompletionsArgs,
    mut cli: Command,
    out: &mut impl Write,
) -> Result<CommandOutcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli, "pullgate", &mut script);
    out.write_all(&script)?;
    Ok(CommandOutcome::Clean)
}
