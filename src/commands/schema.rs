//! `pullgate schema`.

use super::CommandOutcome;
use crate::policy::document;
use anyhow::Result;
use std::io::Write;

/// Prints the JSON Schema of the policy.
///
/// # Errors
/// Fails if the output cannot be written.
pub fn run(out: &mut impl Write) -> Result<CommandOutcome> {
    writeln!(out, "{:#}", document::json_schema())?;
    Ok(CommandOutcome::Clean)
}
