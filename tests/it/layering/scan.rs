//! Reads a source file's tokens for the paths that it names and the calls that it makes.
//!
//! It works on tokens, not on text, so comments and strings are no matter and the inside of a
//! macro call is; it resolves no names, so a path through a re-export is seen as it is written.

use std::path::{Component, Path};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path in the crate, from its root: `crate::domain::names` is `["domain", "names"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

/// What a file says outside its tests.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Each path that begins with `crate`, `self` or `super`, or in the crate's own name.
    pub(super) imports: Vec<Import>,
    /// Each other path of at least two parts, and each keyword and method call, with its line:
    /// `std::fs::File`, `async`, `.unwrap`.
    pub(super) others: Vec<(usize, String)>,
}

/// The module that a file below `src` is, from the crate's root.
///
/// `NAME_tests.rs` holds the tests of `NAME`, by `#[path]`.
pub(super) fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .with_extension("")
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    match parts.last().map(String::as_str) {
        Some("mod" | "lib" | "main") => drop(parts.pop()),
        Some(last) if last.ends_with("_tests") => {
            let tested = last.trim_end_matches("_tests").to_owned();
            parts.pop();
            parts.extend([tested, "tests".to_owned()]);
        }
        _ => {}
    }
    parts
}

/// Scans the text of the file that is this module.
pub(super) fn scan(text: &str, module: &[String]) -> Scan {
    let tokens: TokenStream = text.parse().expect("a source file of this crate is Rust");
    let mut scan = Scan::default();
    walk(tokens, &mut module.to_vec(), &mut scan);
    scan
}

fn walk(tokens: TokenStream, module: &mut Vec<String>, scan: &mut Scan) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(&tokens[at..]) {
            at = after_item(&tokens, at + 2);
            continue;
        }
        match &tokens[at] {
            TokenTree::Group(group) => {
                let inside = named_module(&tokens[..at], group);
                module.extend(inside.clone());
                walk(group.stream(), module, scan);
                module.truncate(module.len() - usize::from(inside.is_some()));
            }
            TokenTree::Ident(_) => {
                if at > 0 && is_punct(&tokens[at - 1], '.') && !follows_range(&tokens[..at]) {
                    scan.others.push((line(&tokens[at]), format!(".{}", tokens[at])));
                } else {
                    at = path(&tokens, at, &[], module, scan);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Reads a path that begins at an identifier, and gives where it ends.
fn path(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    module: &[String],
    scan: &mut Scan,
) -> usize {
    let mut parts = before.to_vec();
    let line = tokens.get(at).map_or(0, line);
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        parts.push(name.to_string());
        at += 1;
        if !(tokens.get(at).is_some_and(|token| is_punct(token, ':'))
            && tokens.get(at + 1).is_some_and(|token| is_punct(token, ':')))
        {
            break;
        }
        at += 2;
        if let Some(TokenTree::Group(group)) = tokens.get(at)
            && group.delimiter() == Delimiter::Brace
        {
            for branch in branches(group) {
                path(&branch, 0, &parts, module, scan);
            }
            return at + 1;
        }
    }
    keep(parts, line, module, scan);
    at
}

/// The branches of `{a::b, c}` in a `use`.
fn branches(group: &Group) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    tokens.split(|token| is_punct(token, ',')).map(<[TokenTree]>::to_vec).collect()
}

fn keep(parts: Vec<String>, line: usize, module: &[String], scan: &mut Scan) {
    let mut resolved = match parts.first().map(String::as_str) {
        Some("crate" | "vanta") if parts.len() > 1 => Vec::new(),
        Some("self" | "super") if parts.len() > 1 => module.to_vec(),
        _ => {
            scan.others.push((line, parts.join("::")));
            return;
        }
    };
    for part in parts {
        match part.as_str() {
            "crate" | "vanta" | "self" => {}
            "super" => drop(resolved.pop()),
            _ => resolved.push(part),
        }
    }
    scan.imports.push(Import { line, path: resolved });
}

/// Whether `#[cfg(test)]` begins here.
fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    let [first, TokenTree::Group(group), ..] = tokens else { return false };
    is_punct(first, '#') && group.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// Where the item ends that begins here: after its braces or its semicolon.
fn after_item(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(other, ';'),
    };
    tokens[from..].iter().position(ends).map_or(tokens.len(), |length| from + length + 1)
}

