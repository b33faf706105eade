//! What `kubectl apply` takes of the two kinds, and what it says of the rest.

use std::path::{Path, PathBuf};

use crate::support::kubectl::kubectl;
use crate::support::share;

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/crd").join(folder);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files.collect();
    assert!(files.len() > 2, "there are no fixtures in {}", folder.display());
    files
}

fn apply(file: &Path) -> Result<String, String> {
    kubectl(&["apply", "--dry-run=server", "-f", file.to_str().unwrap()])
}

#[test]
fn each_good_object_is_taken() {
    let Some(_share) = share() else { return };
    for file in fixtures("good") {
        apply(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

#[test]
fn each_bad_object_is_refused_with_words_that_say_why() {
    let Some(_share) = share() else { return };
    for file in fixtures("bad") {
        let text = std::fs::read_to_string(&file).unwrap();
        let said = text.lines().find_map(|line| line.strip_prefix("# refused: "));
        let said = said.unwrap_or_else(|| panic!("{} does not say why", file.display())).trim();
        let refusal = apply(&file).expect_err(&format!("{} was taken", file.display()));
        assert!(refusal.contains(said), "{}: {refusal}", file.display());
    }
}
