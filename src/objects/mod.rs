//! An object of the API, reduced to the parts that a verdict depends on.

pub mod kind;
pub mod manifest;
pub mod names;
pub mod read;
pub mod secret_makers;
pub mod subject;
