//! Files that are watched by reading them: the kubelet swaps a symlink above a mounted file, and inotify misses that.

use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// How often files are read.
pub const PERIOD: Duration = Duration::from_secs(1);

/// What somebody made of changed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is in use.
    Yes,
    /// It cannot be used now. Perhaps later: a certificate may become valid.
    No,
}

/// Calls `changed` with what the files hold whenever that is something else than before, for ever, and again each time
/// while it cannot be used; the second value says whether it is new. `known` is what they held when they were first
/// read. What was read once counts when it is read again: a writer may be in the middle. While a file cannot be read
/// nothing changes.
pub async fn poll(
    paths: Vec<PathBuf>,
    mut known: Vec<String>,
    mut changed: impl FnMut(&[String], bool) -> Taken,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = false;
    let mut last = known.clone();
    let mut refused = None;
    loop {
        ticks.tick().await;
        match read(&paths).await {
            Ok(now) => {
                told = false;
                // Also what is known, after something else was refused: that is over then.
                if now == last && (now != known || refused.is_some()) {
                    let is_new = refused.as_ref() != Some(&now);
                    match changed(&now, is_new) {
                        Taken::Yes => {
                            known.clone_from(&now);
                            refused = None;
                        }
                        Taken::No => refused = Some(now.clone()),
                    }
                }
                last = now;
            }
            Err((path, error)) => {
                if !told {
                    warn!(path = %path.display(), %error, "cannot read the file; what it said before stays in force");
                }
                told = true;
            }
        }
    }
}

async fn read(paths: &[PathBuf]) -> Result<Vec<String>, (PathBuf, std::io::Error)> {
    let mut texts = Vec::with_capacity(paths.len());
    for path in paths {
        texts.push(
            tokio::fs::read_to_string(path)
                .await
                .map_err(|error| (path.clone(), error))?,
        );
    }
    Ok(texts)
}
