//! Numbers as Go reads and writes them (`strconv`), which is what SOPS hashes and prints.

/// Go's `strconv.Atoi`.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Go's `strconv.ParseInt(text, 0, 64)`: with a prefix of its base, and digits set apart by `_`.
pub(super) fn parse_prefixed_int(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, base).ok()?);
    let value = if negative { -value } else { value };
    // Negative numbers have no unsigned second chance.
    (value >= i128::from(i64::MIN)).then_some(value)
}

/// Go's `strconv.ParseFloat` but for hexadecimal, which SOPS never writes.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned.to_ascii_lowercase().as_str() {
        "nan" => return (unsigned.len() == text.len()).then_some(f64::NAN),
        "inf" | "infinity" => {
            let negative = text.starts_with('-');
            return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        _ => {}
    }
    let bytes = text.as_bytes();
    let is_digit =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let apart = |at: usize| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
    let possible = bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'_' => apart(at),
        byte => byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'),
    });
    if !possible {
        return None;
    }
    // Go reports an overflow as an error; Rust gives infinity.
    text.replace('_', "").parse().ok().filter(|float: &f64| float.is_finite())
}

/// Go's `strconv.ParseBool`.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Go's `FormatFloat(float, 'f', -1, 64)`: as it goes into the MAC.
pub(super) fn positional(float: f64) -> String {
    if float.is_infinite() {
        return if float > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    format!("{float}")
}

/// As `sops exec-env` prints a float (`stores.ValToString`).
pub(super) fn shown_float(float: f64) -> String {
    let text = shortest(float);
    if text.contains(['.', 'E']) || !float.is_finite() { text } else { format!("{text}.0") }
}

/// Go's `FormatFloat(float, 'G', -1, 64)`.
fn shortest(float: f64) -> String {
    if !float.is_finite() || float == 0.0 {
        return positional(float);
    }
    let scientific = format!("{float:E}");
    let Some((digits, exponent)) = scientific.split_once('E') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Go takes 6 for the precision of "shortest" when it decides between the two notations.
    if (-4..6).contains(&exponent) {
        return positional(float);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}E{sign}{:02}", exponent.abs())
}

/// A float as Go's `encoding/json` writes it; nothing for what JSON cannot say.
pub(super) fn json_float(float: f64) -> Option<String> {
    if !float.is_finite() {
        return None;
    }
    let size = float.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Some(positional(float));
    }
    let text = format!("{float:e}");
    Some(if text.contains("e-") { text } else { text.replace('e', "e+") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_hashed_and_shown_as_go_formats_them() {
        for (float, hashed, shown, json) in [
            (1.0, "1", "1.0", "1"),
            (1.5, "1.5", "1.5", "1.5"),
            (100_000.0, "100000", "100000.0", "100000"),
            (1_000_000.0, "1000000", "1E+06", "1000000"),
            (1_234_567.5, "1234567.5", "1.2345675E+06", "1234567.5"),
            (1e21, "1000000000000000000000", "1E+21", "1e+21"),
            (0.0001, "0.0001", "0.0001", "0.0001"),
            (0.00001, "0.00001", "1E-05", "0.00001"),
            (1e-7, "0.0000001", "1E-07", "1e-7"),
            (0.0, "0", "0.0", "0"),
        ] {
            assert_eq!(positional(float), hashed);
            assert_eq!(shown_float(float), shown);
            assert_eq!(json_float(float).as_deref(), Some(json));
        }
        assert_eq!(positional(f64::INFINITY), "+Inf");
        assert_eq!(shown_float(f64::NEG_INFINITY), "-Inf");
        assert_eq!(json_float(f64::NAN), None);
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, value) in [
            ("0x1F", 31),
            ("-0x1F", -31),
            ("0777", 511),
            ("0o17", 15),
            ("0b11", 3),
            ("+5", 5),
            ("00", 0),
            ("0", 0),
        ] {
            assert_eq!(parse_prefixed_int(text), Some(value), "{text}");
        }
        for bad in ["09", "0x", "", "-", "1.0", "--1", "+-1", "1_0", "0x+1"] {
            assert_eq!(parse_prefixed_int(bad), None, "{bad}");
        }
        assert_eq!(parse_float("1_000.5"), Some(1000.5));
        assert_eq!(parse_float("-iNf"), Some(f64::NEG_INFINITY));
        for bad in ["1e400", "1__0", "_1", "", ".", "1e", "infinit", "0x1p2"] {
            assert_eq!(parse_float(bad), None, "{bad}");
        }
    }
}
