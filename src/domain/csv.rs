//! CSV as RFC 4180 has it: what every spreadsheet reads.

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
