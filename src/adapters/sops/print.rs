//! A decrypted document as sops prints JSON (`stores/json/store.go` over Go's `encoding/json`).

use std::fmt::Write;

use zeroize::Zeroizing;

use super::error::ValueError;
use super::number;
use super::plaintext::Plaintext;
use super::walk::Shape;

/// Why a document cannot be printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotJson {
    /// An infinite float, or none.
    #[error("JSON has no word for a float that is infinite or not a number")]
    Float,
    /// A value cannot be decrypted.
    #[error("a value cannot be decrypted: {0}")]
    Value(#[from] ValueError),
}

/// Prints a document, indented with tabs, and a line feed.
pub(super) fn json(
    shape: &Shape,
    open: &dyn Fn(usize) -> Result<Plaintext, ValueError>,
) -> Result<Zeroizing<String>, NotJson> {
    let mut printer = Printer { out: Zeroizing::new(String::new()), open };
    printer.shape(shape, 0)?;
    printer.out.push('\n');
    Ok(printer.out)
}

struct Printer<'a> {
    out: Zeroizing<String>,
    open: &'a dyn Fn(usize) -> Result<Plaintext, ValueError>,
}

impl Printer<'_> {
    fn shape(&mut self, shape: &Shape, depth: usize) -> Result<(), NotJson> {
        match shape {
            Shape::Null => self.out.push_str("null"),
            Shape::Leaf(leaf) => {
                let plaintext = (self.open)(*leaf)?;
                self.scalar(&plaintext)?;
            }
            Shape::Map(entries) => {
                self.out.push('{');
                for (at, (key, shape)) in entries.iter().enumerate() {
                    self.separate(at, depth + 1);
                    self.text(key.as_bytes());
                    self.out.push_str(": ");
                    self.shape(shape, depth + 1)?;
                }
                self.close(entries.is_empty(), depth, '}');
            }
            Shape::List(elements) => {
                self.out.push('[');
                for (at, shape) in elements.iter().enumerate() {
                    self.separate(at, depth + 1);
                    self.shape(shape, depth + 1)?;
                }
                self.close(elements.is_empty(), depth, ']');
            }
        }
        Ok(())
    }

    fn separate(&mut self, at: usize, depth: usize) {
        if at > 0 {
            self.out.push(',');
        }
        self.new_line(depth);
    }

    fn close(&mut self, empty: bool, depth: usize, bracket: char) {
        if !empty {
            self.new_line(depth);
        }
        self.out.push(bracket);
    }

    fn new_line(&mut self, depth: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n('\t', depth));
    }

    fn scalar(&mut self, plaintext: &Plaintext) -> Result<(), NotJson> {
        match plaintext {
            Plaintext::Null | Plaintext::Comment => self.out.push_str("null"),
            Plaintext::Bool(bool) => self.out.push_str(if *bool { "true" } else { "false" }),
            Plaintext::Int(int) => self.out.push_str(&int.to_string()),
            Plaintext::Float(float) => {
                self.out.push_str(&number::json_float(*float).ok_or(NotJson::Float)?);
            }
            Plaintext::Text(bytes) => self.text(bytes),
            Plaintext::Time(time) => self.text(time.with_fraction().as_bytes()),
        }
        Ok(())
    }

    /// A string with Go's escapes: those of HTML too, and U+FFFD for what is not UTF-8.
    fn text(&mut self, bytes: &[u8]) {
        self.out.push('"');
        for chunk in bytes.utf8_chunks() {
            for char in chunk.valid().chars() {
                self.char(char);
            }
            // Go replaces each byte by itself.
            for _ in chunk.invalid() {
                self.out.push_str("\\ufffd");
            }
        }
        self.out.push('"');
    }

    fn char(&mut self, char: char) {
        match char {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\u{8}' => self.out.push_str("\\b"),
            '\u{c}' => self.out.push_str("\\f"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let digits = u32::from(char);
                // Writing to a string cannot fail.
                let _ = write!(self.out, "\\u{digits:04x}");
            }
            _ => self.out.push(char),
        }
    }
}
