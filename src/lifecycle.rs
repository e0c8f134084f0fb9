//! Beginning and end of the process.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask the process to end.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens to SIGTERM and Ctrl-C from now on.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What has to be there before the webhook can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The serving certificate.
    Certificate,
    /// The policy.
    Policy,
}

/// Whether the webhook can answer.
#[derive(Debug)]
pub struct Readiness(Mutex<State>);

#[derive(Debug)]
struct State {
    missing: Vec<Part>,
    is_stopping: bool,
}

impl Readiness {
    /// Not ready: these parts are missing.
    #[must_use]
    pub fn waiting_for(parts: &[Part]) -> Self {
        Self(Mutex::new(State {
            missing: parts.to_vec(),
            is_stopping: false,
        }))
    }

    /// This part is there.
    pub fn has(&self, part: Part) {
        self.state().missing.retain(|missing| *missing != part);
    }

    /// The process is about to end: not ready from now on.
    pub fn stop(&self) {
        self.state().is_stopping = true;
    }

    /// Whether the process is about to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.state().is_stopping
    }

    /// Whether it is ready, and a line for each reason why not.
    #[must_use]
    pub fn report(&self) -> (bool, String) {
        let state = self.state();
        let mut text = String::new();
        for part in &state.missing {
            let part = match part {
                Part::Certificate => "certificate",
                Part::Policy => "policy",
            };
            let _ = writeln!(text, "not ready: there is no {part} yet");
        }
        if state.is_stopping {
            text.push_str("not ready: about to end\n");
        }
        if text.is_empty() {
            return (true, "ready\n".to_owned());
        }
        (false, text)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
