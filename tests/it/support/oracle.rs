//! Finds the programs that tests compare with, which `scripts/setup test` installs where it can.

use std::path::PathBuf;

use super::variable;

/// A program, in this order: the one that a variable names, on the path, in the cache of
/// `scripts/setup`.
pub(crate) fn program(name: &str, named_in: &str) -> Option<PathBuf> {
    variable(named_in).or_else(|| on_path(name)).or_else(|| cached(name))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let candidates = std::env::split_paths(&path).map(|folder| folder.join(name));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

fn cached(name: &str) -> Option<PathBuf> {
    let cache =
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("vanta/bin").join(name)).filter(|program| program.is_file())
}
