//! Images and pull secrets as the nodes read them, held against Go.

pub mod docker_config;
pub(crate) mod golang;
pub mod image;
pub mod keyring;
pub mod mistake;
pub mod registry;
pub mod userinfo;
