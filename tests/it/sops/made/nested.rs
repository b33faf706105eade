//! Random YAML and JSON: every type and shape.

use std::fmt::Write;

use super::random::Random;

pub(super) const STEMS: &[&str] = &[
    "key",
    "open_key",
    "public",
    "pass1",
    "API",
    "with space",
    "dot.ted",
    "ünï",
    "日本",
    "x-y",
    "on",
    "123",
];
pub(super) const SUFFIXES: &[&str] = &["", "", "_plain", "_secret", "_unencrypted"];
pub(super) const TEXTS: &[&str] = &[
    "hunter2",
    "",
    " ",
    "true",
    "123",
    "1.5",
    "null",
    "~",
    "a: b # c",
    "quote\" back\\slash",
    "tab\tand\nline\n",
    "<html>&amp;</html>",
    "ünïcödé 🔑 日本語",
    "-",
    "ENC[not]",
    "2020-01-02",
    "trailing \n\n",
];
const PLAIN: &[&str] = &[
    "0",
    "1",
    "-7",
    "42",
    "0x1F",
    "0o17",
    "0777",
    "1_000",
    "0b101",
    "1.0",
    "1.5",
    "-0.0",
    "1e3",
    "1e21",
    "1e-7",
    "123456.789",
    "1234567.5",
    "0.1",
    ".5",
    "3.",
    "9007199254740993",
    "123456789012345678901234567890",
    "true",
    "False",
    "null",
    "~",
    "yes",
    "2020-01-02",
    "2020-01-02T03:04:05Z",
    "2020-01-02T03:04:05.123456789+02:00",
    "plain words",
    "-9223372036854775808",
    "2020-1-2 3:4:5",
    "!!str 5",
    "!!float 3",
    "!!binary gIGC",
    "!!timestamp 2020-01-02",
    "!custom 12",
    "! 7",
];
const NUMBERS: &[&str] = &[
    "0",
    "-3",
    "42",
    "1.5",
    "1e3",
    "1E-7",
    "9007199254740993",
    "12345678901234567890123",
    "0.1",
    "1e21",
];

/// A file of JSON.
pub(crate) fn json(random: &mut Random) -> String {
    let mut out = String::new();
    json_map(random, 0, &mut out);
    out
}

fn json_map(random: &mut Random, depth: usize, out: &mut String) {
    out.push('{');
    for at in 0..random.below(5) + usize::from(depth == 0) {
        let separator = if at == 0 { "" } else { ", " };
        write!(out, "{separator}{}: ", quoted(&key(random, at))).expect("a string takes it");
        json_node(random, depth + 1, out);
    }
    out.push('}');
}

fn json_node(random: &mut Random, depth: usize, out: &mut String) {
    match random.below(if depth < 4 { 8 } else { 6 }) {
        0 => out.push_str(random.pick(&["true", "false", "null"])),
        1 | 2 => out.push_str(random.pick(NUMBERS)),
        3..=5 => out.push_str(&quoted(random.pick(TEXTS))),
        6 => json_map(random, depth, out),
        _ => {
            out.push('[');
            for at in 0..random.below(4) {
                out.push_str(if at == 0 { "" } else { ", " });
                json_node(random, depth + 1, out);
            }
            out.push(']');
        }
    }
}

/// A file of YAML with one to three documents.
pub(crate) fn yaml(random: &mut Random) -> String {
    let mut out = String::new();
    let documents = if random.one_in(4) { 1 + random.below(3) } else { 1 };
    for at in 0..documents {
        if at > 0 || random.one_in(4) {
            out.push_str("---\n");
        }
        Writer { random, out: &mut out, anchor: None }.map(0, 6);
    }
    out
}

struct Writer<'a> {
    random: &'a mut Random,
    out: &'a mut String,
    /// Where an anchor has been set.
    anchor: Option<usize>,
}

impl Writer<'_> {
    fn map(&mut self, depth: usize, most: usize) {
        let indent = "    ".repeat(depth);
        for at in 0..=self.random.below(most) {
            self.comments(&indent);
            let key = key(self.random, at);
            write!(self.out, "{indent}{}:", quoted(&key)).expect("a string takes it");
            self.value(depth, at);
        }
    }

    fn list(&mut self, depth: usize) {
        let indent = "    ".repeat(depth);
        for at in 0..=self.random.below(3) {
            self.comments(&indent);
            write!(self.out, "{indent}-").expect("a string takes it");
            self.value(depth, at);
        }
    }

    /// The rest of the line after a key or a dash, and what is below it.
    fn value(&mut self, depth: usize, at: usize) {
        match self.random.below(if depth < 3 { 15 } else { 11 }) {
            0..=3 => {
                let plain = self.random.pick(PLAIN);
                self.scalar_line(plain);
            }
            4..=6 => {
                let text = quoted(self.random.pick(TEXTS));
                self.scalar_line(text);
            }
            7 => {
                let style = self.random.pick(&["|", "|-", "|+", ">", ">-"]);
                let indent = "    ".repeat(depth + 1);
                let _ = writeln!(self.out, " {style}\n{indent}first # line\n{indent}second\n");
            }
            8 => {
                let flow = self.random.pick(&[
                    "{}",
                    "[]",
                    "{a: 1, b_plain: x}",
                    "[1, two, 3.5]",
                    "[[a], {k: v}]",
                ]);
                let _ = writeln!(self.out, " {flow}");
            }
            9 if self.anchor.is_none() => {
                self.anchor = Some(at);
                let _ = writeln!(self.out, " &anchor {}", quoted("shared"));
            }
            9 | 10 if self.anchor.is_some() => {
                let _ = writeln!(self.out, " *anchor");
            }
            9 | 10 => {
                let _ = writeln!(self.out, " 'it''s single'");
            }
            11 | 12 => {
                self.out.push('\n');
                self.map(depth + 1, 4);
            }
            _ => {
                self.out.push('\n');
                self.list(depth + 1);
            }
        }
    }

    fn scalar_line(&mut self, scalar: impl AsRef<str>) {
        let comment = if self.random.one_in(6) { self.comment() } else { String::new() };
        let _ = writeln!(self.out, " {}{comment}", scalar.as_ref());
    }

    fn comments(&mut self, indent: &str) {
        for _ in 0..self.random.below(6).saturating_sub(3) {
            let comment = self.comment();
            let _ = writeln!(self.out, "{indent}{}", comment.trim_start());
        }
    }

    fn comment(&mut self) -> String {
        // Not an empty one: sops decrypts it, in a list, to an empty string.
        let text = self.random.pick(&[" note", " leave it", " hide it", "#", " ünï: {"]);
        format!(" #{text}")
    }
}

pub(super) fn key(random: &mut Random, at: usize) -> String {
    format!("{}{at}{}", random.pick(STEMS), random.pick(SUFFIXES))
}

/// In double quotes, as JSON and YAML both read it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}
