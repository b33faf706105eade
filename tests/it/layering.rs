//! The layers of the source, and the few rules of its form that no lint holds.
//!
//! [`LAYERS`] is the table; a violation is named by file and line. Tests inside `src` are left
//! out: they may reach where they like.

#[path = "layering/scan.rs"]
mod scan;

use std::fmt;
use std::path::PathBuf;

use scan::{module_of, scan};

/// The folders of `src`, lowest first: each imports itself and what stands before it.
const LAYERS: [&str; 5] = ["domain", "contract", "adapters", "programs", "bin"];

/// Layers whose folders are strangers to each other.
const STRANGERS: [&str; 2] = ["adapters", "programs"];

/// Which adapter may import which other one, and why; programs have no exceptions.
const EXCEPTIONS: [(&str, &str); 12] = [
    // One way to believe a server's certificate.
    ("client", "trust"),
    ("identity", "trust"),
    ("serve", "trust"),
    // One way to read a file that somebody else may have prepared, and to see that it changed.
    ("sops", "files"),
    ("access", "files"),
    ("identity", "files"),
    ("serve", "files"),
    // Master keys that are not age's are opened by sops itself.
    ("sops", "key_service"),
    // A server is hardened and ends as the other programs are and do.
    ("serve", "process"),
    // One way to ask the API server, and to say why it has not done something.
    ("authority", "kubernetes"),
    // One way to connect to the PostgreSQL that both of them are in.
    ("state", "postgres"),
    ("audit", "postgres"),
];

/// What the domain may not name: clocks, I/O, tasks.
const IMPURE: [&str; 19] = [
    "async",
    ".await",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "std::os",
    "tokio",
    "axum",
    "sqlx",
    "ureq",
    "nix",
    "tempfile",
    "tracing",
    "Timestamp::now",
    "jiff::Timestamp::now",
];

const LONGEST_FILE: usize = 400;
const LONGEST_MEDIAN: usize = 150;
const LONGEST_BINARY: usize = 25;

/// A file below `src`, by its path from there.
struct Source {
    file: PathBuf,
    text: String,
}

/// A rule that is broken, and where.
#[derive(PartialEq, Eq)]
struct Violation {
    file: PathBuf,
    line: usize,
    rule: String,
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file.display(), self.line, self.rule)
    }
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), text: text.to_owned() }
    }

    fn breaks(&self, line: usize, rule: impl Into<String>) -> Violation {
        Violation { file: self.file.clone(), line, rule: rule.into() }
    }

    fn layer(&self) -> &str {
        self.file.iter().next().and_then(|name| name.to_str()).unwrap_or_default()
    }

    fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether the whole file is tests, which `#[cfg(test)]` includes: `NAME_tests.rs`, `tests.rs`
    /// or anything in a folder `tests`.
    fn is_tests(&self) -> bool {
        let file = self.file.with_extension("");
        file.iter().any(|part| part == "tests") || file.to_string_lossy().ends_with("_tests")
    }
}

fn sources() -> Vec<Source> {
    crate::tree::sources().into_iter().map(|(file, text)| Source { file, text }).collect()
}

/// Imports that run up the table or between strangers.
fn imports(source: &Source) -> Vec<Violation> {
    let module = module_of(&source.file);
    let place = |layer: &str| LAYERS.iter().position(|other| *other == layer);
    let Some(own) = place(source.layer()).filter(|_| !source.is_tests()) else {
        return Vec::new();
    };
    let found = scan(&source.text, &module).imports;
    let broken = found.iter().filter_map(|import| {
        let to = import.path.first()?;
        let path = import.path.join("::");
        let Some(theirs) = place(to) else {
            return Some(source.breaks(import.line, format!("crate::{path} is in no layer")));
        };
        if theirs > own {
            let rule = format!("{} may not import {path}: {to} is above it", source.layer());
            return Some(source.breaks(import.line, rule));
        }
        // The layer's own name stands for all of its folders.
        let (from_folder, to_folder) =
            (module.get(1)?, import.path.get(1).map_or("*", String::as_str));
        let strangers = theirs == own
            && STRANGERS.contains(&to.as_str())
            && from_folder != to_folder
            && !(to == "adapters" && EXCEPTIONS.contains(&(from_folder.as_str(), to_folder)));
        strangers.then(|| {
            let rule = format!("{to}::{from_folder} and {to}::{to_folder} are strangers");
            source.breaks(import.line, rule)
        })
    });
    broken.collect()
}

