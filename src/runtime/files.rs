//! Watches files by reading them. The kubelet swaps a symlink above a mounted file, and inotify misses that.

use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// The interval of the reads.
pub const PERIOD: Duration = Duration::from_secs(1);

/// The result of taking a changed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The new content is in use.
    Yes,
    /// The new content cannot be used now, but perhaps later: a certificate may become valid.
    No,
}

/// Watches files for ever. `known` is the content at the first read. Calls `changed` with each new content, and then at
/// each read for as long as the content cannot be used; the second argument tells whether the content is new. A content
/// counts only when two reads in a row found it, because a writer may be half done. While a file cannot be read,
/// nothing changes.
pub async fn poll(
    paths: Vec<PathBuf>,
    mut known: Vec<String>,
    mut changed: impl FnMut(&[String], bool) -> Taken,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_logged = false;
    let mut last = known.clone();
    let mut refused = None;
    loop {
        ticks.tick().await;
        match read(&paths).await {
            Ok(now) => {
                is_logged = false;
                // The known content counts, too, after another one was refused: the refused content is gone then.
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
                if !is_logged {
                    warn!(path = %path.display(), %error, "cannot read the file; its last content stays in use");
                }
                is_logged = true;
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
