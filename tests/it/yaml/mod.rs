//! YAML as kubectl reads it.

mod generator;
mod kubectl;
