//! Times in the format of records.

use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// The time now, UTC, ISO 8601 to the second.
pub fn now() -> String {
    in_utc(OffsetDateTime::now_utc())
}

/// A time in UTC, ISO 8601 to the second.
pub(crate) fn in_utc(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    time.to_offset(UtcOffset::UTC).format(&format).unwrap_or_default()
}
