//! The API server as a client sees it.

pub mod facts;
pub mod policy;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::Path;

/// A client by a kubeconfig file, or by what kubectl would use.
///
/// # Errors
/// The file cannot be read or says nothing usable.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client> {
    let what = || match kubeconfig {
        Some(path) => format!("cannot use the kubeconfig {}", path.display()),
        None => "there is no kubeconfig to use: name one with --kubeconfig".to_owned(),
    };
    let mut config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).with_context(what)?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .with_context(what)?
        }
        None => Config::infer().await.with_context(what)?,
    };
    // kube would repeat a failed call up to 15 times with pauses of minutes; watches have a back-off of their own.
    config.default_retry = false;
    Client::try_from(config).with_context(what)
}
