//! `pullgate schema`.

use super::Outcome;
use crate::policy::document;
use anyhow::Result;
use std::io::Write;

/// Prints the JSON Schema of the policy.
///
/// # Errors
/// Nobody reads it.
pub fn run(out: &mut impl Write) -> Result<Outcome> {
    writeln!(out, "{:#}", document::json_schema())?;
    Ok(Outcome::Clean)
}
