//! The capabilities of a terminal.

use crate::text::diagnostic::Colour;
use std::io::IsTerminal;

/// Returns whether an output wants colours: if it is a terminal, and `NO_COLOR` is empty (<https://no-color.org>).
#[must_use]
pub fn wants_colour(out: &impl IsTerminal) -> bool {
    out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Returns the colour mode of diagnostics for an output.
#[must_use]
pub fn colour(out: &impl IsTerminal) -> Colour {
    if wants_colour(out) {
        Colour::Always
    } else {
        Colour::Never
    }
}
