//! The files that `check` looks at.

use crate::reports::check::Input;
use anyhow::{Context, Result};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A folder whose templates are no manifests yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Skipped(pub PathBuf);

/// Reads files, all manifests in folders and below them, and stdin (`-`).
///
/// # Errors
/// One of them cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<(Vec<Input>, Vec<Skipped>)> {
    let (mut inputs, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .context("cannot read stdin")?;
            inputs.push(Input {
                name: "<stdin>".to_owned(),
                text: text(bytes),
                is_policy: false,
            });
        } else if let Some(chart) = chart_of(path) {
            skipped.push(Skipped(chart));
        } else if path.is_dir() {
            walk(path, &mut inputs, &mut skipped)?;
        } else {
            inputs.push(read_file(path)?);
        }
    }
    skipped.dedup();
    Ok((inputs, skipped))
}

/// The chart whose templates a path is in, or is.
fn chart_of(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let templates = path.ancestors().filter(|dir| dir.ends_with("templates"));
    let chart = templates
        .filter_map(Path::parent)
        .find(|dir| dir.join("Chart.yaml").is_file())?;
    let here = std::env::current_dir().unwrap_or_default();
    let below = chart
        .strip_prefix(&here)
        .ok()
        .filter(|path| !path.as_os_str().is_empty());
    Some(below.unwrap_or(chart).to_owned())
}

/// What begins with a dot is not for people, and a link may lead back to where it is.
fn walk(dir: &Path, inputs: &mut Vec<Input>, skipped: &mut Vec<Skipped>) -> Result<()> {
    let what = || format!("cannot read the folder {}", dir.display());
    let mut entries = std::fs::read_dir(dir)
        .with_context(what)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(what)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let is_chart = dir.join("Chart.yaml").is_file();
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type().with_context(what)?.is_dir() {
            if is_chart && name == "templates" {
                skipped.push(Skipped(dir.to_owned()));
            } else {
                walk(&path, inputs, skipped)?;
            }
        } else if [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| name.ends_with(end))
            && path.is_file()
        {
            inputs.push(read_file(&path)?);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Input> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Input {
        name: path.display().to_string(),
        text: text(bytes),
        is_policy: false,
    })
}

/// What is no UTF-8 is read as kubectl reads it.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
