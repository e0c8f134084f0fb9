//! Beginning and end of the process.

use futures::FutureExt;
use std::fmt::Write as _;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

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

/// Everything that runs beside the main task. None of it may end: the first that does ends the process, by name.
#[derive(Debug, Default)]
pub struct Tasks(JoinSet<&'static str>);

impl Tasks {
    /// Runs this until the set is dropped. `what` is how the error message calls it.
    pub fn spawn(&mut self, what: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        // The panic hook has told the place.
        let task = AssertUnwindSafe(task).catch_unwind().map(move |_| what);
        self.0.spawn(task);
    }

    /// Waits for the first to end, and says which; for ever where there is none.
    pub async fn ended(&mut self) -> &'static str {
        match self.0.join_next().await {
            Some(ended) => ended.unwrap_or("a task"),
            None => std::future::pending().await,
        }
    }
}

/// What has to be there before the webhook can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The serving certificate, and that webhook configurations trust it.
    Certificate,
    /// The policy.
    Policy,
    /// Namespaces and service accounts, and Secrets where they are watched.
    Facts,
}

/// Whether the webhook can answer.
#[derive(Debug)]
pub struct Readiness(watch::Sender<ReadinessState>);

#[derive(Debug)]
struct ReadinessState {
    missing: Vec<(Part, Option<String>)>,
    is_stopping: bool,
}

impl Readiness {
    /// Not ready: these parts are missing.
    #[must_use]
    pub fn waiting_for(parts: &[Part]) -> Self {
        Self(watch::Sender::new(ReadinessState {
            missing: parts.iter().map(|part| (*part, None)).collect(),
            is_stopping: false,
        }))
    }

    /// This part is there.
    pub fn has(&self, part: Part) {
        self.0
            .send_modify(|state| state.missing.retain(|(missing, _)| *missing != part));
    }

    /// Why this part is not there, as far as it is still missing.
    pub fn lacks(&self, part: Part, why: String) {
        self.0.send_modify(|state| {
            let entry = state
                .missing
                .iter_mut()
                .find(|(missing, _)| *missing == part);
            if let Some((_, reason)) = entry {
                *reason = Some(why);
            }
        });
    }

    /// Waits until these parts are there.
    pub async fn has_all(&self, parts: &[Part]) {
        let mut state = self.0.subscribe();
        let is_there = |state: &ReadinessState| {
            let mut missing = state.missing.iter();
            !missing.any(|(part, _)| parts.contains(part))
        };
        // The sender is `self`.
        let _ = state.wait_for(is_there).await;
    }

    /// The process is about to end: not ready from now on.
    pub fn stop(&self) {
        self.0.send_modify(|state| state.is_stopping = true);
    }

    /// Whether the process is about to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.borrow().is_stopping
    }

    /// Whether it is ready, and a line for each reason why not.
    #[must_use]
    pub fn report(&self) -> (bool, String) {
        let state = self.0.borrow();
        let mut text = String::new();
        for (part, why) in &state.missing {
            let part = match part {
                Part::Certificate => "no certificate",
                Part::Policy => "no policy",
                Part::Facts => "no knowledge of namespaces and service accounts",
            };
            let _ = match why {
                Some(why) => writeln!(text, "not ready: there is {part}: {why}"),
                None => writeln!(text, "not ready: there is {part} yet"),
            };
        }
        if state.is_stopping {
            text.push_str("not ready: about to end\n");
        }
        if text.is_empty() {
            return (true, "ready\n".to_owned());
        }
        (false, text)
    }
}
