//! What the process says about itself while it runs: log lines on stderr.

use crate::runtime::terminal::wants_colour;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::io::stderr;
use tracing::error;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

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
    /// Which log lines are written, a level or several `MODULE=LEVEL`: `info,pullgate=debug` has a line for each review.
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
enum LogFormat {
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
    let filter: Targets = args
        .log_filter
        .parse()
        .with_context(|| format!("bad --log-filter {:?}", args.log_filter))?;
    // It would log an answer that it cannot read, and that may be our Secret.
    let filter = filter.with_target("kube_client::client", LevelFilter::ERROR);
    let others = filter.default_level().unwrap_or(LevelFilter::ERROR);
    let filter = filter.with_default(others);
    let lines = fmt::layer()
        .with_ansi(wants_colour(&stderr()))
        .with_writer(stderr);
    let lines = match args.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let started = registry().with(lines).with(filter).try_init();
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
