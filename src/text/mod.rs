//! How texts are read and shown.

pub mod diagnostic;
pub mod excerpt;
pub mod foreign;
pub mod glob;
pub mod glob_index;
pub mod scan;
pub mod suggest;
pub mod yaml;
