//! JSON, and YAML written as the JSON strings that every YAML reader takes (YAML 1.2 section 7.3.1).

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::{Named, RenderError, text_of};
use crate::domain::names::Key;
use crate::domain::secret::SecretValue;

/// One JSON object of strings.
pub(super) fn json(named: &Named<'_, Key>) -> Result<SecretValue, RenderError> {
    write(named, &Frame { open: "{\n", indent: "  ", separator: ",\n", close: "\n}\n" })
}

/// One YAML mapping of double-quoted strings.
pub(super) fn yaml(named: &Named<'_, Key>) -> Result<SecretValue, RenderError> {
    write(named, &Frame { open: "", indent: "", separator: "\n", close: "\n" })
}

struct Frame {
    open: &'static str,
    indent: &'static str,
    separator: &'static str,
    close: &'static str,
}

fn write(named: &Named<'_, Key>, frame: &Frame) -> Result<SecretValue, RenderError> {
    if named.is_empty() {
        return Ok(SecretValue::from("{}\n".to_owned()));
    }
    // An escape is at most six times as long as its byte: no growing, so no copies left behind.
    let room =
        named.iter().map(|(name, (_, value))| name.as_str().len() + value.expose().len() * 6 + 16);
    let room = room.sum::<usize>() + 16;
    let mut written = Zeroizing::new(String::with_capacity(room));
    written.push_str(frame.open);
    for (at, (name, (key, value))) in named.iter().enumerate() {
        if at > 0 {
            written.push_str(frame.separator);
        }
        written.push_str(frame.indent);
        quote(name.as_str(), &mut written);
        written.push_str(": ");
        quote(text_of(key, value)?, &mut written);
    }
    written.push_str(frame.close);
    debug_assert!(written.len() <= room, "it never grew");
    Ok(SecretValue::new(written.as_bytes().to_vec()))
}

/// A string that JSON (RFC 8259 section 7) and YAML 1.1 and 1.2 read alike.
///
/// YAML folds U+0085, U+2028 and U+2029 as line ends and refuses what is not printable, so those
/// are escaped too, though JSON would take them.
fn quote(text: &str, written: &mut String) {
    written.push('"');
    for character in text.chars() {
        match character {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                write!(written, "\\u{:04x}", u32::from(character))
                    .expect("a string takes all text");
            }
            _ => written.push(character),
        }
    }
    written.push('"');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn quoted(text: &str) -> String {
        let mut written = String::new();
        quote(text, &mut written);
        written
    }

    #[test]
    fn what_yaml_would_fold_or_refuse_is_escaped() {
        assert_eq!(quoted("a\u{85}\u{2028}\u{7f}\0😀"), r#""a\u0085\u2028\u007f\u0000😀""#);
        assert_eq!(quoted("a\n\r\t"), r#""a\n\r\t""#);
    }

    #[test]
    fn a_value_of_escapes_alone_has_room() {
        let (key, value) = ("K".parse().unwrap(), SecretValue::from("\u{1}".repeat(1000)));
        let named = BTreeMap::from([("K".parse().unwrap(), (&key, &value))]);
        // Growing would leave a copy behind: `write` asserts that there is none.
        assert_eq!(json(&named).unwrap().expose().len(), "{\n  \"K\": \"\"\n}\n".len() + 6000);
    }

    proptest::proptest! {
        #[test]
        fn any_text_reads_back_from_json_and_yaml(text in "\\PC*|[\\x00-\\x20\\\\\"'#:{}\u{85}\u{2028}\u{feff}]{0,12}") {
            let key: Key = "K".parse().unwrap();
            let value = SecretValue::from(text.clone());
            let named = BTreeMap::from([(key.clone(), (&key, &value))]);
            let expected = BTreeMap::from([("K".to_owned(), text)]);
            let as_json = json(&named).unwrap();
            let read: BTreeMap<String, String> = serde_json::from_slice(as_json.expose()).unwrap();
            proptest::prop_assert_eq!(&read, &expected);
            #[cfg(feature = "cli")]
            {
                let as_yaml = yaml(&named).unwrap();
                let read: BTreeMap<String, String> =
                    serde_saphyr::from_str(as_yaml.expose_str().unwrap()).unwrap();
                proptest::prop_assert_eq!(&read, &expected);
            }
        }
    }
}
