//! The injector: gives pods that ask for it an agent, and keeps the certificates.

mod run;

pub use run::main;
