//! Becomes a program that ends when the process that started this one does.
//!
//! It is done in a process of its own, since between fork and exec nothing can be done safely in a
//! program of several threads.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::hardening::forbid_core_dumps;

/// The most memory that the program, and each that it starts, may write to, in bytes. What it reads
/// may be a bomb.
const MOST_MEMORY: u64 = 512 * 1024 * 1024;

/// Becomes the program that the arguments name. The first is the number of the process that started
/// this one, the second the program, and what follows is for the program. Where it returns, it
/// failed, with a shell's code.
///
/// The kernel ends the program with the **thread** that started this process.
pub fn become_bound(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    const NOT_EXECUTABLE: u8 = 126;
    const NOT_FOUND: u8 = 127;
    let parent = arguments.next().and_then(|number| number.to_str()?.parse::<i32>().ok());
    let (Some(parent), Some(program)) = (parent, arguments.next()) else { return NOT_EXECUTABLE };
    let bounded = set_pdeathsig(Signal::SIGKILL)
        .and_then(|()| set_no_new_privs())
        .and_then(|()| setrlimit(Resource::RLIMIT_DATA, MOST_MEMORY, MOST_MEMORY));
    // Where the parent ended before the kernel was told, nobody is left to end with.
    if bounded.is_err() || forbid_core_dumps().is_err() || getppid().as_raw() != parent {
        return NOT_EXECUTABLE;
    }
    match Command::new(program).args(arguments).exec().kind() {
        std::io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    }
}
