//! Values laid down as dotenv text: each is refused by its key's name, or stands on lines of its
//! own from which it is read back.

use std::collections::BTreeMap;

use vanta::domain::grants::FileFormat;
use vanta::domain::names::Key;
use vanta::domain::render::{Rendered, render_as};
use vanta::domain::secret::SecretValue;

/// An input is values, with a byte that no text holds between two.
pub(super) fn run(data: &[u8]) {
    let parts = data.split(|byte| *byte == 0xff).take(16).enumerate();
    let values: Vec<(String, &[u8])> =
        parts.map(|(at, value)| (format!("K{at:02}"), value)).collect();
    let texts = values.iter().map(|(name, value)| {
        let key: Key = name.parse().expect("it is a key");
        (key, SecretValue::new(value.to_vec()))
    });
    let texts: BTreeMap<Key, SecretValue> = texts.collect();
    match render_as(&texts, FileFormat::Dotenv, &BTreeMap::new()) {
        Ok(Rendered::Text(text)) => {
            let text = text.expose_str().expect("texts make a text");
            let expected = values.iter().map(|(name, value)| {
                (name.as_str(), std::str::from_utf8(value).expect("it was written as text"))
            });
            assert_eq!(read(text), expected.collect::<Vec<_>>());
        }
        Ok(Rendered::Files(_)) => panic!("dotenv is one text"),
        Err(error) => {
            let error = error.to_string();
            let named = values.iter().filter(|(name, _)| error.contains(name.as_str()));
            assert_eq!(named.count(), 1, "{error}");
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-./:".contains(byte);
            let all_plain = values.iter().all(|(_, value)| value.iter().all(plain));
            assert!(!all_plain, "plain values have a form: {error}");
        }
    }
}

/// Reads `NAME='value'` or `NAME="value"`, each up to the same quote before a line's end.
///
/// Between quotes nothing has a meaning for any of the three readers: that is asserted.
fn read(mut text: &str) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once('=').expect("a name is followed by =");
        let quote = rest.chars().next().expect("a value is quoted");
        assert!(quote == '\'' || quote == '"', "a value is quoted");
        let (value, rest) = rest[1..].split_once(quote).expect("a quote is closed");
        text = rest.strip_prefix('\n').expect("a value is the last of its line");
        assert!(!value.contains(['\0', '\r']) && !value.contains("${"));
        if quote == '"' {
            assert!(!value.contains(['$', '`', '\\']), "they have a meaning in double quotes");
        } else {
            assert!(!value.contains("\\\\") && !value.ends_with('\\'));
        }
        pairs.push((name, value));
    }
    pairs
}
