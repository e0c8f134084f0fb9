//! What a terminal can show.

use crate::text::diagnostic::Colour;
use std::io::IsTerminal;

/// Whether colours are wanted there: on a terminal, unless `NO_COLOR` says anything (<https://no-color.org>).
#[must_use]
pub fn wants_colour(out: &impl IsTerminal) -> bool {
    out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How to show diagnostics there.
#[must_use]
pub fn colour(out: &impl IsTerminal) -> Colour {
    if wants_colour(out) {
        Colour::Always
    } else {
        Colour::Never
    }
}
