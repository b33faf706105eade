//! The source tree, for tests that hold what it looks like.

use std::path::{Path, PathBuf};

/// Each Rust file below `src`, by its path from there, with its text.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    fn below(folder: &Path, root: &Path, sources: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                below(&path, root, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
                let file = path.strip_prefix(root).expect("it was found below the root").into();
                sources.push((file, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    below(&root, &root, &mut sources);
    assert!(sources.len() > 10, "the sources were not found below {}", root.display());
    sources
}
