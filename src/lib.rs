//! Pullgate: the right `imagePullSecrets` on every Pod, and none of the wrong ones.
//!
//! ```text
//! bytes -> review::parse -> Review{uid, Subject} -> verdict::{mutate, validate}(World, Subject) -> Mutation
//!       -> Review::answer -> bytes
//! ```
//!
//! A module is pure (values in, values out) or an edge (sockets, files, clocks, the API server); ARCHITECTURE.md names
//! them, and `tests/it/tidy.rs` holds them to it.

pub mod account;
pub mod authority;
pub mod census;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod credentials;
mod deadline;
pub mod diagnostic;
pub mod docker_config;
pub mod document;
pub mod facts;
pub mod files;
pub mod finding;
pub mod glob;
mod golang;
pub mod image;
pub mod impact;
pub mod inventory;
pub mod keyring;
pub mod lifecycle;
pub mod live;
pub mod manifest;
pub mod metrics;
pub mod names;
pub mod object;
pub mod patch;
pub mod pattern;
pub mod policy;
pub mod report;
pub mod review;
pub mod scan;
pub mod selector;
pub mod server;
pub mod subject;
pub mod suggest;
pub mod telemetry;
pub mod verdict;
pub mod words;
pub mod world;
pub mod yaml;
