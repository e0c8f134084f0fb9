//! What is kept of a Secret.

pub mod account;
pub mod credentials;
mod glob_key;
