//! What is kept of a Secret.

pub mod account;
pub mod credentials;
pub mod document;
mod glob_key;