/// Clocks, I/O and tasks in the domain.
fn impurities(source: &Source) -> Vec<Violation> {
    if source.layer() != "domain" || source.is_tests() {
        return Vec::new();
    }
    let below = |path: &str, root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let found = scan(&source.text, &[]).others;
    let impure = found.iter().filter_map(|(line, path)| {
        let root = IMPURE.iter().find(|root| below(path, root))?;
        Some(source.breaks(*line, format!("the domain is pure, and {root} is not")))
    });
    impure.collect()
}

/// `.unwrap()` outside tests.
fn unwraps(source: &Source) -> Vec<Violation> {
    if source.is_tests() {
        return Vec::new();
    }
    let found = scan(&source.text, &[]).others;
    let unwraps = found.iter().filter(|(_, path)| path == ".unwrap");
    unwraps.map(|(line, _)| source.breaks(*line, "say with expect why it cannot fail")).collect()
}

/// Files that are too long, or that do not say what they are for.
fn forms(source: &Source) -> Vec<Violation> {
    let (lines, binary) = (source.lines(), source.layer() == "bin");
    let longest = if binary { LONGEST_BINARY } else { LONGEST_FILE };
    let mut broken = Vec::new();
    if lines > longest {
        broken.push(source.breaks(lines, format!("{lines} lines, and the most is {longest}")));
    }
    if !binary && !source.text.starts_with("//! ") {
        broken
            .push(source.breaks(1, "a module opens with a //! sentence that says what it is for"));
    }
    broken
}

fn median(sources: &[Source]) -> usize {
    let mut lengths: Vec<usize> = sources.iter().map(Source::lines).collect();
    lengths.sort_unstable();
    lengths[lengths.len() / 2]
}

fn assert_none(check: fn(&Source) -> Vec<Violation>) {
    let violations: Vec<Violation> = sources().iter().flat_map(check).collect();
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn imports_run_down_the_layers_only() {
    assert_none(imports);
}

#[test]
fn the_domain_is_pure() {
    assert_none(impurities);
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    assert_none(unwraps);
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    assert_none(forms);
    let median = median(&sources());
    assert!(median < LONGEST_MEDIAN, "half of the files have {median} lines or more");
}

#[test]
fn files_of_tests_are_short_too() {
    for (file, text) in crate::tree::files("tests") {
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE, "tests/{}: {lines} lines are two ideas", file.display());
    }
}

mod when_broken {
    use super::*;

    fn found(check: fn(&Source) -> Vec<Violation>, file: &str, text: &str) -> Vec<String> {
        check(&Source::new(file, text)).iter().map(|found| format!("{found:?}")).collect()
    }

    #[test]
    fn an_import_up_the_layers_is_named_by_file_and_line() {
        assert_eq!(
            found(imports, "domain/policy.rs", "\nuse crate::adapters::sops::Store;"),
            [
                "src/domain/policy.rs:2: domain may not import adapters::sops::Store: adapters is above it"
            ]
        );
        for (file, text) in [
            ("domain/mod.rs", "use super::contract;"),
            ("domain/mod.rs", "fn f() { crate::programs::cli::run() }"),
            ("contract/api/mod.rs", "use crate::{domain::names, adapters::jwt};"),
            ("adapters/sops/mod.rs", "use crate::programs::vault::config;"),
            ("adapters/sops/mod.rs", "use super::super::programs::vault;"),
            ("programs/cli/mod.rs", "use crate::nowhere::x;"),
        ] {
            assert_eq!(found(imports, file, text).len(), 1, "{file}: {text}");
        }
    }

