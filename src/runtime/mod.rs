//! The parts of a serving process.

pub mod clock;
pub(crate) mod deadline;
pub mod files;
pub mod lifecycle;
pub mod live;
pub mod metrics;
pub mod policy;
pub mod telemetry;
pub mod terminal;
