//! Verifies chains of the audit: what was changed, cut, inserted or moved, and where.
//!
//! What it cannot find: entries removed from the end, after the last checkpoint that it is given.

mod report;
mod verifier;

pub use report::{ChainFound, Fault, Finding, Place, Report};
pub use verifier::Verifier;