    #[test]
    fn an_import_between_strangers_is_found() {
        assert_eq!(
            found(imports, "adapters/state/mod.rs", "use crate::adapters::audit::Line;"),
            ["src/adapters/state/mod.rs:1: adapters::state and adapters::audit are strangers"]
        );
        for (file, text) in [
            ("programs/cli/commands/get.rs", "use crate::programs::vault::router;"),
            ("programs/cli/mod.rs", "use super::vault::router;"),
            ("adapters/jwt/sign.rs", "use super::super::sops::store;"),
            ("adapters/jwt/sign.rs", "use crate::adapters; fn f() { adapters::sops::store() }"),
        ] {
            assert_eq!(found(imports, file, text).len(), 1, "{file}: {text}");
        }
    }

    #[test]
    fn an_import_down_the_layers_or_within_a_folder_is_none() {
        for (file, text) in [
            ("contract/api/mod.rs", "use crate::domain::names::Key;"),
            ("adapters/sops/mod.rs", "use crate::{contract::api, domain};"),
            ("adapters/sops/value.rs", "use super::tree::Leaf; use crate::adapters::sops::mac;"),
            ("programs/cli/mod.rs", "use crate::adapters::client::Client;"),
            ("bin/vanta-cli.rs", "fn main() { vanta::programs::cli::main() }"),
            ("domain/policy.rs", "#[cfg(test)] mod tests { use crate::programs::cli; }"),
            ("domain/policy_tests.rs", "use crate::adapters::sops;"),
            ("adapters/sops/tests.rs", "use crate::adapters::audit;"),
            ("adapters/sops/tests/mac.rs", "use crate::adapters::audit;"),
            ("lib.rs", "pub mod adapters;"),
        ] {
            assert!(found(imports, file, text).is_empty(), "{file}: {text}");
        }
    }

    #[test]
    fn a_clock_io_or_a_task_in_the_domain_is_found() {
        for text in [
            "use std::{fmt, time::Instant};",
            "fn f() { std::fs::read(p) }",
            "use std::io::{self, Write};",
            "async fn f() {}",
            "fn f() { jiff::Timestamp::now() }",
            "use tokio::sync::watch;",
        ] {
            assert!(!found(impurities, "domain/x.rs", text).is_empty(), "{text}");
            assert!(found(impurities, "adapters/x/mod.rs", text).is_empty(), "{text}");
        }
        assert!(found(impurities, "domain/x.rs", "use std::timeless; fn f(now: T) {}").is_empty());
    }

    #[test]
    fn an_unwrap_is_found_and_an_expect_is_none() {
        assert_eq!(
            found(unwraps, "lib.rs", "fn f() {\n x\n  .unwrap();\n}"),
            ["src/lib.rs:3: say with expect why it cannot fail"]
        );
        let others = "f(x.unwrap_or(1), x.expect(\"…\")); #[cfg(test)] mod t { x.unwrap() }";
        assert!(found(unwraps, "lib.rs", others).is_empty());
    }

    #[test]
    fn a_long_or_silent_file_is_found() {
        let of = |lines: usize| "//! Says.\n".repeat(lines);
        for (file, text, violations) in [
            ("domain/x.rs", of(400), 0),
            ("domain/x.rs", of(401), 1),
            ("bin/x.rs", of(25), 0),
            ("bin/x.rs", of(26), 1),
            ("bin/x.rs", "fn main() {}".to_owned(), 0),
            ("domain/x.rs", "use x;".to_owned(), 1),
            ("domain/x.rs", String::new(), 1),
        ] {
            assert_eq!(found(forms, file, &text).len(), violations, "{file}");
        }
    }

    #[test]
    fn the_median_is_of_all_files() {
        let of = |lines: usize| Source::new("x.rs", &"x\n".repeat(lines));
        assert_eq!(median(&[of(1), of(500), of(20)]), 20);
    }
}
