//! A child process: started with our own input and output, sent the signals that we are sent,
//! ended with a code that says as much as a shell's.
//!
//! Invariant: a signal reaches the child once. What a terminal sends to the whole foreground
//! process group has reached the child already and is not sent again.

#[cfg(feature = "vault")]
mod bound;
mod child;
pub mod hardening;
mod signals;
mod status;
mod termination;

#[cfg(feature = "vault")]
pub use bound::become_bound;
pub use child::{Child, Ended, RunError, run};
pub use status::Status;
pub use termination::Termination;
