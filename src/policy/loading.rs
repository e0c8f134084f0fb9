//! The purpose and the limits of loading a policy document.

use jiff::civil::Date;
use std::sync::atomic::AtomicBool;

/// The options for loading a policy document.
#[derive(Debug, Clone, Copy)]
pub struct Loading<'s> {
    /// The day (UTC). It only decides which exceptions get a warning as expired.
    pub today: Date,
    /// The purpose of loading.
    pub purpose: Purpose,
    /// Stops the checks soon after another thread sets it. The policy then has the fault that its check took too long.
    /// Parsing the text and building the indexes take linear time, and do not stop.
    pub stop: Option<&'s AtomicBool>,
}

/// The purpose of loading a policy document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Judging an edit: a policy above a limit has a fault.
    Edit,
    /// Putting it in force: a policy above a limit has a warning, because an upgrade must not take it out of force.
    InForce,
}

impl<'s> Loading<'s> {
    /// Returns the options for an edit on this day (UTC), which no other thread stops.
    #[must_use]
    pub fn edit(today: Date) -> Self {
        Self {
            today,
            purpose: Purpose::Edit,
            stop: None,
        }
    }

    /// Returns the options for a policy that is in force, or is about to be.
    #[must_use]
    pub fn in_force(today: Date) -> Self {
        Self {
            purpose: Purpose::InForce,
            ..Self::edit(today)
        }
    }

    /// Adds a flag by which another thread stops the checks.
    #[must_use]
    pub fn until(self, stop: &'s AtomicBool) -> Self {
        Self {
            stop: Some(stop),
            ..self
        }
    }
}
