//! What Go's standard library does where the kubelet leans on it: JSON, URLs and globs, with their quirks.
//!
//! Rust's own readers are stricter here and laxer there, and the simulation of the kubelet has to be neither. The
//! sources are those of Go 1.26, with which Kubernetes 1.37 is built; `tests/it/keyring` holds them against the original.

pub(crate) mod glob;
pub(crate) mod json;
pub(crate) mod url;
