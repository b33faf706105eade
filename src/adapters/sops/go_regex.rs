//! Go's regular expressions (RE2 syntax) in the words of the `regex` crate.
//!
//! Both have linear time. They differ in that Go's `\d`, `\w`, `\s` and `\b` are ASCII, and in
//! what a bracket or an ampersand means inside a class; the pattern is rewritten for that.

use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::{Regex, RegexBuilder};

/// The memory that one compiled expression may take, in bytes.
const MAX_COMPILED: usize = 64 * 1024;

/// Compiles a pattern so that it matches what Go's `regexp` would match; nothing where invalid.
pub(super) fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&translate(pattern)?).size_limit(MAX_COMPILED).build().ok()
}

/// What the character before was, so far as it decides what this one may be.
#[derive(PartialEq)]
enum Before {
    Other,
    Repeat,
    LazyRepeat,
}

/// Rewrites a pattern; nothing where it is one that the crate would take and Go does not.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut before = Before::Other;
    while let Some(char) = chars.next() {
        let repeats = matches!(char, '*' | '+' | '?');
        before = match (before, char) {
            (Before::Repeat, '?') => Before::LazyRepeat,
            (Before::Repeat | Before::LazyRepeat, _) if repeats => return None,
            _ if repeats => Before::Repeat,
            _ => Before::Other,
        };
        match char {
            '\\' => escape(chars.next()?, false, &mut out),
            '[' => class(&mut chars, &mut out),
            '(' if chars.next_if_eq(&'?').is_some() => {
                out.push_str("(?");
                let flags: String =
                    chars.clone().take_while(|char| !matches!(char, ':' | ')' | '<')).collect();
                if flags.contains(['x', 'R', 'u']) {
                    return None;
                }
            }
            char => out.push(char),
        }
    }
    Some(out)
}

/// The rest of a class, whose opening bracket has been read.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    // A bracket that comes first is a member of the class.
    if chars.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(escaped) => escape(escaped, true, out),
                None => out.push('\\'),
            },
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                for char in chars.by_ref() {
                    out.push(char);
                    if char == ']' {
                        break;
                    }
                }
            }
            ']' => return out.push(']'),
            '[' | '&' | '~' => out.extend(['\\', char]),
            char => out.push(char),
        }
    }
}

fn escape(escaped: char, in_class: bool, out: &mut String) {
    match escaped {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' if !in_class => out.push_str("(?-u:\\b)"),
        'B' if !in_class => out.push_str("(?-u:\\B)"),
        // Word boundaries to the crate, the characters themselves to Go.
        '<' | '>' => out.push(escaped),
        _ => out.extend(['\\', escaped]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ascii_and_brackets_in_classes_are_members() {
        for (pattern, text, matches) in [
            (r"^\d+$", "123", true),
            (r"^\d+$", "١٢٣", false),
            (r"^\w+$", "é", false),
            (r"^[\w-]+$", "a-b", true),
            (r"^[[a]+$", "[a", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]a]+$", "b", true),
            (r"^[a&&b]+$", "&", true),
            (r"^[[:alpha:]]+$", "ab", true),
            (r"\bkey\b", "ékey", true),
            (r"^(data|stringData)$", "data", true),
            (r"(?i)PASS", "my_pass", true),
            (r"\<", "<", true),
        ] {
            let regex = compile(pattern).unwrap();
            assert_eq!(regex.is_match(text.as_bytes()), matches, "{pattern} on {text}");
        }
        for invalid in [
            "(",
            "[",
            "a**",
            "a+?*",
            "(?x)a",
            "(?i-u:a)",
            r"\8",
            "(?=a)",
            r"\",
            "((((a{1000}){1000}){1000}){1000})",
        ] {
            assert!(compile(invalid).is_none(), "{invalid} was accepted");
        }
    }
}
