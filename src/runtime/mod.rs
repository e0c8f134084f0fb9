//! What a serving process is made of.

pub(crate) mod deadline;
pub mod files;
pub mod lifecycle;
pub mod live;
pub mod metrics;
pub mod telemetry;
