//! The start and the end of the process.

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
    /// Fails if the operating system refuses.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The tasks beside the main task. All are essential: the first one that ends also ends the process, and the error
/// names it.
#[derive(Debug, Default)]
pub struct Tasks(JoinSet<&'static str>);

impl Tasks {
    /// Runs a task until the set is dropped. Error messages call it `what`.
    pub fn spawn(&mut self, what: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        // The panic hook has logged the place already.
        let task = AssertUnwindSafe(task).catch_unwind().map(move |_| what);
        self.0.spawn(task);
    }

    /// Waits for the first task that ends, and returns its name. Waits for ever if there are no tasks.
    pub async fn ended(&mut self) -> &'static str {
        match self.0.join_next().await {
            Some(ended) => ended.unwrap_or("a task"),
            None => std::future::pending().await,
        }
    }
}

/// A part that the webhook needs before it can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The serving certificate, and the trust of the webhook configurations in it.
    Certificate,
    /// The policy.
    Policy,
    /// Namespaces and service accounts, and Secrets if they are watched.
    Facts,
}

/// Tracks whether the webhook can answer.
#[derive(Debug)]
pub struct Readiness(watch::Sender<ReadinessState>);

#[derive(Debug)]
struct ReadinessState {
    missing: Vec<(Part, Option<String>)>,
    is_stopping: bool,
}

impl Readiness {
    /// Starts as not ready, with these parts missing.
    #[must_use]
    pub fn waiting_for(parts: &[Part]) -> Self {
        Self(watch::Sender::new(ReadinessState {
            missing: parts.iter().map(|part| (*part, None)).collect(),
            is_stopping: false,
        }))
    }

    /// Marks a part as present.
    pub fn has(&self, part: Part) {
        self.0
            .send_modify(|state| state.missing.retain(|(missing, _)| *missing != part));
    }

    /// Records why a missing part is missing.
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

    /// Waits until these parts are present.
    pub async fn has_all(&self, parts: &[Part]) {
        let mut state = self.0.subscribe();
        let is_there = |state: &ReadinessState| {
            let mut missing = state.missing.iter();
            !missing.any(|(part, _)| parts.contains(part))
        };
        // It cannot fail: `self` is the sender.
        let _ = state.wait_for(is_there).await;
    }

    /// Marks the process as ending: it is not ready from now on.
    pub fn stop(&self) {
        self.0.send_modify(|state| state.is_stopping = true);
    }

    /// Returns whether the process is ending.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.borrow().is_stopping
    }

    /// Returns whether the process is ready, and one line for each reason why it is not.
    #[must_use]
    pub fn report(&self) -> (bool, String) {
        let state = self.0.borrow();
        let mut text = String::new();
        for (part, why) in &state.missing {
            let part = match part {
                Part::Certificate => "no certificate",
                Part::Policy => "no policy",
                Part::Facts => "no facts about namespaces and service accounts",
            };
            let _ = match why {
                Some(why) => writeln!(text, "not ready: {part}: {why}"),
                None => writeln!(text, "not ready: {part} yet"),
            };
        }
        if state.is_stopping {
            text.push_str("not ready: shutting down\n");
        }
        if text.is_empty() {
            return (true, "ready\n".to_owned());
        }
        (false, text)
    }
}
