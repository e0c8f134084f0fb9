//! What a serving process is made of.

pub mod clock;
pub(crate) mod deadline;
pub mod files;
pub mod lifecycle;
pub mod live;
pub mod metrics;
pub mod policy;
pub mod telemetry;
pub mod terminal;
