//! The signals that we are sent, read in turn, each with where it came from.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;

use nix::Result;
use nix::errno::Errno;
use nix::libc::SI_KERNEL;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::unistd::{getpid, getsid};

/// What is passed on. SIGKILL and SIGSTOP cannot be; faults are our own.
const FORWARDED: [Signal; 12] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTERM,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGWINCH,
    Signal::SIGURG,
    Signal::SIGIO,
];

/// What a received signal asks for.
pub(super) enum Received {
    /// The child changed its state.
    Child,
    /// It was sent to us alone.
    ToForward(Signal),
    /// The terminal sent it to the whole foreground process group, the child included.
    SentToBoth,
}

/// The signals, blocked and waiting to be read.
pub(super) struct Signals {
    reader: SignalFd,
    before: SigSet,
    /// Read already and not handled yet.
    held: VecDeque<siginfo>,
}

impl Signals {
    /// Blocks the signals in this thread, for the rest of its life or until this is dropped.
    pub(super) fn block() -> Result<Self> {
        let mut set: SigSet = FORWARDED.into_iter().collect();
        set.add(Signal::SIGCHLD);
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let reader = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { reader, before, held: VecDeque::new() })
    }

    /// The signals that were blocked before.
    pub(super) fn mask_before(&self) -> &SigSet {
        &self.before
    }

    /// Waits for the next one.
    pub(super) fn wait(&mut self) -> Result<Received> {
        let info = loop {
            self.take_in()?;
            if let Some(info) = self.held.pop_front() {
                break info;
            }
            match poll(
                &mut [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)],
                PollTimeout::NONE,
            ) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        };
        let number = i32::try_from(info.ssi_signo).expect("signals are small numbers");
        let signal = Signal::try_from(number)?;
        Ok(match signal {
            Signal::SIGCHLD => Received::Child,
            // A hang-up goes to the leader of the session, and to the group once that is gone.
            Signal::SIGHUP if leads_session() => Received::ToForward(signal),
            _ if info.ssi_code == SI_KERNEL => Received::SentToBoth,
            _ => Received::ToForward(signal),
        })
    }
}

impl Signals {
    /// Reads what has come and does not wait.
    fn take_in(&mut self) -> Result<()> {
        loop {
            match self.reader.read_signal() {
                Ok(Some(info)) => self.held.push_back(info),
                Ok(None) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Stops this process as Ctrl-Z would, and returns when it is continued.
    ///
    /// Whoever has continued us already, before we heard that the child was stopped, meant both:
    /// the kernel drops a waiting SIGCONT when a stop comes, so it is looked for first. Where no
    /// shell could continue us (an orphaned process group, as in a container) the kernel takes
    /// SIGTSTP for nothing, which SIGSTOP would not be.
    pub(super) fn stop_ourselves(&mut self) -> Result<()> {
        self.take_in()?;
        let is_continue = |info: &siginfo| info.ssi_signo.cast_signed() == Signal::SIGCONT as i32;
        if self.held.iter().any(is_continue) {
            return Ok(());
        }
        let stop = SigSet::from(Signal::SIGTSTP);
        raise(Signal::SIGTSTP)?;
        stop.thread_unblock()?;
        stop.thread_block()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // Nothing can be done about a mask that cannot be put back, and nothing depends on it.
        let _ = self.before.thread_set_mask();
    }
}

fn leads_session() -> bool {
    getsid(None).is_ok_and(|session| session == getpid())
}
