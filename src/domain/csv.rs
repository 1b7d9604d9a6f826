//! CSV as RFC 4180 has it: what every spreadsheet reads.

use crate::record::Record;
use crate::value::{Field, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant as it is written: RFC 3339.
pub(crate) fn instant(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

/// The names of a record's fields, as a line.
pub(crate) fn header<R: Record>() -> String {
    line(R::COLUMNS.iter().map(|it| it.name))
}

/// A record as a line: instants in RFC 3339, documents as JSON, bytes in hexadecimal digits; what
/// there is not is empty.
pub(crate) fn record<R: Record>(record: &R) -> String {
    let fields: Vec<String> = record.to_row().0.into_iter().map(text).collect();
    line(fields.iter().map(String::as_str))
}

fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Uuid(id) => id.to_string(),
        Value::Text(text) | Value::Json(text) => text,
        Value::Int(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Bool(is) => is.to_string(),
        Value::Bytes(bytes) => bytes.iter().fold(String::new(), |mut text, it| {
            text.extend(
                [it >> 4, it & 15].map(|it| char::from_digit(it.into(), 16)).into_iter().flatten(),
            );
            text
        }),
        Value::Time(_) => OffsetDateTime::from_value(value).map(instant).unwrap_or_default(),
    }
}

/// Lets records be taken away as CSV.
macro_rules! exported {
    ($($noun:ty),+ $(,)?) => {$(
        impl $noun {
            /// The columns of [`csv`](Self::csv), as a line of CSV without its end.
            #[must_use]
            pub fn csv_header() -> String {
                $crate::domain::csv::header::<Self>()
            }

            /// The record as a line of CSV (RFC 4180) without its end: instants in RFC 3339, lists
            /// and documents as JSON; what there is not is empty.
            #[must_use]
            pub fn csv(&self) -> String {
                $crate::domain::csv::record(self)
            }
        }
    )+};
}
pub(crate) use exported;

/// One line of fields, without its end (CR LF): a field with a comma, a quote or a line break is
/// quoted, and its quotes are doubled.
///
/// ```
/// use tenure::domain::csv::line;
///
/// assert_eq!(line(["a", "b, c", "say \"d\""]), r#"a,"b, c","say ""d""""#);
/// ```
#[must_use]
pub fn line<'f>(fields: impl IntoIterator<Item = &'f str>) -> String {
    let mut line = String::new();
    for (place, field) in fields.into_iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        if field.contains(['"', ',', '\r', '\n']) {
            line.push('"');
            line.push_str(&field.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(field);
        }
    }
    line
}
