//! Files that would cost more than they are, in every format, by their names.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest file that is read, in bytes.
const LONGEST: usize = 8 * 1024 * 1024;

/// Nine levels, each with nine aliases of the one before.
fn bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{aliases}]");
    }
    text
}

/// Recipients of nobody's, each of which costs public-key cryptography for each identity.
fn stanzas(count: usize) -> String {
    // Not of low order, which would cost nothing.
    let key = "B".repeat(42) + "A";
    let stanza = format!("-> X25519 {key}\n{key}\n");
    let header = format!("age-encryption.org/v1\n{}--- {key}\n", stanza.repeat(count));
    let mut enc = "-----BEGIN AGE ENCRYPTED FILE-----\\n".to_owned();
    for line in STANDARD.encode(header + &"x".repeat(48)).as_bytes().chunks(64) {
        enc.push_str(std::str::from_utf8(line).expect("Base64 is text"));
        enc.push_str("\\n");
    }
    enc.push_str("-----END AGE ENCRYPTED FILE-----\\n");
    format!(
        r#"{{"sops": {{"version": "3.9.0", "lastmodified": "2020-01-01T00:00:00Z", "mac": "x",
        "age": [{{"recipient": "nobody", "enc": "{enc}"}}]}}}}"#
    )
}

/// As much as a file may be long: lines that differ in a number.
fn filled(first: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = first.to_owned();
    let mut lines = (0..).map(line);
    while let Some(next) = lines.next().filter(|next| text.len() + next.len() <= LONGEST) {
        text.push_str(&next);
    }
    text
}

/// This many lines that differ in a number.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// What is made of little text: a node, a name or an entry of each of the shortest lines.
fn many() -> Vec<(&'static str, String)> {
    // One line of each is a way of 63 steps that no other line shares.
    let steps = "__map_".repeat(63);
    // And what is as deep as can be, and no deeper, of which each step is paid for.
    let few = "__map_".repeat(7);
    let lists = "__list_0".repeat(7);
    let long_tag = format!("%TAG !a! {}\n---\na: [", "x".repeat(1000));
    vec![
        ("many-deep-metadata.env", filled("", |at| format!("sops_{at:x}{steps}=\n"))),
        ("many-deep-metadata.ini", filled("[sops]\n", |at| format!("{at:x}{steps}=\n"))),
        ("many-steps.env", filled("", |at| format!("sops_{at:x}{few}=\n"))),
        ("many-steps.ini", filled("[sops]\n", |at| format!("{at:x}{few}=\n"))),
        ("many-lists.env", filled("", |at| format!("sops_{at:x}{lists}=\n"))),
        ("many-elements.env", filled("", |at| format!("sops_a__list_{at}=\n"))),
        // As many as are still paid for.
        ("paid-steps.env", lines(11_000, |at| format!("sops_{at:x}{few}=\n"))),
        ("paid-lists.env", lines(11_000, |at| format!("sops_{at:x}{lists}=\n"))),
        (
            "paid-maps.json",
            format!("{{{}\"z\":0}}", lines(24_000, |at| format!("\"{at:x}\":{{\"\":0}},"))),
        ),
        ("paid-maps.yaml", lines(24_000, |at| format!("k{at}: {{a: 0}}\n"))),
        ("paid-keys.ini", lines(49_000, |at| format!("{at:x}=\n"))),
        ("many-fields.env", filled("", |at| format!("sops_{at:x}=\n"))),
        ("many-names.env", filled("", |at| format!("{at:x}=\n"))),
        ("many-names.ini", filled("", |at| format!("{at:x}=\n"))),
        ("many-named-sections.ini", filled("", |at| format!("[{at:x}]\n"))),
        ("many-commented-keys.ini", filled("", |at| format!("#\n{at:x}=;\n"))),
        ("many-continued.ini", filled("", |at| format!("{at:x}=\\\n\\\n\n"))),
        ("many-quoted.ini", filled("", |at| format!("{at:x}=`\n`\n"))),
        ("long-lines.ini", filled("", |at| format!("{at:x}={}\\\n\n", "x".repeat(90)))),
        ("line-feeds.env", format!("a={}\n", "\\n".repeat(LONGEST / 2 - 8))),
        ("many-empty-maps.json", braced("{", "\"", |at| format!("\"{at:x}\":{{}},"))),
        ("many-maps-of-one.json", braced("{", "\"", |at| format!("\"{at:x}\":{{\"\":0}},"))),
        ("many-lists-of-one.json", braced("{\"a\":[", "0]", |_| "[0],".to_owned())),
        ("many-texts.json", braced("{", "\"", |at| format!("\"{at:x}\":\"\","))),
        ("many-escapes.json", format!("{{\"a\":\"{}\"}}", "\\u0001".repeat(LONGEST / 6 - 8))),
        (
            "many-keys-of-metadata.json",
            braced("{\"sops\":{", "\"", |at| format!("\"{at:x}\":{{}},")),
        ),
        ("many-flow-anchors.yaml", filled("a: [", |at| format!("&{at:x} x,"))),
        ("many-line-anchors.yaml", filled("", |at| format!("{at:x}: &{at:x}\n"))),
        ("many-anchors-of-maps.yaml", filled("a: [", |at| format!("&{at:x} {{}},"))),
        ("many-aliases.yaml", filled("a: &a {}\n", |at| format!("{at:x}: *a\n"))),
        ("many-documents.yaml", filled("", |_| "---\n".to_owned())),
        ("many-ends.yaml", filled("a: x\n", |_| "...\n".to_owned())),
        ("many-directives.yaml", filled("", |at| format!("%TAG !{at:x}! x\n"))),
        ("many-long-tags.yaml", filled(&long_tag, |_| "!a!b x,".to_owned())),
        ("many-reserved.yaml", filled("", |at| format!("%A{at:x}\n"))),
        ("many-tags.yaml", filled("a: [", |at| format!("!{at:x} x,"))),
        ("many-flow-maps.yaml", filled("a: [", |_| "{},".to_owned())),
        ("many-pairs.yaml", filled("a: [", |_| "a: ,".to_owned())),
        ("many-folded.yaml", filled("a: >\n", |_| " x\n\n".to_owned())),
        ("many-comments-beside.yaml", filled("", |at| format!("{at:x}: #\n"))),
    ]
}

