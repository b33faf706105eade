//! Go's regular expressions (RE2 syntax) in the words of the `regex` crate.
//!
//! Go's `\d`, `\w`, `\s` and `\b` are ASCII, and inside a class Go knows no operators; the pattern
//! is rewritten for that. What Go refuses is refused, since sops takes such a rule as one that
//! matches nothing. Some that Go takes is refused as well: `\Q…\E`, octal escapes, a `{` that
//! begins no count, and `\p` with anything but a general category.
//!
//! Matching takes one step a byte, for as long as the states of the automaton that are made on the
//! way fit into [`MAX_STATES`]. Ordinary expressions need a small part of it; one that needs more
//! would take time for each of its own parts and each byte, and is given up.

use std::cell::RefCell;

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;
use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{Ast, ClassSet, GroupKind, Repetition, RepetitionKind, RepetitionRange};
use regex_syntax::is_meta_character;

/// The longest pattern, in bytes: parsing one takes some hundred times its length.
pub(super) const MAX_PATTERN: usize = 1024;

/// How deep groups, classes and repetitions may be nested.
const MAX_NESTING: u32 = 32;

/// The most general categories: each stands for hundreds of ranges, which `(?i)` multiplies.
const MAX_CATEGORIES: usize = 32;

/// The memory that one compiled expression may take, in bytes.
const MAX_COMPILED: usize = 64 * 1024;

/// The memory that the states which are made while matching may take, of all texts together, in
/// bytes.
const MAX_STATES: usize = 512 * 1024;

/// The most repetitions, of nested ones multiplied (Go `regexp/syntax`, `repeatIsValid`).
const MAX_COUNT: u32 = 1000;

/// The classes that Go knows between `[:` and `:]`.
const NAMED_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The general categories that both know by the same name and with the same meaning.
const CATEGORIES: [&str; 34] = [
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc",
    "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "Cc",
    "Cf", "Co",
];

/// A compiled expression, and the states of its automaton that were made so far.
pub(super) struct GoRegex {
    automaton: DFA,
    states: RefCell<Cache>,
}

/// Matching was given up, since it would take too much work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooHard;

impl GoRegex {
    /// Compiles a pattern so that it matches what Go's `regexp` would match; nothing where it is
    /// invalid or too large.
    pub(super) fn compile(pattern: &str) -> Option<Self> {
        if pattern.len() > MAX_PATTERN {
            return None;
        }
        let pattern = translate(pattern)?;
        let parsed = ParserBuilder::new().nest_limit(MAX_NESTING).build().parse(&pattern).ok()?;
        if !is_go(&parsed, &pattern, MAX_COUNT) {
            return None;
        }
        let compiled = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(MAX_COMPILED))
            .which_captures(WhichCaptures::None);
        let states = DFA::config().cache_capacity(MAX_STATES).minimum_cache_clear_count(Some(0));
        let automaton = DFA::builder()
            .syntax(syntax::Config::new().utf8(false).nest_limit(MAX_NESTING))
            .thompson(compiled)
            .configure(states)
            .build(&pattern)
            .ok()?;
        let states = RefCell::new(automaton.create_cache());
        Some(Self { automaton, states })
    }

    /// Whether it matches anywhere in a text.
    pub(super) fn is_match(&self, text: &str) -> Result<bool, TooHard> {
        let input = Input::new(text).earliest(true);
        let found = self.automaton.try_search_fwd(&mut self.states.borrow_mut(), &input);
        found.map(|end| end.is_some()).map_err(|_| TooHard)
    }
}

