//! An object of the API, reduced to what matters.

pub mod kind;
pub mod manifest;
pub mod names;
pub mod read;
pub mod secret_makers;
pub mod subject;
