//! Points in time as ISO 8601 writes them.

use time::{
    OffsetDateTime, PrimitiveDateTime, UtcDateTime, format_description::well_known::Iso8601,
};

/// Nanoseconds since 1970, without an offset as if in UTC.
pub(super) fn nanos(text: &str) -> Option<i128> {
    let format = &Iso8601::PARSING;
    let with_offset = OffsetDateTime::parse(text, format).map(UtcDateTime::from);
    let point = with_offset
        .or_else(|_| PrimitiveDateTime::parse(text, format).map(PrimitiveDateTime::as_utc));
    Some(point.ok()?.unix_timestamp_nanos())
}
