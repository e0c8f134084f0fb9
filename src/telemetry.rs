//! What the process says about itself while it runs: log lines on stderr.

use crate::commands::wants_colour;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::io::stderr;
use tracing::error;
use tracing_subscriber::EnvFilter;

/// How to log.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// How log lines are written.
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Logs"
    )]
    log_format: LogFormat,
    /// Which log lines are written, in the syntax of tracing's `EnvFilter`: `pullgate=debug` has a line for each review.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        help_heading = "Logs"
    )]
    log_filter: String,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Logs from now on. Of a panic only the place is told: what it says could quote an object.
///
/// # Errors
/// The filter cannot be read, or somebody logs already.
pub fn start(args: &LogArgs) -> Result<()> {
    let filter = EnvFilter::try_new(&args.log_filter)
        .with_context(|| format!("bad --log-filter {:?}", args.log_filter))?;
    // It would log an answer that it cannot read, and that may be our Secret.
    let filter = filter.add_directive("kube_client::client=error".parse()?);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(wants_colour(&stderr()))
        .with_writer(stderr);
    let started = match args.log_format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(
            place,
            "a panic: please report it with this place and the version"
        );
    }));
    started
        .map_err(|error| anyhow::anyhow!(error))
        .context("cannot start logging")
}