/// A fixture that the test's identity opens, so that its data key is found, with this rule.
fn opened(first: &str, rule: &str) -> String {
    let rest = include_str!("../../../fixtures/sops/regex.enc.yaml");
    let rule = format!("encrypted_regex: '{rule}'");
    first.to_owned() + &rest.replace("encrypted_regex: ^pass", &rule)
}

/// A key of a mebibyte, less what the fixture's own keys have, and without an order that an
/// automaton could profit from.
fn letters(letters: [char; 2]) -> String {
    let mut state = 12_345_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        letters[usize::from(state >> 63 == 0)]
    };
    let key: String = (0..1024 * 1024 - 64).map(letter).collect();
    format!("? {key}\n: null\n")
}

/// Regular expressions that are hard on who parses, compiles or matches them.
fn rules() -> Vec<(&'static str, String)> {
    const BOUND: usize = 1024;
    let ab = letters(['a', 'b']);
    let repeated = |first: &str, unit: &str| {
        first.to_owned() + &unit.repeat((BOUND - first.len()) / unit.len())
    };
    vec![
        ("long-rule.yaml", opened("", &"a?".repeat(512 * 1024))),
        ("long-rule-of-groups.yaml", opened("", &"()".repeat(650 * 1024))),
        ("nested-rule.yaml", opened("", &("(".repeat(511) + "a" + &")".repeat(511)))),
        ("many-optionals.yaml", opened(&ab, &repeated("^x", "a?"))),
        ("many-groups.yaml", opened(&ab, &repeated("^x", "()"))),
        ("many-empty-alternatives.yaml", opened(&ab, &repeated("[ab]*a(b", "|"))),
        ("many-categories.yaml", opened(&ab, &repeated("(?i)", "\\pL"))),
        ("paid-categories.yaml", opened(&ab, &("(?i)".to_owned() + &"\\PL".repeat(32)))),
        ("many-classes.yaml", opened(&ab, &repeated("(?i)", "[^\\x00]"))),
        ("counted-classes.yaml", opened(&ab, "(?i)([^\\x00]{30}){30}")),
        ("counted-groups.yaml", opened(&ab, "(((((a?){3}){3}){3}){3}){3}x")),
        ("hard-rule.yaml", opened(&ab, "[ab]*a[ab]{900}c")),
        ("less-hard-rule.yaml", opened(&ab, "[ab]*a[ab]{12}c")),
        ("hard-groups.yaml", opened(&ab, "(a|b)*a(a|b|ab|ba){100}c")),
        ("hard-optionals.yaml", opened(&ab, "a(a?b?){300}c")),
        ("hard-letters.yaml", opened(&letters(['é', '€']), ".*é.{60}x")),
        (
            "several-rules.yaml",
            opened("", "x").replace(
                "    lastmodified",
                &format!(
                    "    unencrypted_regex: {0}\n    unencrypted_comment_regex: {0}\n    lastmodified",
                    repeated("", "a?")
                ),
            ),
        ),
    ]
}

