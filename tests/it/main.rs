//! All tests that need no cluster. They form one crate, so that they are linked once.

#![expect(
    clippy::expect_used,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panicking, a table is as long as it has rows, values are made to be given away, and syn has more
              kinds of items than matter here"
)]

mod account;
mod admin;
mod allocations;
mod api_server;
mod check;
mod cli;
mod cluster;
mod docs;
mod examples;
mod files;
mod guard;
mod hostile;
mod image;
mod impact;
mod inject;
mod keyring;
mod lifecycle;
mod pages;
mod patch;
mod policy;
mod registry;
mod reviews;
mod scan;
mod secrets;
mod server;
mod support;
mod tidy;
mod tls;
mod webhook;
mod why;
mod worst;
mod yaml;
