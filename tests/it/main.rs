//! The integration tests, all in one program.

mod sops;
mod support;
