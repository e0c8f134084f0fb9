//! Reads and shows texts: JSON and YAML readers, globs, diagnostics, suggestions.

pub mod diagnostic;
pub mod excerpt;
pub mod glob;
pub mod glob_index;
pub mod scan;
pub mod suggest;
pub mod yaml;
