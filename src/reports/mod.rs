//! Verdicts over many objects.

pub mod check;
pub mod explanation;
pub mod impact;
pub mod secret_statistics;
pub mod why;