/// Whether Go takes what the crate has parsed.
fn is_go(parsed: &Ast, pattern: &str, most: u32) -> bool {
    match parsed {
        Ast::Repetition(repetition) => {
            // `a**`: a repetition of a repetition needs a group in between.
            !matches!(*repetition.ast, Ast::Repetition(_))
                && remaining(repetition, pattern, most)
                    .is_some_and(|most| is_go(&repetition.ast, pattern, most))
        }
        Ast::Group(group) => {
            let named = match &group.kind {
                GroupKind::CaptureName { name, .. } => {
                    name.name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
                }
                GroupKind::CaptureIndex(_) | GroupKind::NonCapturing(_) => true,
            };
            named && is_go(&group.ast, pattern, most)
        }
        Ast::Alternation(several) => several.asts.iter().all(|one| is_go(one, pattern, most)),
        Ast::Concat(several) => several.asts.iter().all(|one| is_go(one, pattern, most)),
        Ast::ClassBracketed(class) => !matches!(class.kind, ClassSet::BinaryOp(_)),
        Ast::Empty(_)
        | Ast::Flags(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::Assertion(_)
        | Ast::ClassUnicode(_)
        | Ast::ClassPerl(_) => true,
    }
}

/// How many repetitions are left to what is repeated; nothing where these are too many, or where
/// Go would not read them as a count (`{01}`, `{ 1}`).
fn remaining(repetition: &Repetition, pattern: &str, most: u32) -> Option<u32> {
    let RepetitionKind::Range(range) = &repetition.op.kind else { return Some(most) };
    let (count, written) = match range {
        RepetitionRange::Exactly(count) => (*count, format!("{{{count}}}")),
        RepetitionRange::AtLeast(least) => (*least, format!("{{{least},}}")),
        RepetitionRange::Bounded(least, count) => (*count, format!("{{{least},{count}}}")),
    };
    let span = &repetition.op.span;
    let given = &pattern[span.start.offset..span.end.offset];
    let read_alike = given.strip_suffix('?').unwrap_or(given) == written;
    (read_alike && count <= most).then(|| most / count.max(1))
}

/// Rewrites a pattern; nothing where it is one that the crate would take and Go does not.
fn translate(pattern: &str) -> Option<String> {
    let out = String::with_capacity(pattern.len());
    let mut reader = Reader { rest: pattern, out, categories: 0 };
    while let Some(char) = reader.next() {
        match char {
            '\\' => reader.escape()?,
            '[' => reader.class()?,
            '(' if reader.take("?") => {
                reader.out.push_str("(?");
                let flags = reader.rest.split([':', ')', '<']).next().unwrap_or_default();
                if flags.contains(['x', 'R', 'u']) {
                    return None;
                }
            }
            char => reader.out.push(char),
        }
    }
    Some(reader.out)
}

/// What is left of Go's pattern, and what it became so far.
struct Reader<'a> {
    rest: &'a str,
    out: String,
    /// How many general categories there were.
    categories: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.rest = &self.rest[char.len_utf8()..];
        Some(char)
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Copies so many characters.
    fn copy(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            let char = self.next()?;
            self.out.push(char);
        }
        Some(())
    }

    /// An escape outside a class, whose backslash has been read.
    fn escape(&mut self) -> Option<()> {
        if self.set()? {
            return Some(());
        }
        match self.next()? {
            'b' => self.out.push_str("(?-u:\\b)"),
            'B' => self.out.push_str("(?-u:\\B)"),
            'A' => self.out.push_str("\\A"),
            'z' => self.out.push_str("\\z"),
            escaped => self.escaped_character(escaped)?,
        }
        Some(())
    }

    /// What stands for a set of characters, after a backslash; false where it is none.
    fn set(&mut self) -> Option<bool> {
        let set = match self.rest.chars().next()? {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            's' => "[\\t\\n\\f\\r ]",
            'S' => "[^\\t\\n\\f\\r ]",
            'p' | 'P' => return self.category().map(|()| true),
            _ => return Some(false),
        };
        self.next();
        self.out.push_str(set);
        Some(true)
    }

    /// `pL` or `p{Lu}`.
    fn category(&mut self) -> Option<()> {
        let kind = self.next()?;
        let name = if self.take("{") {
            let (name, rest) = self.rest.split_once('}')?;
            self.rest = rest;
            name.to_owned()
        } else {
            self.next()?.to_string()
        };
        self.categories += 1;
        (CATEGORIES.contains(&name.as_str()) && self.categories <= MAX_CATEGORIES).then_some(())?;
        self.out.extend(["\\", &kind.to_string(), "{", &name, "}"]);
        Some(())
    }

    fn escaped_character(&mut self, escaped: char) -> Option<()> {
        match escaped {
            'a' | 'f' | 't' | 'n' | 'r' | 'v' => self.out.extend(['\\', escaped]),
            'x' => {
                self.out.push_str("\\x");
                let digits = if self.rest.starts_with('{') { self.rest.find('}')? + 1 } else { 2 };
                self.copy(digits)?;
            }
            // Also `\<` and `\>`: word boundaries to the crate, the characters themselves to Go.
            escaped if escaped.is_ascii() && !escaped.is_ascii_alphanumeric() => {
                self.literal(escaped);
            }
            _ => return None,
        }
        Some(())
    }

    fn literal(&mut self, char: char) {
        if is_meta_character(char) {
            self.out.push('\\');
        }
        self.out.push(char);
    }

    /// The rest of a class, whose opening bracket has been read (Go `regexp/syntax`, `parseClass`).
    fn class(&mut self) -> Option<()> {
        self.out.push('[');
        if self.take("^") {
            self.out.push('^');
        }
        let mut first = true;
        // A bracket that comes first is a member of the class.
        while first || !self.rest.starts_with(']') {
            first = false;
            if self.named_class()? {
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix('\\') {
                let before = std::mem::replace(&mut self.rest, rest);
                if self.set()? {
                    continue;
                }
                self.rest = before;
            }
            self.member()?;
            // Else the dash is a member itself, the next one.
            if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
                self.copy(1)?;
                self.member()?;
            }
        }
        self.next();
        self.out.push(']');
        Some(())
    }

    /// One character of a class; a set is none, so that it cannot end a range.
    fn member(&mut self) -> Option<()> {
        match self.next()? {
            '\\' => {
                let escaped = self.next()?;
                self.escaped_character(escaped)
            }
            char => {
                self.literal(char);
                Some(())
            }
        }
    }

    /// `[:alpha:]` or `[:^alpha:]`; false where no such brackets begin.
    fn named_class(&mut self) -> Option<bool> {
        let begun = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]"));
        let Some((name, rest)) = begun else { return Some(false) };
        NAMED_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)).then_some(())?;
        self.rest = rest;
        self.out.extend(["[:", name, ":]"]);
        Some(true)
    }
}

#[cfg(test)]
#[path = "go_regex_tests.rs"]
mod tests;
