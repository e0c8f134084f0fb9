//! Beginning and end of the process.

use tokio::signal::unix::{SignalKind, signal};

/// Waits until the process is asked to end, by SIGTERM or Ctrl-C.
///
/// # Errors
/// The signals cannot be listened to.
pub async fn terminated() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
