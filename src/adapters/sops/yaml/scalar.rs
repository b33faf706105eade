//! What a scalar of YAML is, by the rules of go-yaml v3 (`resolve.go`), which SOPS hashes.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use regex::Regex;

use super::super::error::FileError;
use super::super::number;
use super::super::time::Time;
use super::super::tree::Scalar;

/// The namespace of YAML's own tags, written `!!`.
const CORE: &str = "tag:yaml.org,2002:";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
        .expect("the pattern is valid: a test uses it")
});

/// Resolves a scalar. `plain` is said of one without quotes and not of a block.
pub(super) fn resolve(
    text: &str,
    plain: bool,
    tag: Option<&str>,
    line: usize,
) -> Result<Scalar, FileError> {
    // A lone `!` says nothing to go-yaml.
    let tag = tag.filter(|tag| *tag != "!");
    let core = match tag.map(|tag| tag.strip_prefix(CORE)) {
        None if plain => None,
        Some(Some("binary")) => return binary(text).ok_or(FileError::WrongTag { line }),
        Some(Some(core @ ("bool" | "int" | "float" | "null" | "timestamp"))) => Some(core),
        // Quoted, `!!str`, or a tag that go-yaml does not know.
        _ => return Ok(Scalar::text(text)),
    };
    let scalar = guess(text, matches!(core, None | Some("timestamp")))
        .map_err(|TooLarge| FileError::IntegerTooLarge { line })?;
    match (core, scalar) {
        (None, scalar)
        | (Some("null"), scalar @ Scalar::Null)
        | (Some("bool"), scalar @ Scalar::Bool(_))
        | (Some("int"), scalar @ Scalar::Int(_))
        | (Some("float"), scalar @ Scalar::Float(_))
        | (Some("timestamp"), scalar @ Scalar::Time(_)) => Ok(scalar),
        #[expect(clippy::cast_precision_loss, reason = "go-yaml converts it so")]
        (Some("float"), Scalar::Int(int)) => Ok(Scalar::Float(int as f64)),
        _ => Err(FileError::WrongTag { line }),
    }
}

fn binary(text: &str) -> Option<Scalar> {
    let text: String = text.chars().filter(|char| !matches!(char, '\r' | '\n')).collect();
    BASE64.decode(text).ok().map(Scalar::Text)
}

/// An integer between those that SOPS can take and those that become floats.
struct TooLarge;

fn guess(text: &str, times: bool) -> Result<Scalar, TooLarge> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => match text.as_bytes()[0] {
            b'.' => number::parse_float(text).map_or_else(|| Scalar::text(text), Scalar::Float),
            b'+' | b'-' | b'0'..=b'9' => return numeric(text, times),
            _ => Scalar::text(text),
        },
    })
}

fn numeric(text: &str, times: bool) -> Result<Scalar, TooLarge> {
    if times && let Some(time) = Time::from_yaml(text) {
        return Ok(Scalar::Time(time));
    }
    let digits = text.replace('_', "");
    if let Some(int) = number::parse_prefixed_int(&digits) {
        match i64::try_from(int) {
            Ok(int) => return Ok(Scalar::Int(int)),
            // Go reads no sign before an unsigned number; such a one becomes a float.
            Err(_) if !digits.starts_with('+') => return Err(TooLarge),
            Err(_) => {}
        }
    }
    if FLOAT.is_match(&digits)
        && let Some(float) = number::parse_float(&digits)
    {
        return Ok(Scalar::Float(float));
    }
    Ok(signed_after_prefix(&digits).map_or_else(|| Scalar::text(text), Scalar::Int))
}

/// `0b-1` and the like: go-yaml cuts the prefix off and reads what is left with its sign.
fn signed_after_prefix(digits: &str) -> Option<i64> {
    for (prefix, base) in [("0b", 2), ("0o", 8)] {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return i64::from_str_radix(rest, base).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, plain: bool, tag: Option<&str>) -> String {
        match resolve(text, plain, tag, 1) {
            Ok(Scalar::Null) => "null".to_owned(),
            Ok(Scalar::Bool(bool)) => format!("bool {bool}"),
            Ok(Scalar::Int(int)) => format!("int {int}"),
            Ok(Scalar::Float(float)) => format!("float {}", number::positional(float)),
            Ok(Scalar::Text(text)) => format!("text {}", String::from_utf8(text).unwrap()),
            Ok(Scalar::Time(time)) => format!("time {}", time.with_fraction()),
            Err(error) => format!("error {error}"),
        }
    }

    #[test]
    fn plain_scalars_are_what_go_yaml_makes_of_them() {
        for (text, is) in [
            ("", "null"),
            ("~", "null"),
            ("0x1F", "int 31"),
            ("0777", "int 511"),
            ("0o17", "int 15"),
            ("1_000", "int 1000"),
            ("0b-1", "int -1"),
            ("09", "float 9"),
            ("1e3", "float 1000"),
            ("1.", "float 1"),
            (".5", "float 0.5"),
            ("-.inf", "float -Inf"),
            (".", "text ."),
            ("1e400", "text 1e400"),
            ("2020-1-2", "time 2020-01-02T00:00:00Z"),
            ("yes", "text yes"),
            ("on", "text on"),
            ("<<", "text <<"),
            ("nULL", "text nULL"),
            ("123456789012345678901234567890", "float 123456789012345680000000000000"),
            ("-9223372036854775808", "int -9223372036854775808"),
            ("-9223372036854775809", "float -9223372036854776000"),
            ("+18446744073709551615", "float 18446744073709552000"),
        ] {
            assert_eq!(seen(text, true, None), is, "{text}");
        }
        assert!(seen("9223372036854775808", true, None).starts_with("error"));
        assert_eq!(seen("1", false, None), "text 1");
    }

    #[test]
    fn tags_decide_before_the_text_does() {
        let core = |name: &str| format!("{CORE}{name}");
        for (tag, text, plain, is) in [
            (core("str"), "1", true, "text 1"),
            (core("int"), "1", false, "int 1"),
            (core("float"), "1", true, "float 1"),
            (core("binary"), "aGk=", true, "text hi"),
            (core("timestamp"), "2020-01-02", false, "time 2020-01-02T00:00:00Z"),
            (core("set"), "1", true, "text 1"),
            ("!custom".to_owned(), "1", true, "text 1"),
            ("!".to_owned(), "1", true, "int 1"),
        ] {
            assert_eq!(seen(text, plain, Some(&tag)), is, "{tag} {text}");
        }
        for (tag, text) in
            [("int", "a"), ("int", "2020-01-02"), ("bool", "yes"), ("null", "a"), ("binary", "?")]
        {
            assert!(seen(text, true, Some(&core(tag))).starts_with("error"), "{tag} {text}");
        }
    }
}
