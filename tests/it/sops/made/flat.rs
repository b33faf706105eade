//! Random dotenv, ini and binary files.

use std::fmt::Write;

use super::nested::{STEMS, TEXTS, key};
use super::random::Random;

/// What is odd in one of the two formats, or in both.
const ODD: &[&str] = &[
    "'single'",
    "\"double\"",
    "it's",
    "`tick`",
    "a `tick` and \"\"\"three\"\"\"",
    "semi;colon",
    "hash#tag",
    "back\\",
    "back\\\\n",
    "\\n",
    "a=b",
    "=",
    "[x]",
    "  spaces  ",
    "\u{a0}nbsp\u{a0}",
    "ENC[AES256_GCM,data:x]",
    "\u{feff}bom",
    "e\u{301}\u{200d}🏳️‍🌈",
    "%(other)s",
    "${OTHER}",
    "0x1F",
    "-7",
    "True",
];

const COMMENTS: &[&str] = &[" note", " leave it", " hide it", "", "#", " ünï = {", " ; two"];

fn text(random: &mut Random) -> &'static str {
    if random.one_in(2) { random.pick(ODD) } else { random.pick(TEXTS) }
}

/// A dotenv file: no value has a line feed but as `\n`.
pub(super) fn dotenv(random: &mut Random) -> String {
    let mut out = String::new();
    for at in 0..=random.below(8) {
        if random.one_in(4) {
            let _ = writeln!(out, "#{}", random.pick(COMMENTS));
        }
        if random.one_in(8) {
            out.push('\n');
        }
        let value = text(random).replace('\n', "\\n");
        let _ = writeln!(out, "{}={value}", key(random, at));
    }
    if random.one_in(5) {
        out.pop();
    }
    if random.one_in(8) { out.replace('\n', "\r\n") } else { out }
}

/// An ini file, with keys before the first section now and then.
pub(super) fn ini(random: &mut Random) -> String {
    let mut out = String::new();
    if random.one_in(3) {
        entries(random, &mut out);
    }
    for at in 0..random.below(4) {
        comment(random, &mut out);
        let inline = if random.one_in(5) { " ; beside" } else { "" };
        let _ = writeln!(out, "[{}{at}]{inline}", random.pick(STEMS));
        entries(random, &mut out);
    }
    if out.is_empty() {
        out.push_str("lone = value\n");
    }
    if random.one_in(8) { out.replace('\n', "\r\n") } else { out }
}

fn entries(random: &mut Random, out: &mut String) {
    for at in 0..random.below(5) {
        comment(random, out);
        let equals = random.pick(&[" = ", "=", ": "]);
        let _ = writeln!(out, "{}{equals}{}", key(random, at), ini_value(random));
    }
}

fn comment(random: &mut Random, out: &mut String) {
    for _ in 0..random.below(5).saturating_sub(2) {
        let _ = writeln!(out, "{}{}", random.pick(&[";", "#"]), random.pick(COMMENTS));
    }
}

fn ini_value(random: &mut Random) -> String {
    let text = text(random);
    match random.below(8) {
        0 => format!("\"{text}\""),
        1 => format!("`{text}`"),
        2 => format!("\"\"\"{text}\"\"\""),
        3 => format!("'{}'", text.replace('\n', " ")),
        4 => format!("{} ; beside", text.replace('\n', " ")),
        5 => format!("{} \\\n  goes on", text.replace('\n', " ")),
        _ => text.replace('\n', " "),
    }
}

/// Any bytes.
pub(super) fn binary(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => text(random).as_bytes().to_vec(),
        1 => b"\0\x01\xff\xfe not text".to_vec(),
        2 => br#"{"data": "as JSON", "sops": 1}"#.to_vec(),
        _ => {
            let bytes = (0..random.below(300)).map(|_| random.below(256));
            bytes.map(|byte| u8::try_from(byte).expect("it is below 256")).collect()
        }
    }
}
