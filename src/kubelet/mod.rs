//! What the nodes do with images and pull secrets, held against Go.

pub mod docker_config;
pub(crate) mod golang;
pub mod image;
pub mod keyring;
pub mod registry;
