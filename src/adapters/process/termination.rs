//! The wish that this process end, as something to wait for.

use std::io;

use nix::sys::signal::{SigSet, Signal};

/// SIGTERM and SIGINT, held back until somebody waits for them.
///
/// The first process of a container ends by neither unless it asks for them.
#[derive(Debug)]
pub struct Termination(SigSet);

impl Termination {
    /// Holds them back in this thread and in those that it starts from now on: call it first.
    pub fn block() -> io::Result<Self> {
        let set: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Waits for one, and gives its name.
    pub fn wait(&self) -> io::Result<&'static str> {
        Ok(self.0.wait()?.as_str())
    }
}
