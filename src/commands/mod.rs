//! The commands: values in, a [`CommandOutcome`] out.

pub mod check;
pub mod cli;
pub mod demo;
pub mod explain;
pub mod inputs;
pub mod manual;
pub mod schema;
pub mod serve;
pub mod why;

use crate::cluster::{self, ObjectName};
use crate::policy::source::PolicyText;
use crate::policy::{Loaded, Policy};
use crate::reports::check::{Input, Report};
use crate::runtime::clock::today;
use crate::runtime::terminal::colour;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

/// The outcome of a command that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    /// No findings.
    Clean,
    /// At least one finding.
    Findings,
}

/// The format of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The source of the policy.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// The file with the policy, alone or inside its ConfigMap.
    #[arg(long, value_name = "FILE", group = "source")]
    policy: Option<PathBuf>,
    /// The ConfigMap of a cluster that holds the policy.
    #[arg(long, value_name = "NAMESPACE/NAME", group = "source")]
    policy_configmap: Option<ObjectName>,
    /// With --policy-configmap: the kubeconfig of the cluster [default: that of kubectl].
    #[arg(long, value_name = "FILE", requires = "policy_configmap")]
    kubeconfig: Option<PathBuf>,
}

impl PolicyArgs {
    /// Returns the path of the policy, if it comes from a file.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.policy.as_deref()
    }

    /// Reads the policy, if one is given. Returns its name and its text.
    ///
    /// # Errors
    /// Fails if the policy cannot be read.
    pub fn read(&self) -> Result<Option<(String, String)>> {
        if let Some(path) = &self.policy {
            return Ok(Some((path.display().to_string(), read(path)?)));
        }
        let Some(source) = &self.policy_configmap else {
            return Ok(None);
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let text = runtime.block_on(async {
            let client = cluster::client(self.kubeconfig.as_deref()).await?;
            cluster::policy::read(client, source).await
        })?;
        Ok(Some((format!("configmap/{source}"), text)))
    }

    /// Loads the policy, if one is given, and shows its diagnostics on stderr.
    ///
    /// # Errors
    /// Fails if the policy cannot be read, or has faults.
    pub fn load(&self) -> Result<Option<Policy>> {
        let Some((name, text)) = self.read()? else {
            return Ok(None);
        };
        let Loaded {
            policy,
            diagnostics,
        } = PolicyText::File(&text).load(today());
        let mut report = Report::default();
        report.add_policy(
            Input {
                name: name.clone(),
                text,
                is_policy: true,
            },
            diagnostics,
        );
        stderr().write_all(report.text(colour(&stderr())).as_bytes())?;
        let policy = policy
            .with_context(|| format!("{name} cannot be used: correct the faults shown above"))?;
        Ok(Some(policy))
    }
}

/// Reads a file.
///
/// # Errors
/// Fails if the file cannot be read, or is not UTF-8.
pub fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
