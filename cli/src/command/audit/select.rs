//! Which entries `audit log` prints, and how a person reads one.

use crate::args::Log;
use serde_json::{Map, Value};
use signet_protocol::{Code, Refusal};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

/// The table's head.
pub(super) const COLUMNS: [&str; 9] =
    ["seq", "time", "phase", "key", "action", "user", "token", "result", "reason"];

/// What was asked for.
pub(super) struct Select<'a> {
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
    key: Option<&'a str>,
    token: Option<&'a str>,
}

impl<'a> Select<'a> {
    /// Reads the flags.
    pub(super) fn new(args: &'a Log) -> Result<Self, Refusal> {
        Ok(Self {
            since: args.since.as_deref().map(instant).transpose()?,
            until: args.until.as_deref().map(instant).transpose()?,
            key: args.key.as_deref(),
            token: args.token.as_deref(),
        })
    }

    /// The entry for people, if it was asked for. A line that cannot be read is shown: hiding it would
    /// hide a fault.
    pub(super) fn row(&self, line: &[u8]) -> Option<Vec<String>> {
        let Ok(Value::Object(entry)) = serde_json::from_slice(line) else {
            let raw = String::from_utf8_lossy(line).into_owned();
            let head = ["?", "?", "unreadable"].map(str::to_owned);
            return Some(
                head.into_iter().chain([raw]).chain(vec![String::new(); COLUMNS.len() - 4]).collect(),
            );
        };
        let is = |member: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| entry.get(member).and_then(Value::as_str) == Some(wanted))
        };
        let time = entry.get("time").and_then(Value::as_str).and_then(|text| instant(text).ok());
        let after = self.since.is_none_or(|since| time.is_none_or(|time| time >= since));
        let before = self.until.is_none_or(|until| time.is_none_or(|time| time < until));
        (is("key", self.key) && is("token", self.token) && after && before).then(|| cells(&entry))
    }
}

fn cells(entry: &Map<String, Value>) -> Vec<String> {
    let text = |member: &str| match entry.get(member) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) | None => "-".to_owned(),
    };
    let result = match entry.get("code").and_then(Value::as_str) {
        Some(code) => format!("{} ({code})", text("result")),
        None => text("result"),
    };
    let token = match entry.get("token_label").and_then(Value::as_str).filter(|label| !label.is_empty()) {
        Some(label) => label.to_owned(),
        None => text("token"),
    };
    let plain = ["seq", "time", "phase", "key", "action", "user"].map(text);
    plain.into_iter().chain([token, result, text("reason")]).collect()
}

/// RFC 3339, or a date, which means its first instant in UTC.
fn instant(text: &str) -> Result<OffsetDateTime, Refusal> {
    let date = format_description!("[year]-[month]-[day]");
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| Some(PrimitiveDateTime::new(Date::parse(text, &date).ok()?, Time::MIDNIGHT).assume_utc()))
        .ok_or_else(|| {
            let why = "a time is written like 2026-11-01T00:00:00Z, or like 2026-11-01";
            Refusal::new(Code::Usage, why, "signet audit log --since 2026-11-01")
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LINE: &[u8] = br#"{"seq":3,"time":"2026-11-02T10:00:00Z","phase":"outcome","key":"prod","token":"42","result":"refused","code":"denied","hash":"x"}"#;

    fn select(since: Option<&str>, until: Option<&str>, key: Option<&str>, token: Option<&str>) -> bool {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let args = Log { since: own(since), until: own(until), key: own(key), token: own(token), dir: None };
        Select::new(&args).unwrap().row(LINE).is_some()
    }

    #[test]
    fn what_was_not_asked_for_is_left_out() {
        assert!(!select(None, None, Some("other"), None));
        assert!(!select(None, None, None, Some("43")));
        assert!(!select(Some("2026-11-02T10:00:01Z"), None, None, None));
        assert!(!select(None, Some("2026-11-02T10:00:00Z"), None, None));
        assert!(!select(Some("2026-11-03"), None, None, None));
    }

    #[test]
    fn what_was_asked_for_is_there() {
        assert!(select(None, None, None, None));
        assert!(select(Some("2026-11-02T12:00:00+02:00"), Some("2026-11-03"), Some("prod"), Some("42")));
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        for text in ["yesterday", "2026-13-01", "2026-11-01 00:00", ""] {
            assert_eq!(instant(text).unwrap_err().code, Code::Usage, "{text}");
        }
    }

    #[test]
    fn an_unreadable_line_is_not_hidden() {
        let args = Log { since: None, until: None, key: Some("prod".into()), token: None, dir: None };
        let row = Select::new(&args).unwrap().row(b"{torn").unwrap();
        assert_eq!(row.len(), COLUMNS.len());
    }
}
