//! The clock of the process: the current day and second.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Returns the day (UTC) that decides whether an exception has expired.
#[must_use]
pub fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Returns the current time in seconds of Unix time.
#[must_use]
pub fn now() -> i64 {
    Timestamp::now().as_second()
}
