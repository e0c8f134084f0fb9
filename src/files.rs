//! Files that are watched by reading them: the kubelet swaps a symlink above a mounted file, and inotify misses that.

use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// How often files are read.
pub const PERIOD: Duration = Duration::from_secs(1);

/// Calls `changed` with what the files hold whenever that is something else than before, for ever. `known` is what they
/// held when they were first read; while one of them cannot be read nothing changes.
pub async fn poll(paths: Vec<PathBuf>, mut known: Vec<String>, mut changed: impl FnMut(&[String])) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = false;
    loop {
        ticks.tick().await;
        match read(&paths).await {
            Ok(now) => {
                told = false;
                if now != known {
                    changed(&now);
                    known = now;
                }
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
