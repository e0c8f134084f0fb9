//! Verdicts over many objects.

pub mod census;
pub mod check;
pub mod explanation;
pub mod impact;
