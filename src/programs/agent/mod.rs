//! The agent: gets a pod's secrets, writes them into its memory volume, and keeps them fresh.
//!
//! One thread follows each grant's values, one supervises, and the first waits for signals.
//!
//! Invariants: no value or token is in the log, in the status or in the manifest. A good file
//! stays until a better one is there, or its grant is withdrawn and it is to be removed.

mod config;
mod export;
mod grants;
mod held;
mod lay;
mod layout;
mod log;
mod manifest;
mod pace;
mod question;
mod run;
mod say;
mod status;
mod supervise;
mod trace;
mod trouble;
mod vault;
mod watch;

pub use run::main;
