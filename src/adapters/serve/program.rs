//! What a server does before it serves, and when it is told to end.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use nix::sys::stat::{Mode, umask};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exported, init_logging, raise_open_files};
use crate::adapters::process::Status;
use crate::adapters::process::hardening::{close_to_others, forbid_core_dumps};

/// The start of a server: hardened before there is anything in memory that must not get out, with
/// its arguments, and with its log, beside which something else may be exported.
///
/// `Err` is how the program ends at once, with what there is to say said already.
pub fn start<Args: Parser>(
    log: impl FnOnce(&Args) -> &str,
    exported: Option<Exported>,
) -> Result<Args, ExitCode> {
    harden().map_err(|error| end(&error, Status::Failed))?;
    let args = Args::try_parse().map_err(|error| {
        // Nothing is left to be done where the message cannot be printed.
        let _ = error.print();
        ExitCode::from(if error.use_stderr() { Status::Usage } else { Status::Done })
    })?;
    init_logging(log(&args), exported).map_err(|error| {
        // There is no log to say it in.
        let _ = writeln!(std::io::stderr(), "{}: {error}", Args::command().get_name());
        ExitCode::from(Status::Configuration)
    })?;
    Ok(args)
}

/// Says why the program ends; gives how.
pub fn end(error: &anyhow::Error, status: Status) -> ExitCode {
    tracing::error!(error = chain(error.chain()), "the program ends");
    status.into()
}

/// How a program ends that has done its work, or has failed at it.
pub fn ended(done: anyhow::Result<()>) -> ExitCode {
    done.map_or_else(|error| end(&error, Status::Failed), |()| Status::Done.into())
}

/// An error and its causes; one that is a part of the text before is not said twice.
fn chain(causes: impl Iterator<Item = impl Display>) -> String {
    causes.map(|cause| cause.to_string()).fold(String::new(), |told, cause| {
        if told.is_empty() {
            cause
        } else if told.ends_with(&cause) {
            told
        } else {
            format!("{told}: {cause}")
        }
    })
}

/// No core dump and no debugger of the same user gets at what is in memory, and nobody else reads
/// the files that are written; connections do not run out of file descriptors at a shell's limit.
fn harden() -> anyhow::Result<()> {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    raise_open_files().context("the limit of open files cannot be raised")?;
    forbid_core_dumps().context("core dumps cannot be switched off")?;
    close_to_others().context("the process cannot be made undumpable")
}

/// What the server's tasks run in.
pub fn runtime() -> anyhow::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime cannot be started")
}

/// The signals that end a server.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens, so that from now on no signal ends the server without draining.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next SIGTERM or SIGINT.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_stands_in_the_text_before_is_not_said_twice() {
        assert_eq!(chain(["a: b", "b", "c"].iter()), "a: b: c");
    }
}
