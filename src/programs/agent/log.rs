//! The log: one JSON object a line on standard error, as the vault's.
//!
//! Invariant: what is logged is names, addresses and reasons, never a value or a token.

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Writes one line; `fields` is an object, whose entries come after the message.
pub(super) fn log(level: Level, message: &str, fields: Value) {
    let mut line = line(Timestamp::now(), level, message, fields);
    line.push('\n');
    // With nowhere to write to, the files still have to be kept fresh.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

fn line(time: Timestamp, level: Level, message: &str, fields: Value) -> String {
    let mut entries = Map::new();
    entries.insert("time".to_owned(), json!(format!("{time:.3}")));
    entries.insert("level".to_owned(), json!(level.as_str()));
    entries.insert("message".to_owned(), json!(message));
    if let Value::Object(fields) = fields {
        entries.extend(fields);
    }
    Value::Object(entries).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_with_its_time_in_utc_and_no_line_end_within() {
        let time = "2026-01-02T03:04:05.6+02:00".parse().unwrap();
        let line = line(time, Level::Warn, "a\nb", json!({"file": ".env"}));
        assert!(!line.contains('\n'));
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            read,
            json!({
                "time": "2026-01-02T01:04:05.600Z", "level": "WARN", "message": "a\nb",
                "file": ".env",
            })
        );
    }
}
