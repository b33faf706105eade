//! What Go matches and refuses, and what matching and compiling take.

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
        // Ranges that end or begin with a dash, where the crate sees an operator.
        (r"^[+--]+$", "+,-", true),
        (r"^[--/]+$", "-./", true),
        (r"^[\d-z]+$", "5-z", true),
        (r"^[\d-z]+$", "a", false),
        (r"^[a~~b]+$", "~", true),
        (r"^[[:^alpha:]]+$", "12", true),
        (r"^[[:alpha]+$", "[:", true),
        (r"^(?:a{2})*$", "aaaa", true),
        (r"^a{2,3}?$", "aaa", true),
        (r"^\x41[\x{42}-\x44]$", "AC", true),
        (r"^\p{Lu}[\pP]$", "É!", true),
        (r"^\_\-\ $", "_- ", true),
    ] {
        let regex = GoRegex::compile(pattern);
        let regex = regex.unwrap_or_else(|| panic!("{pattern} was refused"));
        assert_eq!(regex.is_match(text), Ok(matches), "{pattern} on {text}");
    }
    for invalid in [
        "(",
        "[",
        "a**",
        "a+?*",
        "a{2}*",
        "a*{2}",
        "a{2}{3}",
        "a{2}??",
        "a{1001}",
        "a{1001,}",
        "a{0,1001}",
        "(a{100}){11}",
        // A count to the crate and text to Go.
        "a{ 2}",
        "a{02}",
        "[[:foo:]]",
        "[a--]",
        r"[+-\d]",
        r"[\A]",
        r"\u0041",
        r"\p{sc=Greek}",
        r"\p{letter}",
        "(?P<a.b>x)",
        "(?x)a",
        "(?i-u:a)",
        r"\8",
        "(?=a)",
        r"\",
        "((((a{1000}){1000}){1000}){1000})",
    ] {
        assert!(GoRegex::compile(invalid).is_none(), "{invalid} was accepted");
    }
}

/// Letters a and b, without an order that an automaton could profit from.
fn letters(count: usize) -> String {
    let mut state = 12_345_u64;
    let letters = (0..count).map(|_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 { 'a' } else { 'b' }
    });
    letters.collect()
}

#[test]
fn one_that_needs_many_states_is_given_up() {
    let letters = letters(1024 * 1024);
    for hard in ["[ab]*a[ab]{900}c", "[ab]*a[ab]{20}c", "(a|b)*a(a|b|ab|ba){100}c", "a(a?b?){100}c"]
    {
        let regex = GoRegex::compile(hard).unwrap();
        assert_eq!(regex.is_match(&letters), Err(TooHard), "{hard}");
        let states = regex.states.borrow().memory_usage();
        // The last state is made before it is seen that there is no room for it.
        assert!(states <= MAX_STATES + MAX_STATES / 16, "{hard}: {states}");
    }
    // Texts count together.
    let regex = GoRegex::compile("[ab]*a[ab]{20}c").unwrap();
    let mut short = letters.as_bytes().chunks(100).map(|text| std::str::from_utf8(text).unwrap());
    assert_eq!(short.find_map(|text| regex.is_match(text).err()), Some(TooHard));
}

#[test]
fn ordinary_ones_need_a_small_part_of_the_states() {
    let alternatives: Vec<String> = (0..30).map(|at| format!("some{at}_secret_thing")).collect();
    let alternatives = alternatives.join("|");
    for ordinary in [
        "^(data|stringData)$".to_owned(),
        format!("^({alternatives})$"),
        format!("(?i)({alternatives})"),
        "(?i)(pass(word)?|secret|token|key|cred(ential)?s?)".to_owned(),
        "[a-z0-9]{3,20}_(password|secret)$".to_owned(),
        r"(?i)^\pL+_secret|^[\w.]+_plain$".to_owned(),
    ] {
        let regex = GoRegex::compile(&ordinary).unwrap();
        for at in 0..10_000_u32 {
            let mixed = at.wrapping_mul(2_654_435_769);
            for key in [format!("some{}_secret_thing{mixed:x}", at % 40), format!("{mixed:x}_{at}")]
            {
                assert!(regex.is_match(&key).is_ok(), "{ordinary} on {key}");
            }
        }
        let states = regex.states.borrow().memory_usage();
        assert!(states < MAX_STATES / 2, "{ordinary}: {states}");
    }
}

#[test]
fn a_pattern_is_bounded_before_it_is_parsed() {
    let longest = "a".repeat(MAX_PATTERN);
    assert!(GoRegex::compile(&longest).is_some());
    assert!(GoRegex::compile(&(longest + "a")).is_none());
    let nested = |depth| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(GoRegex::compile(&nested(MAX_NESTING as usize)).is_some());
    assert!(GoRegex::compile(&nested(MAX_NESTING as usize + 1)).is_none());
    assert!(GoRegex::compile(&r"\pN".repeat(MAX_CATEGORIES + 1)).is_none());
}
