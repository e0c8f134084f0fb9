//! The clock of the process: the current day and second.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Today in UTC, by which exceptions end.
#[must_use]
pub fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Now, in seconds of Unix time.
#[must_use]
pub fn now() -> i64 {
    Timestamp::now().as_second()
}