/// Metadata that lists as much as it may.
fn metadata() -> Vec<(&'static str, String)> {
    let first =
        r#"{"sops": {"version": "3.9.0", "lastmodified": "2020-01-01T00:00:00Z", "mac": "x","#;
    let of = |fields: String| format!("{first}{fields}}}}}");
    let pgp = lines(16_000, |_| r#"{"fp":"a","enc":"x"},"#.to_owned());
    let age = lines(16_000, |at| format!(r#"{{"recipient":"{at}","enc":"x"}},"#));
    let fields = lines(49_000, |at| format!("\"{at:x}\":0,"));
    let few = lines(1_500, |at| format!("\"{at:x}\":0,"));
    let group = format!(r#"{{{few}"age":[{{"recipient":"a","enc":"x"}}]}},"#);
    vec![
        ("many-pgp-keys.json", of(format!(r#""pgp":[{pgp}{{}}]"#))),
        ("many-age-keys.json", of(format!(r#""age":[{age}{{}}]"#))),
        (
            "many-unknown-fields.json",
            of(format!(r#"{fields}"age":[{{"recipient":"a","enc":"x"}}]"#)),
        ),
        ("many-fields-of-groups.json", of(format!(r#""key_groups":[{}{{}}]"#, group.repeat(31)))),
    ]
}

/// Short texts of which aliases make much that would be kept, or a comment each something to move.
fn aliased() -> Vec<(&'static str, String)> {
    let inner = lines(98, |at| format!("k{at:x}: 0, "));
    let copies = lines(490, |at| format!(" k{at:x}: *a\n"));
    let much = format!("a: &a {{{inner}}}\n{}:\n{copies}", "k".repeat(238));
    let lists =
        format!("a: &a [{}0]\n{}: [{}*a]\n", "0, ".repeat(98), "k".repeat(150), "*a, ".repeat(890));
    let beside = "a: &a {}\nb:\n";
    let of_many = format!("a: &a [{}0]\nb:\n", "0, ".repeat(24_000));
    vec![
        ("much-to-keep.yaml", opened(&much, "^pass")),
        ("much-below-lists.yaml", opened(&lists, "^pass")),
        ("comments-beside-aliases.yaml", beside.to_owned() + &"- *a #\n".repeat(49_900)),
        (
            "comments-beside-values.yaml",
            "a: &a {}\nb:\n".to_owned() + &lines(33_000, |at| format!(" k{at:x}: *a #\n")),
        ),
        ("comments-in-a-flow.yaml", format!("a: &a {{}}\nb: [{}*a]\n", "*a, #\n".repeat(49_900))),
        ("comments-beside-much.yaml", of_many + &"- *a #\n".repeat(24_000)),
        ("comments-between.yaml", "? a\n".to_owned() + &"#\n".repeat(99_000) + ": b\n"),
        ("comments-after.yaml", "a:\n- b\n".to_owned() + &"  #\n#\n".repeat(49_000)),
    ]
}

/// A JSON text that is whole, so that its nodes are all that is wrong with it.
fn braced(first: &str, last: &str, entry: impl Fn(usize) -> String) -> String {
    let last = if last == "\"" { "\"z\":0}".to_owned() } else { format!("{last}}}") };
    let mut text = filled(first, entry);
    while text.len() + last.len() + 1 > LONGEST {
        let end = text[..text.len() - 1].rfind(',').expect("there are many entries");
        text.truncate(end + 1);
    }
    text + &last
}

/// Each names the ending of its file, and none can be opened.
pub(crate) fn files() -> Vec<(String, String)> {
    const DEEP: usize = 10_000;
    const MANY: usize = 1_000_000;
    let long = "x".repeat(50 * 1024 * 1024);
    let almost = "x".repeat(LONGEST - 64);
    let mut files = vec![
        ("bomb.yaml", bomb()),
        ("second-document.yaml", format!("a: x\n---\n{}", bomb())),
        ("repeated-text.yaml", format!("a: &a {}\nl: [{}]", &almost[..MANY], "*a, ".repeat(1000))),
        ("self-alias.yaml", "a: x\n---\na: &a\n    b: *a\n".to_owned()),
        ("deep-lists.yaml", format!("a: {}", "[".repeat(DEEP))),
        ("deep-maps.yaml", format!("a: {}", "{a: ".repeat(DEEP))),
        ("deep-dashes.yaml", "- ".repeat(DEEP)),
        ("many-nodes.yaml", format!("a: [{}]\n", "x, ".repeat(MANY))),
        ("many-comments.yaml", "# a comment\n".repeat(MANY / 2)),
        ("many-anchors.yaml", "&a ".repeat(MANY)),
        ("one-text.yaml", format!("a: {almost}\n")),
        ("deep-lists.json", format!("{{\"a\": {}", "[".repeat(DEEP))),
        ("deep-maps.json", "{\"a\": ".repeat(DEEP)),
        ("many-stanzas.json", stanzas(900)),
        ("many-nodes.json", format!("{{\"a\": [{}0]}}", "0, ".repeat(MANY))),
        ("one-text.json", format!("{{\"a\": \"{almost}\"}}")),
        ("deep-lists.bin", format!("{{\"data\": {}", "[".repeat(DEEP))),
        ("one-text.bin", format!("{{\"data\": \"{almost}\"}}")),
        ("many-lines.env", "a=x\n".repeat(MANY)),
        ("many-comments.env", "#\n".repeat(MANY)),
        ("one-text.env", format!("a={almost}\n")),
        ("deep-metadata.env", format!("sops_a{}=x\n", "__map_a".repeat(DEEP))),
        ("deep-lists.env", format!("sops_a{}=x\n", "__list_0".repeat(DEEP))),
        ("wide-metadata.env", format!("sops_{}{almost}=x\n", "a__map_".repeat(60))),
        ("far-element.env", "sops_a__list_9223372036854775807=x\n".to_owned()),
        ("underscores.env", format!("sops_{}=x\n", "_".repeat(8 * MANY))),
        ("many-keys.ini", "a = x\n".repeat(MANY)),
        ("many-sections.ini", "[a]\n".repeat(MANY)),
        ("many-comments.ini", "; a\n".repeat(MANY)),
        ("no-end.ini", format!("a = `{}", "x\n".repeat(4 * MANY))),
        ("continued.ini", format!("a = x\\\n{}", "x\\\n".repeat(2 * MANY))),
        ("deep-metadata.ini", format!("[sops]\na{} = x\n", "__map_a".repeat(DEEP))),
        ("one-text.ini", format!("a = {almost}\n")),
    ];
    files.extend(many());
    files.extend(rules());
    files.extend(aliased());
    files.extend(metadata());
    for name in ["long.yaml", "long.json", "long.env", "long.ini", "long.bin"] {
        files.push((name, long.clone()));
    }
    files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}
