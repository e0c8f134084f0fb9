//! Everything that needs no cluster. One crate, so that it links once.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "tests fail by panicking, and a table is as long as it has rows"
)]

mod image;
mod policy;
