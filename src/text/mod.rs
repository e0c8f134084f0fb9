//! How texts are read and shown.

pub mod base64;
pub mod diagnostic;
pub mod excerpt;
pub mod glob;
pub mod glob_index;
pub mod scan;
pub mod suggest;
pub mod yaml;
