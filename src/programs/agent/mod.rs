//! The agent: gets a pod's secrets, writes them into its memory volume, and keeps them fresh.

mod run;

pub use run::main;
