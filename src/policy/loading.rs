//! How a policy document is loaded: for what, and until when.

use jiff::civil::Date;
use std::sync::atomic::AtomicBool;

/// How a policy document is loaded.
#[derive(Debug, Clone, Copy)]
pub struct Loading<'s> {
    /// The day (UTC); it only decides which exceptions are warned of as expired.
    pub today: Date,
    /// What the document is loaded for.
    pub purpose: Purpose,
    /// Ends the checks soon after another thread sets it: the policy then has the fault that it took too long to check.
    /// Parsing the text and building the indexes take linear time, and are not ended.
    pub stop: Option<&'s AtomicBool>,
}

/// What a policy document is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To judge an edit: a policy above a limit has a fault.
    Edit,
    /// To put it in force: a policy above a limit has a warning, because an upgrade must not take it out of force.
    InForce,
}

impl<'s> Loading<'s> {
    /// The loading of an edit that is made on this day (UTC), without an end from outside.
    #[must_use]
    pub fn edit(today: Date) -> Self {
        Self {
            today,
            purpose: Purpose::Edit,
            stop: None,
        }
    }

    /// The loading of a policy that is in force, or is to be.
    #[must_use]
    pub fn in_force(today: Date) -> Self {
        Self {
            purpose: Purpose::InForce,
            ..Self::edit(today)
        }
    }

    /// The same, until another thread sets a flag.
    #[must_use]
    pub fn until(self, stop: &'s AtomicBool) -> Self {
        Self {
            stop: Some(stop),
            ..self
        }
    }
}
