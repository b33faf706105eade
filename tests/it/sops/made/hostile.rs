//! Files that would cost more than they are, in every format, by their names.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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

/// Each names the ending of its file, and none can be opened.
pub(crate) fn files() -> Vec<(String, String)> {
    const DEEP: usize = 10_000;
    const MANY: usize = 1_000_000;
    let long = "x".repeat(50 * 1024 * 1024);
    let almost = "x".repeat(8 * 1024 * 1024 - 64);
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
    for name in ["long.yaml", "long.json", "long.env", "long.ini", "long.bin"] {
        files.push((name, long.clone()));
    }
    files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}
