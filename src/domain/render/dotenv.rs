//! dotenv text that python-dotenv, dotenv for Node and a POSIX shell read back alike.
//!
//! Invariant: what the three have no common form for is refused, never written and hoped for.
//! `tests/it/cli/dotenv_readers.rs` asks the three themselves.

use zeroize::Zeroizing;

use super::{Named, RenderError, text_of};
use crate::domain::secret::SecretValue;

/// One `NAME='value'` a key; a value's line ends are kept inside its quotes.
pub(super) fn write(variables: &Named<'_, String>) -> Result<SecretValue, RenderError> {
    let mut lines = Vec::with_capacity(variables.len());
    for (name, (key, value)) in variables {
        let text = text_of(key, value)?;
        let quote = quote_for(text)
            .map_err(|what| RenderError::NoDotenvForm { key: (*key).clone(), what })?;
        lines.push((name, quote, text));
    }
    // The whole length is known, so that growing leaves no copies behind in freed memory.
    let length: usize =
        lines.iter().map(|(name, _, text)| name.len() + text.len() + "=''\n".len()).sum();
    let mut written = Zeroizing::new(String::with_capacity(length));
    for (name, quote, text) in lines {
        written.push_str(name);
        written.push('=');
        written.push(quote);
        written.push_str(text);
        written.push(quote);
        written.push('\n');
    }
    debug_assert_eq!(written.len(), length, "it never grew");
    Ok(SecretValue::new(written.as_bytes().to_vec()))
}

/// The quote between which the text stands as it is, or what keeps it from any.
fn quote_for(text: &str) -> Result<char, &'static str> {
    // A shell drops it, and C programs end at it.
    if text.contains('\0') {
        return Err("a NUL character");
    }
    // dotenv for Node and Python's text files turn it into a line feed.
    if text.contains('\r') {
        return Err("a carriage return");
    }
    // python-dotenv expands it even between single quotes.
    if text.contains("${") {
        return Err("'${'");
    }
    if text.contains('\'') {
        // Between double quotes all three expand, and each expands something else.
        if text.contains(['"', '$', '`', '\\']) {
            return Err("a single quote together with one of \", $, ` and \\");
        }
        return Ok('"');
    }
    // Between single quotes python-dotenv still reads `\\` as one backslash and `\'` as a quote.
    if text.contains("\\\\") {
        return Err("two backslashes in a row");
    }
    if text.ends_with('\\') {
        return Err("a backslash at its end");
    }
    Ok('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_between_the_quotes_that_all_three_take_literally() {
        for single in ["", "a b", "#x", "$5", "a\"b", "`id`", "a\\nb", "line\nline", "é", "=", "!"]
        {
            assert_eq!(quote_for(single), Ok('\''), "{single:?}");
        }
        for double in ["it's", "it's\nso", "'", "'#'"] {
            assert_eq!(quote_for(double), Ok('"'), "{double:?}");
        }
    }

    #[test]
    fn a_value_without_a_common_form_is_refused() {
        for bad in ["\0", "a\r\nb", "a${X}b", "it's $5", "it's \"", "'\\", "a\\\\b", "a\\", "'`"] {
            assert!(quote_for(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
