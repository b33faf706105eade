//! The kept corpora of the fuzz targets, through the same functions, with a stable toolchain.
//!
//! `make fuzz` looks for more inputs; one that breaks something is kept here once it is mended.

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzz programs see it as a crate")]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// All corpora together, in bytes.
const MOST_KEPT: u64 = 200 * 1024;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The names in a folder, without their endings.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder is in the repository");
    let stem = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| stem(entry.expect("it is readable"))).collect()
}

/// Runs a target over its corpus; a panic names the file.
fn run(name: &str) {
    let mut inputs: Vec<PathBuf> = fs::read_dir(fuzz().join("corpus").join(name))
        .expect("a target has a corpus")
        .map(|entry| entry.expect("it is readable").path())
        .collect();
    inputs.sort();
    assert!(inputs.len() > 2, "{name} keeps some inputs");
    for input in inputs {
        let bytes = fs::read(&input).expect("an input is readable");
        let ran = std::panic::catch_unwind(|| targets::body(name)(&bytes));
        assert!(ran.is_ok(), "{} breaks {name}", input.display());
    }
}

#[test]
fn every_target_has_its_program_and_its_corpus() {
    let known: BTreeSet<String> = targets::TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names(&fuzz().join("fuzz_targets")), known);
    assert_eq!(names(&fuzz().join("corpus")), known);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in known {
        let path = format!("path = \"fuzz_targets/{name}.rs\"");
        assert!(manifest.contains(&path), "fuzz/Cargo.toml lacks {name}");
    }
}

#[test]
fn the_corpora_are_small() {
    let mut bytes = 0;
    for (name, _) in targets::TARGETS {
        for entry in fs::read_dir(fuzz().join("corpus").join(name)).unwrap() {
            bytes += entry.unwrap().metadata().unwrap().len();
        }
    }
    assert!(bytes < MOST_KEPT, "{bytes} bytes are kept: `cargo fuzz cmin` makes a corpus smaller");
}

#[test]
fn sops_files_of_any_bytes_open_or_are_refused() {
    run("sops_yaml");
    run("sops_json");
    run("sops_dotenv");
    run("sops_ini");
    run("sops_binary");
}

#[test]
fn tokens_of_any_bytes_are_refused_unless_the_vault_could_have_signed_them() {
    run("token");
    // Else all would be refused for one reason, and the target look at no claims.
    for accepted in ["signed", "pod", "oidc"] {
        let bytes = fs::read(fuzz().join("corpus/token").join(accepted)).unwrap();
        assert!(targets::token::is_accepted(&bytes), "{accepted} is refused");
    }
}

#[test]
fn patterns_mean_what_a_naive_matcher_makes_of_them() {
    run("key_pattern");
}

#[test]
fn dotenv_text_is_read_back_or_refused() {
    run("dotenv");
}

#[test]
fn pods_of_any_json_are_refused_or_made_whole_at_once() {
    run("injection");
}
