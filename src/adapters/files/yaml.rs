//! Reading YAML in which somebody may have put a secret by mistake.
//!
//! Invariant: an error names fields, what is expected, line and column, and repeats no value.

use serde::de::DeserializeOwned;
use serde_saphyr::Error;

/// Reads every document of a text, or says what is wrong with it and where.
pub fn parse_yaml<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let reason = describe(error.without_snippet());
        match error.location().filter(|place| place.line() > 0) {
            Some(place) => format!("{reason} (line {}, column {})", place.line(), place.column()),
            None => reason,
        }
    })
}

fn describe(error: &Error) -> String {
    match error {
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {}", kind(expected))
        }
        Error::InvalidScalar { ty, .. } => format!("expected {}", kind(ty)),
        // It calls any scalar a string, also where a number is wanted.
        Error::Unexpected { expected: "string scalar", .. } => "expected a single value".to_owned(),
        Error::Unexpected { expected, .. } => format!("expected {expected}"),
        Error::SerdeInvalidLength { expected, .. } => format!("expected {expected}"),
        Error::SerdeUnknownVariant { expected, .. } => {
            format!("expected one of {}", expected.join(", "))
        }
        Error::SerdeUnknownField { field, expected, .. } => {
            let field = if is_field(field) { field } else { "[redacted]" };
            format!("unknown field {field}: the fields are {}", expected.join(", "))
        }
        Error::SerdeMissingField { field, .. } => format!("field {field} is missing"),
        Error::DuplicateMappingKey { .. } => "a field is given twice".to_owned(),
        Error::Message { msg, .. } | Error::ExternalMessage { msg, .. } => unquoted(msg),
        _ => "it cannot be read as YAML".to_owned(),
    }
}

fn kind(expected: &str) -> &str {
    match expected {
        "i32" | "u32" | "i64" | "u64" => "a whole number",
        other => other,
    }
}

/// Whether this can be a misspelt field, and no secret in the place of one.
fn is_field(text: &str) -> bool {
    text.len() <= 30 && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// A message without what it quotes, from the first quotation mark to the last; of a refused name
/// the rule, which quotes signs, stays.
fn unquoted(message: &str) -> String {
    let mark = |sign| matches!(sign, '"' | '`' | '\'');
    if let Some(rule) = message.rfind(" is refused: ") {
        return format!("{}{}", unquoted(&message[..rule]), &message[rule..]);
    }
    match (message.find(mark), message.rfind(mark)) {
        (Some(first), Some(last)) if last > first => {
            format!("{}[redacted]{}", &message[..first], &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is read to see the errors")]
    struct Entry {
        name: crate::domain::names::Label,
        minutes: Option<u32>,
        until: Option<jiff::Timestamp>,
    }

    #[test]
    fn an_error_says_what_and_where_and_repeats_no_value() {
        for (text, expected) in [
            ("name: a\nminutes: hunter2", "a whole number (line 2"),
            ("name: a\nminutes: {hunter2: 1}", "a single value (line 2"),
            ("name: Hunter2", "name [redacted] is refused"),
            ("name: a\nuntil: hunter2", "line 2"),
            ("name: a\nmin: 1", "unknown field min"),
            ("name: a\nhunter2: 1", "unknown field [redacted]"),
            ("minutes: 1", "field name is missing"),
            ("hunter2", "line 1"),
            ("name: *hunter2", "line 1"),
            ("name: a\nname: hunter2", "twice"),
            ("name: [hunter2", "line"),
            ("name: \"hunter2", "line"),
        ] {
            let error = parse_yaml::<Entry>(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
            assert!(!error.to_lowercase().contains("hunter"), "{text:?}: {error}");
        }
    }
}
