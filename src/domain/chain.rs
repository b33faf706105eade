//! Verifies chains of the audit: what was changed, cut, inserted or moved, and where.
//!
//! What it cannot find: entries removed from the end, after the last checkpoint that it is given.
//!
//! Invariant: that entries were removed on purpose is believed where the vault signed it, and an
//! entry's word is taken only where whoever verifies says so.

mod removed;
mod report;
mod verifier;

pub use report::{ChainFound, Fault, Finding, Place, Report};
pub use verifier::Verifier;
