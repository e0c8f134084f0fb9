//! Pullgate.
pub mod diagnostic;
pub mod document;
pub mod facts;
pub mod glob;
pub mod image;
pub mod names;
pub mod pattern;
pub mod policy;
pub mod selector;
pub mod suggest;
pub mod yaml;
