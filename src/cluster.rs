//! The API server as a client sees it.

pub mod facts;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::Path;

/// A client by a kubeconfig file.
///
/// # Errors
/// The file cannot be read or says nothing usable.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let what = || format!("cannot use the kubeconfig {}", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).with_context(what)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .with_context(what)?;
    // kube would repeat a failed call up to 15 times with pauses of minutes; watches have a back-off of their own.
    config.default_retry = false;
    Client::try_from(config).with_context(what)
}
