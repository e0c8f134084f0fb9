//! Registries as the nodes ask them: addresses of requests, challenges, and the verdict of a probe. It has no socket;
//! that half is `crate::registry`.

pub mod address;
pub mod body;
pub mod challenge;
pub mod realm;
pub mod url;
pub mod verdict;
