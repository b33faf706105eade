//! Finds the programs that tests compare with, which `scripts/setup test` installs where it can.

use std::path::PathBuf;

use super::variable;

/// A program, in this order: the one that a variable names, on the path, in the cache of
/// `scripts/setup`.
pub(crate) fn program(name: &str, named_in: &str) -> Option<PathBuf> {
    variable(named_in).or_else(|| on_path(name)).or_else(|| cached(name))
}

/// The folder of the libraries of other languages: `node_modules`, `python` and `schemathesis`.
pub(crate) fn libraries() -> Option<PathBuf> {
    let folder = variable("VANTA_ORACLES").or_else(|| Some(cache()?.join("oracles")));
    folder.filter(|folder| folder.is_dir())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let candidates = std::env::split_paths(&path).map(|folder| folder.join(name));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

fn cached(name: &str) -> Option<PathBuf> {
    Some(cache()?.join("bin").join(name)).filter(|program| program.is_file())
}

fn cache() -> Option<PathBuf> {
    let all = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|it| it.join(".cache")));
    all.map(|all| all.join("vanta"))
}
