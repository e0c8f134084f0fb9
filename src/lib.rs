//! Pullgate: the right `imagePullSecrets` on every Pod, and none of the wrong ones.
//!
//! ```text
//! bytes -> admission::parse -> Review{uid, Subject} -> Endpoint::judge(World, Subject) -> Mutation
//!       -> Review::answer -> bytes
//! ```
//!
//! A folder is a wing: either pure (values in, values out) or an edge (sockets, files, clocks, the API server).
//! ARCHITECTURE.md lists the wings in order, and `tests/it/tidy` enforces that order.

pub mod admission;
pub mod cluster;
pub mod commands;
pub mod facts;
pub mod kubelet;
pub mod objects;
pub mod policy;
pub mod reports;
pub mod runtime;
pub mod secrets;
pub mod server;
pub mod text;
pub mod tls;
pub mod verdict;
