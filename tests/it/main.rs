//! All integration tests, in one target so that they are linked once.

mod docs;
mod layering;
mod sops;
mod support;
mod tree;
mod vault;