/// The name in `mod NAME { … }`, where the group is such braces.
fn named_module(before: &[TokenTree], group: &Group) -> Option<String> {
    match before {
        [.., TokenTree::Ident(keyword), TokenTree::Ident(name)]
            if group.delimiter() == Delimiter::Brace && keyword == "mod" =>
        {
            Some(name.to_string())
        }
        _ => None,
    }
}

/// Whether the dot before is the second of `..`.
fn follows_range(before: &[TokenTree]) -> bool {
    matches!(before, [.., first, _] if is_punct(first, '.'))
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let module = ["adapters", "sops", "value"].map(str::to_owned);
        scan(text, &module).imports.into_iter().map(|import| import.path.join("::")).collect()
    }

    fn others(text: &str) -> Vec<String> {
        scan(text, &[]).others.into_iter().map(|(_, other)| other).collect()
    }

    #[test]
    fn a_path_is_read_wherever_it_stands() {
        for (text, expected) in [
            ("use crate::domain::names::Key;", &["domain::names::Key"][..]),
            ("use crate::domain;", &["domain"]),
            ("pub use crate::domain::*;", &["domain"]),
            (
                "use crate::{domain::{a, b::C as D}, programs};",
                &["domain::a", "domain::b::C", "programs"],
            ),
            (
                "fn f() -> crate::programs::cli::X { y(crate::a::b::<C>()) }",
                &["programs::cli::X", "a::b"],
            ),
            ("m! { [crate::programs::x] }", &["programs::x"]),
            ("macro_rules! m { () => { $crate::programs::x } }", &["programs::x"]),
            ("use super::store;", &["adapters::sops::store"]),
            ("use super::super::jwt::sign;", &["adapters::jwt::sign"]),
            ("use self::tree::Leaf;", &["adapters::sops::value::tree::Leaf"]),
            ("mod inner { use super::super::store; }", &["adapters::sops::store"]),
            ("use vanta::programs::vault;", &["programs::vault"]),
            ("pub(crate) fn f(self) { self.x() }", &[]),
            ("// use crate::programs\nconst A: &str = \"crate::programs::x\";", &[]),
            ("#[cfg(test)] mod tests { use crate::programs::x; }", &[]),
            ("#[cfg(test)] #[path = \"x.rs\"] mod tests; use crate::domain::a;", &["domain::a"]),
        ] {
            assert_eq!(paths(text), expected, "{text}");
        }
    }

    #[test]
    fn the_line_is_that_of_the_path() {
        let scan = scan("//! A module.\n\nuse crate::{\n    domain,\n    programs,\n};\n", &[]);
        assert_eq!(scan.imports.iter().map(|import| import.line).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn keywords_methods_and_foreign_paths_are_read() {
        let read = others("async fn f() { std::fs::read(x).await.unwrap(); for i in 0..n {} }");
        for expected in ["async", "std::fs::read", ".await", ".unwrap", "n"] {
            assert!(read.iter().any(|other| other == expected), "{expected} in {read:?}");
        }
        assert!(others("#[cfg(test)] mod t { fn f() { x.unwrap() } }").is_empty());
        assert!(!others("// x.unwrap()\nf(\".unwrap()\")").contains(&".unwrap".to_owned()));
    }

    #[test]
    fn a_file_is_a_module() {
        let module = |file: &str| module_of(Path::new(file)).join("::");
        assert_eq!(module("lib.rs"), "");
        assert_eq!(module("domain/mod.rs"), "domain");
        assert_eq!(module("adapters/sops/value.rs"), "adapters::sops::value");
        assert_eq!(module("domain/policy_tests.rs"), "domain::policy::tests");
    }
}
