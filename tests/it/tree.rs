//! The source tree, for tests that hold what it looks like.

use std::path::{Path, PathBuf};

/// Each Rust file below `src`, by its path from there, with its text.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    files("src")
}

/// Each Rust file below a folder of the project, by its path from there, with its text.
pub(crate) fn files(folder: &str) -> Vec<(PathBuf, String)> {
    fn below(folder: &Path, root: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the folder is readable").path();
            if path.is_dir() {
                below(&path, root, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
                let file = path.strip_prefix(root).expect("it was found below the root").into();
                files.push((file, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    below(&root, &root, &mut files);
    assert!(files.len() > 10, "the sources were not found below {}", root.display());
    files
}
