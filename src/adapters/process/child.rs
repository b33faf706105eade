//! Starts the child and stays with it to its end.

use std::io;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::signals::{Received, Signals, stop_ourselves};

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
    #[error("{program}: the program cannot be started: {source}")]
    NotExecutable {
        /// The program as it was asked for.
        program: String,
        /// The system's reason.
        source: io::Error,
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

/// Runs a command to its end, passing signals on.
///
/// Call it from the only thread: the signals are blocked in the thread that calls, and any other
/// would take them away. `started` is
/// called once the child runs. The command is dropped before that, and what it held of the
/// child's environment with it.
pub fn run(mut command: Command, started: impl FnOnce()) -> Result<Ended, RunError> {
    // Blocked before the child is there, so that none is lost between; the standard library
    // empties the child's own mask before it executes the program.
    let signals = Signals::block().map_err(system("signals cannot be received"))?;
    let child = command.spawn().map_err(|source| {
        let program = command.get_program().to_string_lossy().into_owned();
        match source.kind() {
            io::ErrorKind::NotFound => RunError::NotFound { program },
            _ => RunError::NotExecutable { program, source },
        }
    })?;
    drop(command);
    started();
    stay_with(Pid::from_raw(child.id().cast_signed()), &signals)
}

fn stay_with(child: Pid, signals: &Signals) -> Result<Ended, RunError> {
    loop {
        match signals.wait().map_err(system("signals cannot be received"))? {
            Received::Child => {
                if let Some(ended) = state_of(child)? {
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
fn state_of(child: Pid) -> Result<Option<Ended>, RunError> {
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
                stop_ourselves().map_err(system("the process cannot stop"))?;
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
        let failed = |program: &str| run(Command::new(program), || {}).unwrap_err().code();
        assert_eq!(failed("no-such-program-anywhere"), 127);
        assert_eq!(failed("/no/such/program"), 127);
        assert_eq!(failed("/etc/passwd"), 126);
        assert_eq!(failed("/etc"), 126);
    }
}
