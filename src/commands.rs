//! What each command does: values in, an [`Outcome`] out.

pub mod check;
pub mod demo;
pub mod explain;
pub mod schema;
pub mod serve;

use crate::diagnostic::{Colour, Diagnostic, render};
use crate::live::today;
use crate::policy::{Loaded, Policy};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// What came of a command that did what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to complain about.
    Clean,
    /// Something was found.
    Findings,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Reads and loads a policy file, and shows on stderr what there is to say about it.
///
/// # Errors
/// The file cannot be read, or has faults.
pub fn load_policy(path: &Path) -> Result<(Policy, String)> {
    let text = read(path)?;
    let Loaded {
        policy,
        diagnostics,
    } = Policy::load(&text, today());
    show(
        &mut std::io::stderr(),
        &diagnostics,
        path,
        &text,
        wants_colour(&std::io::stderr()),
    )?;
    let policy = policy.with_context(|| {
        format!(
            "{} cannot be used: correct what is shown above",
            path.display()
        )
    })?;
    Ok((policy, text))
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, or is no UTF-8.
pub fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Whether colours are wanted there: on a terminal, unless `NO_COLOR` says anything (<https://no-color.org>).
#[must_use]
pub fn wants_colour(out: &impl IsTerminal) -> bool {
    out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn show(
    out: &mut impl Write,
    diagnostics: &[Diagnostic],
    path: &Path,
    text: &str,
    wants_colour: bool,
) -> Result<()> {
    let colour = if wants_colour {
        Colour::Always
    } else {
        Colour::Never
    };
    Ok(out.write_all(render(diagnostics, &path.display().to_string(), text, colour).as_bytes())?)
}
