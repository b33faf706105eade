//! Files that would cost more than they are: refused soon, and before anything is expanded.

use std::fmt::Write;
use std::time::{Duration, Instant};

use vanta::adapters::sops::{
    EncryptedFile, FileError, Format, Leave, MAX_DEPTH, MAX_FILE_BYTES, MAX_MATCHED_BYTES,
    MAX_NODES, MAX_TEXT_BYTES,
};

use super::fixtures::{edit, identities, refusal, text};

/// Generous, since tests are not optimised and share their machine.
const SOON: Duration = Duration::from_secs(2);

fn soon<T>(what: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = what();
    let taken = begin.elapsed();
    assert!(taken < SOON, "it took {taken:?}");
    result
}

/// Nine levels, each with nine aliases of the one before.
fn bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let alias = format!("*a{}", level - 1);
        let aliases = vec![alias; 9].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    text
}

#[test]
fn an_alias_bomb_is_refused_in_any_document_and_in_the_metadata() {
    let refused = FileError::TooManyNodes { limit: MAX_NODES };
    assert_eq!(soon(|| refusal(&bomb())), refused);
    let second = format!("{}---\n{}", text("app.enc.yaml"), bomb());
    assert_eq!(soon(|| refusal(&second)), refused);
    let metadata = format!("sops:\n{}", bomb().replace('a', "  a"));
    assert!(soon(|| matches!(
        refusal(&metadata),
        FileError::TooManyNodes { .. } | FileError::NotYaml { .. }
    )));
}

#[test]
fn a_long_text_that_is_repeated_by_aliases_is_refused() {
    let mut repeated = format!("a: &a {}\nl: [", "x".repeat(1_000_000));
    repeated.push_str(&"*a, ".repeat(1_000));
    repeated.push_str("*a]\n");
    assert_eq!(soon(|| refusal(&repeated)), FileError::TooMuchText { limit: MAX_TEXT_BYTES });
}

#[test]
fn an_alias_of_the_collection_that_it_is_in_is_refused() {
    for (text, line) in [("a: &a [*a]\n", 1), ("a: &a\n    b:\n        c: *a\n", 3)] {
        assert_eq!(refusal(text), FileError::SelfAlias { line });
        let second = format!("b: x\n---\n{text}");
        assert_eq!(refusal(&second), FileError::SelfAlias { line: line + 2 });
    }
    let unknown = FileError::NotYaml { line: 1, reason: "an alias refers to no anchor" };
    assert_eq!(refusal("a: *a\n"), unknown);
    // Anchors end with their document.
    assert!(matches!(refusal("a: &a x\n---\nb: *a\n"), FileError::NotYaml { line: 3, .. }));
}

#[test]
fn deep_nesting_is_refused() {
    let refused = FileError::TooDeep { limit: MAX_DEPTH };
    let depth = 10_000;
    assert_eq!(soon(|| refusal(&format!("a: {}", "[".repeat(depth)))), refused);
    assert_eq!(soon(|| refusal(&format!("a: {}", "{a: ".repeat(depth)))), refused);
    assert_eq!(soon(|| refusal(&"- ".repeat(depth))), refused);
    let mut block = String::new();
    for level in 0..1_000 {
        writeln!(block, "{}a:", " ".repeat(level)).unwrap();
    }
    assert_eq!(soon(|| refusal(&block)), refused);
    let json = format!("{{\"a\": {}", "{\"a\": ".repeat(depth));
    let file =
        soon(|| EncryptedFile::open(json.as_bytes(), Format::Json, &identities(), Leave::ALL));
    assert_eq!(file.err(), Some(refused));
}

#[test]
fn a_long_file_is_refused_unread() {
    let long = "x".repeat(50 * 1024 * 1024);
    let refused = FileError::TooLong { limit: MAX_FILE_BYTES };
    assert_eq!(soon(|| refusal(&long)), refused);
}

#[test]
fn many_nodes_are_refused() {
    let refused = FileError::TooManyNodes { limit: MAX_NODES };
    assert_eq!(soon(|| refusal(&format!("a: [{}]\n", "x, ".repeat(1_000_000)))), refused);
    assert_eq!(soon(|| refusal(&"# a comment\n".repeat(500_000))), refused);
    let json = format!("{{\"a\": [{}0]}}", "0, ".repeat(1_000_000));
    let file =
        soon(|| EncryptedFile::open(json.as_bytes(), Format::Json, &identities(), Leave::ALL));
    assert_eq!(file.err(), Some(refused));
}

#[test]
fn a_long_key_above_many_values_is_refused() {
    let key = "k".repeat(1_000);
    let mut long = format!("\"{key}_unencrypted\":\n");
    for at in 0..40_000 {
        writeln!(long, "    {at}a: x").unwrap();
    }
    let original = text("app.enc.yaml");
    long.push_str(&original[original.find("sops:\n").unwrap()..]);
    assert_eq!(refusal(&long), FileError::TooMuchText { limit: MAX_TEXT_BYTES });
}

#[test]
fn a_regex_that_is_hard_on_long_keys_is_refused() {
    let original = text("regex.enc.yaml");
    let regex = |regex: &str| {
        edit(&original, "encrypted_regex: ^pass", &format!("encrypted_regex: {regex}"))
    };
    let long = regex(&"a?".repeat(513));
    let refused = refusal(&long);
    insta::assert_snapshot!(refused, @"the `sops` metadata is too long: encrypted_regex has more than 1024 bytes: make it shorter");
    let large = regex("\"(a|b|ab){900}{900}\"");
    assert_eq!(refusal(&large), FileError::InvalidRegex { field: "encrypted_regex" });
    let mut hard = String::new();
    for at in 0..400 {
        writeln!(hard, "? \"{at}{}\"\n: null", "10".repeat(5_000)).unwrap();
    }
    hard.push_str(&regex("\"[01]*1[01]{60}x\""));
    assert_eq!(soon(|| refusal(&hard)), FileError::TooMuchMatching { limit: MAX_MATCHED_BYTES });
    // One key, within that bound.
    let mut state = 12_345_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if state >> 63 == 0 { 'a' } else { 'b' }
    };
    let letters: String = (0..1_000_000).map(letter).collect();
    let hard = format!("? {letters}\n: null\n{}", regex("\"[ab]*a[ab]{900}c\""));
    let refused = refusal(&hard);
    insta::assert_snapshot!(refused, @"the file's regular expression takes too much work on its keys or comments: write it with fewer and lower counts");
}

#[test]
fn patterns_that_are_hard_on_parsers_are_refused_soon() {
    for pattern in [
        "? ",
        "&a ",
        "!!a ",
        "*a ",
        ": ",
        "- ",
        "a: b\n",
        "\"",
        "'",
        "|\n",
        "%a\n",
        "---\n",
        "#\n",
        "{",
        "[[{",
        "\t",
        "a\n",
        "a:\n",
        "- #\n",
        "\u{feff}",
        "[a, # c\n",
    ] {
        let text = pattern.repeat(1_000_000 / pattern.len());
        soon(|| refusal(&text));
    }
}
