//! The `pullgate` command.

use clap::{CommandFactory, FromArgMatches};
use pullgate::commands::cli::{Cli, Command};
use pullgate::commands::{CommandOutcome, check, explain, manual, schema, serve, why};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    // kube and the server use the provider of the process. If there is one already, that is not a fault.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let out = &mut std::io::stdout().lock();
    let cli = Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let result = match cli.command {
        Command::Serve(args) => serve::run(&args, out),
        Command::Check(args) => check::run(&args, out),
        Command::Explain(args) => explain::run(&args, out),
        Command::Why(args) => why::run(&args, out),
        Command::Schema => schema::run(out),
        Command::Completions(args) => manual::completions(&args, Cli::command(), out),
        Command::Man(args) => manual::man(&args, Cli::command(), out),
    };
    match result {
        Ok(CommandOutcome::Clean) => ExitCode::SUCCESS,
        Ok(CommandOutcome::Findings) => ExitCode::from(1),
        // The reader of a pipe has seen enough, as `head` has.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(2),
        Err(error) => {
            // If even stderr is closed, the exit code must suffice.
            let _ = writeln!(std::io::stderr(), "pullgate: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Returns the command line. Help names the program as the user calls it: kubectl runs a file `kubectl-pullgate` on the
/// `PATH` as `kubectl pullgate`.
fn command() -> clap::Command {
    let program = std::env::args_os().next().unwrap_or_default();
    let is_plugin = Path::new(&program)
        .file_stem()
        .is_some_and(|name| name == "kubectl-pullgate");
    let command = Cli::command();
    if is_plugin {
        command.bin_name("kubectl pullgate")
    } else {
        command
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
