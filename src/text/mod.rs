//! Reads and shows texts: JSON and YAML readers, globs, diagnostics, suggestions.

pub mod base64;
pub mod diagnostic;
pub mod excerpt;
pub mod foreign;
pub mod glob;
pub mod glob_index;
pub mod scan;
pub mod suggest;
pub mod yaml;
