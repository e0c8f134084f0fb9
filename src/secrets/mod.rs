//! Secrets: the facts that are kept of them, and the accounts of their credentials.

pub mod account;
pub mod credentials;
pub mod document;
mod glob_key;
