//! Starts the child and stays with it to its end.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use super::signals::{Received, Signals};

/// What is to be run. A path without a slash is looked for in our own `PATH`.
pub struct Child {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<Zeroizing<Vec<u8>>>,
}

impl Child {
    /// A program and its arguments, with nothing in its environment.
    pub fn new(program: &OsStr, arguments: &[OsString]) -> Self {
        Self { program: program.to_owned(), arguments: arguments.to_vec(), environment: Vec::new() }
    }

    /// Sets a variable, in place of one of the same name. The memory is zeroed after use.
    pub fn set(&mut self, name: &OsStr, value: &[u8]) {
        let name = name.as_bytes();
        let is_same = |entry: &Zeroizing<Vec<u8>>| {
            entry.strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
        };
        self.environment.retain(|entry| !is_same(entry));
        let mut entry = Zeroizing::new(Vec::with_capacity(name.len() + value.len() + 2));
        entry.extend_from_slice(name);
        entry.push(b'=');
        entry.extend_from_slice(value);
        self.environment.push(entry);
    }

    fn spawn(self, signals: &Signals) -> Result<Pid, RunError> {
        let program = self.program.to_string_lossy().into_owned();
        // Of the standard library's ways, none starts a child with another mask than our own.
        let spawn = || {
            let mut attributes = PosixSpawnAttr::init()?;
            attributes.set_flags(
                PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
            )?;
            attributes.set_sigmask(signals.mask_before())?;
            // The standard library ignores it in us, and few programs expect to inherit that.
            attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
            let actions = PosixSpawnFileActions::init()?;
            let file = c_string(self.program.as_bytes())?;
            let arguments = std::iter::once(&self.program).chain(&self.arguments);
            let arguments: Result<Vec<CString>, Errno> =
                arguments.map(|argument| c_string(argument.as_bytes())).collect();
            let environment: Result<Vec<CString>, Errno> =
                self.environment.iter().map(|entry| c_string(entry)).collect();
            let environment = environment?;
            let spawned = posix_spawnp(&file, &actions, &attributes, &arguments?, &environment);
            for entry in environment {
                drop(Zeroizing::new(entry.into_bytes()));
            }
            spawned
        };
        spawn().map_err(|errno| match errno {
            Errno::ENOENT => RunError::NotFound { program },
            _ => RunError::NotExecutable { program, errno },
        })
    }
}

fn c_string(bytes: &[u8]) -> Result<CString, Errno> {
    CString::new(bytes).map_err(|_| Errno::EINVAL)
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited by itself.
    Exited(u8),
    /// A signal ended it.
    Killed(u8),
}

impl Ended {
    /// The code that a shell would give: the child's own, or 128 and the signal's number.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => signal.saturating_add(128),
        }
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(ended.code())
    }
}

/// Why a child could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such program.
    #[error("{program}: there is no such program")]
    NotFound {
        /// The program as it was asked for.
        program: String,
    },
    /// There is one, and the system does not start it.
    #[error("{program}: the program cannot be started: {errno}")]
    NotExecutable {
        /// The program as it was asked for.
        program: String,
        /// The system's reason.
        errno: Errno,
    },
    /// Signals cannot be received, or the child cannot be waited for.
    #[error("{what}: {errno}")]
    System {
        /// What was being done.
        what: &'static str,
        /// The system's reason.
        errno: Errno,
    },
}

impl RunError {
    /// The code that a shell would give.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } | Self::System { .. } => 126,
        }
    }
}

/// Runs a child to its end, passing signals on. It has our input and output.
///
/// Call it from the only thread: the signals are blocked in the thread that calls, and any other
/// would take them away.
pub fn run(child: Child) -> Result<Ended, RunError> {
    // Blocked before the child is there, so that none is lost between.
    let mut signals = Signals::block().map_err(system("signals cannot be received"))?;
    let child = child.spawn(&signals)?;
    stay_with(child, &mut signals)
}

fn stay_with(child: Pid, signals: &mut Signals) -> Result<Ended, RunError> {
    loop {
        match signals.wait().map_err(system("signals cannot be received"))? {
            Received::Child => {
                if let Some(ended) = state_of(child, signals)? {
                    return Ok(ended);
                }
            }
            // The child cannot have been reaped: that happens in this loop alone. It may have
            // exited, and then the signal goes nowhere.
            Received::ToForward(signal) => {
                let _ = kill(child, signal);
            }
            Received::SentToBoth => {}
        }
    }
}

/// How the child ended, where it did. While it is stopped we stop too.
fn state_of(child: Pid, signals: &mut Signals) -> Result<Option<Ended>, RunError> {
    loop {
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
        match waitpid(child, Some(flags)) {
            Ok(WaitStatus::Exited(_, code)) => {
                // wait(2) gives the low eight bits alone.
                return Ok(Some(Ended::Exited(u8::try_from(code & 0xff).unwrap_or(u8::MAX))));
            }
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                return Ok(Some(Ended::Killed(u8::try_from(signal as i32).unwrap_or(u8::MAX))));
            }
            // So that the shell above sees its job stopped. What continues us is read as a signal
            // like any other and passed on.
            Ok(WaitStatus::Stopped(_, signal)) if signal != Signal::SIGTRAP => {
                signals.stop_ourselves().map_err(system("the process cannot stop"))?;
            }
            Ok(WaitStatus::StillAlive) => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => {
                return Err(RunError::System { what: "the child cannot be waited for", errno });
            }
        }
    }
}

fn system(what: &'static str) -> impl Fn(Errno) -> RunError {
    move |errno| RunError::System { what, errno }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A child that runs to its end is tested in `tests/it/cli`: the harness has threads of its own,
    // which would take the signals.
    #[test]
    fn a_program_that_cannot_be_started_has_a_shell_s_code() {
        let failed = |program: &str| run(Child::new(OsStr::new(program), &[])).unwrap_err().code();
        assert_eq!(failed("no-such-program-anywhere"), 127);
        assert_eq!(failed("/no/such/program"), 127);
        assert_eq!(failed("/etc/passwd"), 126);
        assert_eq!(failed("/etc"), 126);
    }
}
