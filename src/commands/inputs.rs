//! The files that `check` looks at.

use crate::reports::check::Input;
use anyhow::{Context, Result};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most entries that are checked below a folder with a dot. Folders of tools (`.git`) have thousands of files; a
/// folder without a manifest among its first entries counts as such a folder.
const MAX_HIDDEN: usize = 1000;

/// A folder that was left out, and the reason.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The folder.
    pub folder: PathBuf,
    /// The reason.
    pub why: Why,
}

/// The reason why a folder was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The templates of a chart are not manifests yet.
    Chart,
    /// Its name begins with a dot, and it holds files that could be manifests.
    Hidden,
}

/// Reads files, all manifests in folders and below them, and stdin (`-`). Also returns the folders that were left out.
///
/// # Errors
/// A file or folder cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<(Vec<Input>, Vec<LeftOut>)> {
    let (mut inputs, mut left_out) = (Vec::new(), Vec::new());
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
            left_out.push(LeftOut {
                folder: chart,
                why: Why::Chart,
            });
        } else if path.is_dir() {
            walk(path, &mut inputs, &mut left_out)?;
        } else {
            inputs.push(read_file(path)?);
        }
    }
    left_out.dedup();
    Ok((inputs, left_out))
}

/// Returns the chart of a path that is the chart's folder `templates`, or in that folder.
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

/// Reads the manifests in a folder and below it. It leaves out names with a dot, as a listing of the shell does, and
/// links to folders, because a link may lead back to a folder above it.
fn walk(dir: &Path, inputs: &mut Vec<Input>, left_out: &mut Vec<LeftOut>) -> Result<()> {
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
            if may_hold_manifests(&path) {
                left_out.push(LeftOut {
                    folder: path,
                    why: Why::Hidden,
                });
            }
            continue;
        }
        if entry.file_type().with_context(what)?.is_dir() {
            if is_chart && name == "templates" {
                left_out.push(LeftOut {
                    folder: dir.to_owned(),
                    why: Why::Chart,
                });
            } else {
                walk(&path, inputs, left_out)?;
            }
        } else if is_manifest(&name) && path.is_file() {
            inputs.push(read_file(&path)?);
        }
    }
    Ok(())
}

fn is_manifest(name: &str) -> bool {
    let ends = [".yaml", ".yml", ".json"];
    ends.iter().any(|end| name.ends_with(end))
}

/// Returns whether a folder has a file in it or below it that could be a manifest. The folder is left out anyway, so an
/// unreadable entry in it is not an error.
fn may_hold_manifests(folder: &Path) -> bool {
    let mut folders = vec![folder.to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            looked_at += 1;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder {
                folders.push(entry.path());
            } else if is_manifest(&entry.file_name().to_string_lossy()) {
                return true;
            }
            if looked_at == MAX_HIDDEN {
                return false;
            }
        }
    }
    false
}

fn read_file(path: &Path) -> Result<Input> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Input {
        name: path.display().to_string(),
        text: text(bytes),
        is_policy: false,
    })
}

/// Decodes the bytes of a file. As in kubectl, a byte that is not UTF-8 becomes U+FFFD.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
