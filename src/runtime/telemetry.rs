//! Log lines on stderr.

use crate::runtime::terminal::wants_colour;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::io::stderr;
use tracing::error;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

/// The options of logging.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The format of log lines.
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Logs"
    )]
    log_format: LogFormat,
    /// The log lines that are written: a level, or several MODULE=LEVEL. `info,pullgate=debug` adds a line for each
    /// review.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        help_heading = "Logs"
    )]
    log_filter: String,
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// Starts logging. Logs only the place of a panic, because its message could quote an object.
///
/// # Errors
/// Fails if the filter is not valid, or if logging has started already.
pub fn start(args: &LogArgs) -> Result<()> {
    let filter: Targets = args
        .log_filter
        .parse()
        .with_context(|| format!("--log-filter {:?} is not valid", args.log_filter))?;
    // This module would log an answer that it cannot read, which may be Pullgate's own Secret.
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
            "a panic: please report it, with this place and the version"
        );
    }));
    started
        .map_err(|error| anyhow::anyhow!(error))
        .context("cannot start logging")
}
